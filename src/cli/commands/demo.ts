import { WorkerError } from "../../errors.ts";
import { addSettingFlags } from "../../config/flags.ts";
import { duration } from "../../config/value-types.ts";

import type { Command } from "commander";

import type { FlagValues } from "../../config/flags.ts";
import type { Io } from "../io.ts";

const HELP = `
Shows a worker and a server at work, in one process and with nothing to set up: registers two deployments, runs both, and shows their
states and logs until they have completed. One is a program without Prefect; the other a Python flow whose pull steps clone a small git
repository and make a Python environment with Prefect in it (20 s to a minute the first time, then cached). Then it serves until Ctrl-C.

Everything is kept in the directory \`demo\` of --data-dir; nothing is asked of, or told to, another Prefect server. If port 4200 is taken,
the demo takes a free one.

Needs Python 3.10 or newer with venv, and access to a Python package index (PIP_INDEX_URL counts); git is used where it is installed.

Examples:
  $ lighterman demo
  $ lighterman demo --once          exits with 0 when both runs completed
  $ npm start -- --once             the same, from the sources
`;

const timeout = duration({ above: 0 });

interface DemoFlags extends FlagValues {
  readonly once?: boolean;
  readonly timeout: string;
  readonly port?: string;
}

/** `lighterman demo`, which `npm start` runs. */
export function addDemoCommand(program: Command, io: Io, finish: (exitCode: number) => void): void {
  const demo = program
    .command("demo")
    .description("run two example deployments on a server and a worker in this process")
    .option("--once", "end when both runs have: with 0 when they completed, else with 1")
    .option("--timeout <DURATION>", "how long the runs may take", "15m")
    .option("--port <PORT>", "port of the server (default: 4200, or a free one when that is taken)")
    .addHelpText("after", HELP);
  addSettingFlags(demo, ["flow"]);
  demo.action(async ({ once, timeout: given, port, ...flags }: DemoFlags) => {
    const timeoutMs = timeout.parse(given, { baseDir: io.cwd, homeDir: io.homeDir })?.value;
    if (timeoutMs === undefined) {
      throw new WorkerError("USAGE", `--timeout is ${given}, which is not ${timeout.expected}`);
    }
    // Only here: a worker stays small.
    const { runDemo } = await import("../demo/demo.ts");
    finish(await runDemo({ isOnce: once === true, timeoutMs, port, flags }, io));
  });
}
