import { WorkerError } from "../errors.ts";
import { RunReturned, RunStopped } from "./control.ts";
import { commandLine } from "./job.ts";
import { startAttempt } from "./launch.ts";
import { untilAnswered } from "./patience.ts";
import { running } from "./states.ts";

import type { Attempt } from "./attempt.ts";
import type { PreparedRun } from "./prepare.ts";
import type { PulledCode } from "./pull.ts";
import type { RunRoom } from "./room.ts";
import type { RunProgress } from "./run.ts";

/**
 * Runs a program that knows nothing of Prefect (`engine: none`): the worker reports RUNNING, ships the output as the run's
 * logs, and settle.ts turns the exit code into COMPLETED or FAILED.
 */
export async function runCommand(
  run: PreparedRun,
  code: PulledCode,
  room: RunRoom,
  progress: Pick<RunProgress, "onStuck">,
): Promise<Attempt> {
  if (run.job.command === null) {
    throw new WorkerError("TEMPLATE_INVALID", "The job has `engine: none` but no command", {
      hint: "Set the job variable `command` to the program to run.",
    });
  }
  await run.announced;
  await enterRunning(run, room, progress);
  return await startAttempt(run, "command", room, {
    // In a container a path is one of the image's.
    command:
      room.workerType === "docker" ? run.job.command : commandLine(run.job, "", run.workspace.directory),
    cwd: code.directory,
    env: code.env,
    splitStderr: true,
    keepStatus: true,
    onLine: shipOutput(run.flowRun.id, room),
  });
}

/** Takes a program's output, with secrets masked, to the run's logs. */
export function shipOutput(
  flowRunId: string,
  room: Pick<RunRoom, "runLogs">,
): (text: string, stream: "stdout" | "stderr") => void {
  const log = room.runLogs.forRun(flowRunId, "prefect.flow_runs");
  return (text, stream) => {
    if (stream === "stderr") log.warn(text);
    else log.info(text);
  };
}

// A prefetched run is early: the server answers WAIT until its scheduled time (protocol §2.3).
async function enterRunning(
  run: PreparedRun,
  room: RunRoom,
  progress: Pick<RunProgress, "onStuck">,
): Promise<void> {
  const { flowRun, record, control } = run;
  const transitionId = record.entry.transitionIds.running;
  const closing = AbortSignal.any([room.closing, control.signal]);
  const options = { force: false, signal: closing };
  let isStuck = false;
  for (;;) {
    const answer = await untilAnswered(
      () => room.api.setFlowRunState(flowRun.id, running(transitionId), options),
      { clock: room.clock, closing },
      () => {
        isStuck = true;
        progress.onStuck();
      },
    );
    const { type, state_details: details } = answer?.state ?? {};
    if (type === "RUNNING" && (answer?.status === "ACCEPT" || details?.["transition_id"] === transitionId)) {
      if (isStuck) throw new RunReturned("The Prefect API was away when the flow run was to be started.");
      return;
    }
    if (answer?.status !== "WAIT") {
      if (type === "CANCELLING") throw new RunStopped("cancel");
      throw new WorkerError(
        "LAUNCH_FAILED",
        `The server refused to run it: ${answer?.reason ?? "the run is gone"}`,
      );
    }
    await room.clock.sleep((answer.delaySeconds ?? 1) * 1000, closing);
  }
}
