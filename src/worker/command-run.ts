import { WorkerError } from "../errors.ts";
import { OutputTail } from "./attempt.ts";
import { RunStopped } from "./control.ts";
import { commandLine } from "./job.ts";
import { startAttempt } from "./launch.ts";
import { running } from "./states.ts";

import type { Attempt } from "./attempt.ts";
import type { PreparedRun } from "./prepare.ts";
import type { PulledCode } from "./pull.ts";
import type { RunRoom } from "./room.ts";

/**
 * Runs a program that knows nothing of Prefect (`engine: none`): the worker reports RUNNING, ships the output as the run's
 * logs, and settle.ts turns the exit code into COMPLETED or FAILED.
 */
export async function runCommand(run: PreparedRun, code: PulledCode, room: RunRoom): Promise<Attempt> {
  if (run.job.command === null) {
    throw new WorkerError("TEMPLATE_INVALID", "The job has `engine: none` but no command", {
      hint: "Set the job variable `command` to the program to run.",
    });
  }
  await run.announced;
  await enterRunning(run, room);
  const tail = new OutputTail();
  const log = room.runLogs.forRun(run.flowRun.id, "prefect.flow_runs");
  return await startAttempt(run, "command", tail, room, {
    command: commandLine(run.job, "", run.workspace.directory),
    cwd: code.directory,
    env: code.env,
    splitStderr: true,
    keepStatus: true,
    onLine: (line, stream) => {
      const text = room.redactor.redact(line);
      tail.add(text);
      if (stream === "stderr") log.warn(text);
      else log.info(text);
      if (run.job.streamOutput) room.onOutput(text);
    },
  });
}

// A prefetched run is early: the server answers WAIT until its scheduled time (protocol §2.3).
async function enterRunning(run: PreparedRun, room: RunRoom): Promise<void> {
  for (;;) {
    const answer = await room.reporter.deliver(run.flowRun.id, running, false);
    if (answer?.status === "ACCEPT" && answer.state?.type === "RUNNING") return;
    if (answer?.status !== "WAIT") {
      if (answer?.state?.type === "CANCELLING") throw new RunStopped("cancel");
      throw new WorkerError(
        "LAUNCH_FAILED",
        `The server refused to run it: ${answer?.reason ?? "the run is gone"}`,
      );
    }
    await room.clock.sleep((answer.delaySeconds ?? 1) * 1000, run.control.signal);
  }
}
