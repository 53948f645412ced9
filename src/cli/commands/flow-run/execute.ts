import { addSettingFlags } from "../../../config/flags.ts";
import { WorkerError } from "../../../errors.ts";
import { listenForSignals } from "../../../lifecycle/shutdown.ts";
import { exitStatusOf } from "../../../worker/execution.ts";
import { assembleExecution } from "../../execution-assembly.ts";
import { isUuid } from "../../identify.ts";
import { openSession } from "../../session.ts";

import type { Command } from "commander";

import type { FlagValues } from "../../../config/flags.ts";
import type { ExecutionEnd } from "../../../worker/execution.ts";
import type { CommandContext } from "../../api-command.ts";
import type { Io } from "../../io.ts";
import type { Session } from "../../session.ts";

const HELP = `
Does the same as \`prefect flow-run execute\`, for images that carry Lighterman: it is what a container runs that a worker has started
for a flow run. It runs the deployment's pull steps (or fetches its storage) in a fresh temporary directory, starts
\`python -m prefect.engine\` there with PREFECT__FLOW_ENTRYPOINT, and lets it write to its own standard output. The interpreter is
--python, else that of $VIRTUAL_ENV, else python3. Paths of an image that brings its code count from the current directory.

ID is that of the flow run; without it PREFECT__FLOW_RUN_ID names it, which workers set. A run that has ended already is not started.
Pull steps that fail make it CRASHED. When somebody cancels the run its engine is ended, and the run is CANCELLED.

SIGTERM does what PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR says:
  crash       (default) the engine gets the signal, and the run is CRASHED; one that had not begun is handed back
  reschedule  the engine ends without a report, and the run waits for a worker again (AwaitingRetry)
  relinquish  the same, but the run's state is left as it is, for infrastructure that starts the same attempt again
What is left after LIGHTERMAN_KILL_GRACE is killed; a second signal kills at once.

The exit status is the engine's (128 + N for signal N), which is 0 once it has reported how the run ended; 0 for a run that is cancelled,
rescheduled or not started; 1 when its code could not be fetched, and for one that is relinquished.

Examples:
  $ lighterman flow-run execute
  $ lighterman flow-run execute 0197c8a2-5a3e-7d41-9c1b-2f6a8d0e4b17 --python /opt/flows/bin/python
`;

/** `lighterman flow-run execute`, in place of Prefect's (prefect/cli/flow_run.py: execute). */
export function addExecuteCommand(group: Command, { io, finish }: CommandContext): void {
  const execute = group
    .command("execute [ID]")
    .description("execute a flow run here: fetch its code, run its engine")
    .addHelpText("after", HELP);
  addSettingFlags(execute, ["all", "flow"]);
  execute.action(async (id: string | undefined, flags: FlagValues) => {
    const flowRunId = runId(id ?? io.env["PREFECT__FLOW_RUN_ID"]);
    const session = await openSession(io, flags);
    try {
      finish(await executeFlowRun(session, io, flowRunId));
    } finally {
      await session.close();
    }
  });
}

function runId(given: string | undefined): string {
  const hint = "Give it as an argument, or as PREFECT__FLOW_RUN_ID; a worker sets that for what it starts.";
  if (given === undefined || given === "") {
    throw new WorkerError("USAGE", "Nothing says which flow run to execute", { hint });
  }
  if (!isUuid(given)) throw new WorkerError("USAGE", `'${given}' is no id of a flow run`, { hint });
  return given;
}

async function executeFlowRun(session: Session, io: Io, flowRunId: string): Promise<number> {
  const { logger } = session;
  const named = (io.env["PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR"] ?? "").toLowerCase();
  const behavior = named === "reschedule" || named === "relinquish" ? named : "end";
  const assembly = await assembleExecution(session, io, flowRunId);
  const stop = (signal: NodeJS.Signals): void => {
    logger.info(`Received ${signal}: ending flow run ${flowRunId}`);
    assembly.execution.stop(signal === "SIGTERM" ? behavior : "end");
  };
  const unlisten = listenForSignals(io.signals, {
    first: stop,
    second: stop,
    third: (code) => io.exit(code),
  });
  try {
    const end = await assembly.execution.run();
    logger.info(tellEnd(flowRunId, end));
    return exitStatusOf(end);
  } finally {
    await assembly.close();
    unlisten();
  }
}

function tellEnd(flowRunId: string, { end, reason }: ExecutionEnd): string {
  if (end.kind !== "ended") return `Flow run ${flowRunId} is not started: ${end.reason}`;
  if (reason === "relinquish") return `Flow run ${flowRunId} is left to its infrastructure, as ${end.state}`;
  const message = end.message === undefined ? "" : `: ${end.message}`;
  return `Flow run ${flowRunId} ended as ${end.state}${message}`;
}
