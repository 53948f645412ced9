"""Starts relatives that outlive it, says their pids, and ends on SIGTERM.

Arguments name the relatives: `group` stays in the group and ignores SIGTERM, `session` makes a session of its own,
`daemon` does so and is handed over to init.
"""

import json
import os
import signal
import subprocess
import sys
import time

SLEEPER = "import signal, time\nsignal.signal(signal.SIGTERM, signal.{handler})\nprint('up', flush=True)\ntime.sleep(600)"


def sleeper(handler="SIG_DFL", **options):
    code = SLEEPER.format(handler=handler)
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, **options)
    child.stdout.readline()
    return child.pid


def daemon():
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        pid = sleeper("SIG_IGN", start_new_session=True)
        os.write(write, str(pid).encode())
        os._exit(0)
    os.close(write)
    os.wait()
    return int(os.read(read, 32))


pids = {}
for kind in sys.argv[1:]:
    if kind == "group":
        pids[kind] = sleeper("SIG_IGN")
    elif kind == "session":
        pids[kind] = sleeper(start_new_session=True)
    elif kind == "daemon":
        pids[kind] = daemon()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print(json.dumps(pids), flush=True)
while True:
    time.sleep(60)
