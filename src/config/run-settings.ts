import { own, prefect } from "./setting.ts";
import { boolean, choice, cronLine, duration, filePath, integer, program, seconds } from "./value-types.ts";

const LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] as const;

const level = choice(LEVELS, (word) => word.toUpperCase());

/** How flow runs are carried out and logged: our own knobs, and Prefect's for runner, flows and logging. */
export const RUN_SETTINGS = {
  python: own({
    type: program,
    defaultDoc: "$VIRTUAL_ENV, else python3 on PATH",
    doc: "Python interpreter of the flows.",
    example: "/opt/flows/bin/python",
    flag: { name: "python", metavar: "PROGRAM", scope: "flow" },
  }),
  drain_timeout: own({
    type: duration({ min: 0 }),
    default: "30s",
    doc: "How long flow runs may go on after the first SIGTERM before they are handed back.",
    example: "10m",
    flag: { name: "drain-timeout", metavar: "DURATION", scope: "worker" },
  }),
  kill_grace: own({
    type: duration({ min: 0 }),
    default: "30s",
    doc: "Time between SIGTERM and SIGKILL for the processes of a flow run.",
    example: "5s",
  }),
  cancellation_poll: own({
    type: duration({ above: 0 }),
    default: "10s",
    doc: "How often the runs in hand are looked at for a cancellation, besides the server's events.",
    example: "3s",
  }),
  start_concurrency: own({
    type: integer({ min: 1 }),
    defaultDoc: "number of CPUs, at least 2",
    doc: "How many flow runs may be in their start (steps, import of Prefect) at once.",
    example: "16",
  }),
  data_dir: own({
    type: filePath,
    defaultDoc: "$XDG_STATE_HOME/lighterman, else ~/.lighterman",
    doc: "Where the journal, the output of flow runs and the caches are kept.",
    example: "/var/lib/lighterman",
    flag: { name: "data-dir", metavar: "DIR", scope: "flow" },
  }),
  workspace_root: own({
    type: filePath,
    defaultDoc: "workspaces in data_dir",
    doc: "Where the fresh working directory of each flow run is made.",
    example: "/scratch/flows",
  }),
  "housekeeping.cron": own({
    type: cronLine,
    defaultDoc: "every hour",
    doc: "When old workspaces, outputs of flow runs, Python environments and containers are swept (cron, local time); off for never.",
    example: '"0 3 * * *"',
  }),
  "housekeeping.keep_environments": own({
    type: duration({ min: 0 }),
    default: "30d",
    doc: "How long a Python environment that a pull step made stays after its last use.",
    example: "7d",
  }),
  "housekeeping.keep_containers": own({
    type: duration({ min: 0 }),
    default: "7d",
    doc: "How long the container of an ended flow run stays (docker workers; with auto_remove it does not).",
    example: "1d",
  }),
  "housekeeping.max_containers": own({
    type: integer({ min: 0 }),
    default: "200",
    doc: "How many containers of ended flow runs stay at most, the newest (docker workers).",
    example: "50",
  }),
  "log.format": own({
    type: choice(["auto", "pretty", "json"], (word) => word.toLowerCase()),
    default: "auto",
    doc: "Console lines: pretty, json, or auto (pretty on a terminal).",
    example: "json",
    flag: { name: "log-format", metavar: "FORMAT", scope: "log" },
  }),
  "log.level": own({
    type: level,
    defaultDoc: "logging.level, or DEBUG in a debug mode",
    doc: "Lowest level of the worker's own lines on the console.",
    example: "warning",
    flag: { name: "log-level", metavar: "LEVEL", scope: "log" },
  }),
  debug_mode: prefect({
    type: boolean,
    default: "false",
    doc: "Debug lines from the worker and from its flow runs.",
    example: "true",
  }),
  "logging.level": prefect({
    type: level,
    default: "INFO",
    doc: "Lowest level of Prefect's loggers in flow runs, and of the worker.",
    example: "ERROR",
  }),
  "logging.to_api.enabled": prefect({
    type: boolean,
    default: "true",
    doc: "Send logs of flow runs to the API.",
    example: "false",
  }),
  "logging.to_api.batch_interval": prefect({
    type: seconds({ min: 0 }),
    default: "2",
    doc: "Seconds between two batches of logs for the API.",
    example: "1",
  }),
  "logging.to_api.batch_size": prefect({
    type: integer({ min: 1 }),
    default: "4000000",
    doc: "Largest batch of logs in bytes.",
    example: "3000000",
  }),
  "logging.to_api.max_log_size": prefect({
    type: integer({ min: 1 }),
    default: "1000000",
    doc: "Largest single log in bytes; Prefect Cloud caps it.",
    example: "500000",
  }),
  "flows.heartbeat_frequency": prefect({
    type: seconds({ min: 30 }),
    default: "180",
    doc: "Seconds between two heartbeats of a flow run.",
    example: "60",
    deprecatedNames: ["PREFECT_RUNNER_HEARTBEAT_FREQUENCY"],
  }),
  "runner.auto_install_dependencies": prefect({
    type: boolean,
    default: "false",
    doc: "Start the engine through `uv run` when the flow's project declares its dependencies.",
    example: "true",
  }),
  "runner.crash_on_cancellation_failure": prefect({
    type: boolean,
    default: "false",
    doc: "End all runs as crashed when cancellations can no longer be noticed.",
    example: "true",
  }),
};
