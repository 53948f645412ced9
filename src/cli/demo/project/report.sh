#!/bin/sh
# Any program can be a flow run: its output becomes the run's logs, its exit status the run's state.
set -eu
echo "System:    $(uname -s -m), up$(uptime | sed 's/^.*up//; s/,.*$//')"
echo "Processes: $(ps -A 2>/dev/null | wc -l | tr -d ' ')"
echo "Disk:      $(df -Pk . | awk 'NR == 2 { printf "%d GiB free of %d GiB", $4 / 1048576, $2 / 1048576 }')"
echo "Run:       $PREFECT__FLOW_RUN_ID"
