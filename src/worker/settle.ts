import { WorkerError, coerceError } from "../errors.ts";
import { TERMINAL_STATES } from "../api/types.ts";
import { explainExit } from "../launcher/exit-explanations.ts";
import { isPostponed } from "../launcher/launch-outcomes.ts";
import { StepError } from "../steps/errors.ts";
import { WORKER_IS_GONE } from "../steps/image-bridge.ts";
import { DeploymentGone } from "./claim.ts";
import { RunReturned, RunStopped } from "./control.ts";
import { isApiAway } from "./patience.ts";
import { conclude } from "./report.ts";
import {
  CANCELLED_BEFORE_START,
  CANCELLED_BY_USER,
  awaitingRetry,
  cancelled,
  completed,
  crashed,
  failed,
  submissionFailed,
} from "./states.ts";

import type { State } from "../api/types.ts";
import type { LaunchResult } from "../launcher/types.ts";
import type { Attempt } from "./attempt.ts";
import type { Claim } from "./claim.ts";
import type { RunControl, StopReason } from "./control.ts";
import type { Verdict } from "./report.ts";
import type { RunRoom } from "./room.ts";
import type { RunEnd, RunProgress } from "./run.ts";
import type { Timings } from "./timings.ts";

/**
 * Concludes a run whose process has ended. The run's own state judges, not the exit code (protocol §11.1): what the engine
 * reported stays; what it left open is concluded here.
 */
export async function settleAttempt(
  attempt: Attempt,
  result: LaunchResult,
  room: RunRoom,
  progress: Pick<RunProgress, "onStuck">,
): Promise<RunEnd> {
  const { control } = attempt;
  logExit(attempt, result);
  const acknowledged = (await control.stopped)?.acknowledged ?? false;
  const decide = (state: State): Verdict | null =>
    judge({ attempt, result, state, acknowledged, now: room.clock.now() });
  const end = await conclude(attempt, decide, room, progress).catch((thrown: unknown) => {
    const error = coerceError(thrown);
    if (room.closing.aborted || isApiAway(error)) throw error;
    // The API refuses this very report. Whatever is wrong with it, a run that was executed is never handed back.
    const verdict = { proposal: crashed(`Its end could not be reported: ${error.message}`), force: false };
    return conclude(attempt, () => verdict, room, progress);
  });
  room.events.executed(attempt, result);
  if (control.reason === "cancel" && end.kind === "ended" && end.state === "Cancelled")
    room.events.cancelled(attempt);
  return end;
}

/** Concludes a run that did not get as far as a process: a bad template, a failed step, a stop in between. */
export async function settleFailure(
  error: Error,
  claim: Claim,
  control: RunControl,
  timings: Timings,
  room: RunRoom,
  progress: Pick<RunProgress, "onStuck">,
): Promise<RunEnd> {
  const { flowRun } = claim;
  const { phase } = timings;
  timings.enter("report");
  const stop = control.reason ?? (error instanceof RunStopped ? error.reason : undefined);
  const verdict = failureVerdict(error, stop, room.clock.now());
  let hasLogged = false;
  const decide = (state: State): Verdict | null => {
    if (TERMINAL_STATES.has(state.type)) return null;
    // Whoever cancels a run that fails at the same time gets what he wants.
    if (state.type === "CANCELLING") return { proposal: cancelled(CANCELLED_BEFORE_START), force: true };
    if (verdict?.proposal.type === "CRASHED" && !hasLogged) {
      hasLogged = true;
      const text = room.redactor.redact(describe(error));
      const log = room.runLogs.forRun(flowRun.id, "prefect.flow_runs.worker");
      log.error(`Flow run '${flowRun.name}' could not be started (${phase}): ${text}`);
      room.logger.debug({ flowRunId: flowRun.id, phase, err: error }, "A flow run could not be started");
    }
    return verdict;
  };
  const end = await conclude(claim, decide, room, progress);
  const isReturned = stop === undefined && end.kind === "ended" && end.state === verdict?.proposal.name;
  return isReturned && verdict.proposal.type === "SCHEDULED"
    ? { kind: "returned", reason: error.message }
    : end;
}

// Nothing has started yet, so a run that can't go on here, for no fault of its own, is as good as new for the next worker.
function failureVerdict(error: Error, stop: StopReason | undefined, now: number): Verdict | null {
  if (stop === "relinquish") return null;
  if (stop === "cancel") return { proposal: cancelled(CANCELLED_BEFORE_START), force: true };
  if (stop !== undefined) {
    const message = "The worker stopped before the flow run was started.";
    return { proposal: awaitingRetry(now, message), force: false };
  }
  if (error instanceof DeploymentGone) return { proposal: cancelled(error.message), force: true };
  if (error instanceof RunReturned || isPostponed(error))
    return { proposal: awaitingRetry(now, error.message), force: false };
  if (isApiAway(error)) {
    const message = `The worker lost the Prefect API before the flow run was started: ${error.message}`;
    return { proposal: awaitingRetry(now, message), force: false };
  }
  const message = error instanceof StepError ? describe(error) : submissionFailed(error);
  return { proposal: crashed(message), force: false };
}

/** 128 + SIGKILL, 128 + SIGTERM. */
const KILLED_IN_CONTAINER: ReadonlySet<number> = new Set([137, 143]);

interface JudgeInputs {
  readonly attempt: Attempt;
  readonly result: LaunchResult;
  readonly state: State;
  readonly acknowledged: boolean;
  readonly now: number;
}

/** What is left to report after the process's end; null when the run is concluded. */
export function judge({ attempt, result, state, acknowledged, now }: JudgeInputs): Verdict | null {
  const reason = attempt.control.reason;
  const wasCancelled = reason === "cancel" || state.type === "CANCELLING";
  if (wasCancelled) {
    // SIGTERM without the control channel makes the engine write CRASHED over CANCELLING (protocol §7.3).
    if (state.type === "CANCELLED" || state.type === "COMPLETED" || state.type === "FAILED") return null;
    return { proposal: cancelled(CANCELLED_BY_USER), force: true };
  }
  // The engine's own word that this attempt is concluded.
  if ("receipt" in result && result.receipt !== undefined) return null;
  const isEnded = TERMINAL_STATES.has(state.type);
  if (reason === "reschedule" && (!isEnded || state.type === "CRASHED")) {
    return { ...handBack(now), replacesCrash: true };
  }
  if (isEnded || reason === "relinquish") return null;
  // Its worker was killed before the run had begun in it (see container-code.ts).
  const isForsaken = attempt.isContainer && result.kind === "exited" && result.code === WORKER_IS_GONE;
  if (isForsaken && state.type === "PENDING") return handBack(now);
  // A program that ends with 0 when asked to has done what it wanted; it is the only one whose word counts.
  const isDone = attempt.kind === "command" && result.kind === "exited" && result.code === 0;
  const hasEndedByItself = result.kind === "exited" && (reason === undefined || isDone);
  if (hasEndedByItself) return exitVerdict(attempt, result.code, result, state);
  // An engine that never reported RUNNING has not begun with the flow: as good as new for the next worker.
  const canBeHandedBack =
    (reason === "hand-back" && acknowledged) || (reason !== undefined && state.type === "PENDING");
  if (canBeHandedBack) return handBack(now);
  return { proposal: crashed(stoppedText(attempt, result)), force: false };
}

function handBack(now: number): Verdict {
  return { proposal: awaitingRetry(now, "The worker stopped and handed the flow run back."), force: false };
}

function exitVerdict(attempt: Attempt, code: number, result: LaunchResult, state: State): Verdict | null {
  if (attempt.kind === "command") {
    // The status of a program in a container does not say whether a signal ended it.
    const wasEnded =
      result.kind === "exited" &&
      attempt.isContainer &&
      (result.oomKilled === true || result.removed === true || KILLED_IN_CONTAINER.has(code));
    if (wasEnded) return { proposal: crashed(exitText("Command", attempt, result)), force: false };
    return code === 0
      ? { proposal: completed("The command exited with status code 0."), force: false }
      : { proposal: failed(exitText("Command", attempt, result)), force: false };
  }
  if (code !== 0) return { proposal: crashed(exitText("Process", attempt, result)), force: false };
  // A custom command may have handed the run to a cluster and gone; Prefect's worker leaves such runs alone as well.
  const isLeftOpen = state.type === "PENDING" || state.type === "RUNNING";
  if (attempt.kind === "custom" || !isLeftOpen) return null;
  return {
    proposal: crashed(`Process exited with status code: 0. It left the flow run ${state.name}.`),
    force: false,
  };
}

function stoppedText(attempt: Attempt, result: LaunchResult): string {
  if (attempt.control.reason === undefined) {
    if (result.kind === "gone" && result.removed === true)
      return "The flow run's container was removed by somebody else; how it ended is not known.";
    return result.kind === "gone"
      ? "The flow run's process ended while no worker was watching it, without reporting a result."
      : exitText("Process", attempt, result);
  }
  return "The worker was stopped and ended the flow run's process before it was done.";
}

function exitText(subject: string, attempt: Attempt, result: LaunchResult): string {
  const { code, explanation } = explainExit(result);
  const tail = attempt.outputTail();
  const lastWords = tail.length === 0 ? "" : ` Last output:\n${tail.join("\n")}`;
  // The words of Prefect's process worker, and of its workers for other infrastructure.
  const end =
    attempt.isContainer && attempt.kind !== "command" && code !== 0
      ? `Flow run infrastructure exited with non-zero status code ${code}.`
      : `${subject} exited with status code: ${code}.`;
  return `${end} ${explanation}${lastWords}`;
}

function logExit(attempt: Attempt, result: LaunchResult): void {
  if (result.kind === "gone") return;
  const { code, explanation, level } = explainExit(result);
  if (code === 0 || attempt.control.reason !== undefined) {
    attempt.log.info(`Process for flow run '${attempt.flowRun.name}' exited with status code: ${code}`);
    return;
  }
  attempt.log[level](
    `Process for flow run '${attempt.flowRun.name}' exited with status code: ${code}; ${explanation}`,
  );
}

function describe(error: Error): string {
  const hint = error instanceof WorkerError && error.hint !== undefined ? `. ${error.hint}` : "";
  const tail = error instanceof StepError && error.outputTail !== undefined ? `\n${error.outputTail}` : "";
  return `${error.message}${hint}${tail}`;
}
