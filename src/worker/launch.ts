import { OutputTail } from "./attempt.ts";
import { containerOf } from "./container.ts";

import type { ContainerSpec, LaunchSpec } from "../launcher/types.ts";
import type { Attempt } from "./attempt.ts";
import type { PreparedRun } from "./prepare.ts";
import type { RunRoom } from "./room.ts";

/**
 * Starts a run's process and notes it in the journal at once. Its output, with secrets masked, goes to the worker's console where the
 * job wants that; `onLine` may take it further. Its last lines are kept for the message of a crash.
 */
export async function startAttempt(
  run: PreparedRun,
  kind: Attempt["kind"],
  room: RunRoom,
  spec: Omit<LaunchSpec, "flowRunId" | "attempt" | "outputFile" | "signal" | "container"> & {
    /** Laid over what every container of the run has. */
    readonly container?: Partial<ContainerSpec>;
    /** Leave it to the caller to let stops go to what was started. */
    readonly attachLater?: boolean;
  },
): Promise<Attempt> {
  const { flowRun, record, control } = run;
  control.signal.throwIfAborted();
  const isContainer = room.workerType === "docker";
  const { container, attachLater = false, onLine, ...rest } = spec;
  const tail = new OutputTail();
  const infrastructure = await room.launcher.launch({
    ...rest,
    flowRunId: flowRun.id,
    attempt: record.entry.attempt,
    outputFile: run.outputFile,
    signal: control.signal,
    onLine(line, stream) {
      const text = room.redactor.redact(line);
      tail.add(text);
      onLine?.(text, stream);
      if (run.job.streamOutput) room.onOutput(text);
    },
    ...(isContainer ? { container: { ...containerOf(run, room), ...container } } : {}),
  });
  try {
    record.update({ phase: "launched", handle: infrastructure.handle });
  } catch (error) {
    // Without its journal entry nobody would find it again: end it before anything else is said about the run.
    await infrastructure.stop({ intent: "none", graceMs: 0 });
    throw error;
  }
  if (!attachLater) control.attach(infrastructure);
  return {
    ...run,
    infrastructure,
    exited: infrastructure.exited,
    kind,
    isContainer,
    outputTail: () => tail.lines,
  };
}

/** Tells the API that the run's process has been started, and its `infrastructure_pid`. */
export function announceLaunch({ infrastructure }: Attempt, run: PreparedRun, room: RunRoom): void {
  const { flowRun, log } = run;
  log.info(`Completed submission of flow run '${flowRun.id}'`);
  room.events.submitted(run);
  // The child runs whether or not the server knows its pid; a lost pid only keeps others from cancelling it.
  room.api
    .updateFlowRun(flowRun.id, { infrastructure_pid: infrastructure.identifier })
    .catch((error: unknown) => {
      room.logger.warn(
        { flowRunId: flowRun.id, err: error },
        "The flow run's infrastructure_pid could not be set",
      );
    });
}
