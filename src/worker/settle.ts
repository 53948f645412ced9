import { WorkerError } from "../errors.ts";
import { TERMINAL_STATES } from "../api/types.ts";
import { explainExit } from "../launcher/exit-explanations.ts";
import { StepError } from "../steps/errors.ts";
import { RunStopped } from "./control.ts";
import { untilAnswered } from "./patience.ts";
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

import type { FlowRun, State, StateProposal } from "../api/types.ts";
import type { LaunchResult } from "../launcher/types.ts";
import type { Attempt } from "./attempt.ts";
import type { Claim } from "./claim.ts";
import type { RunControl, StopReason } from "./control.ts";
import type { RunRoom } from "./room.ts";
import type { RunEnd } from "./run.ts";
import type { Timings } from "./timings.ts";

interface Verdict {
  readonly proposal: StateProposal;
  /** Only CANCELLED is forced: the server protects what the engine itself reported (protocol §11.2). */
  readonly force: boolean;
}

/**
 * Concludes a run whose process has ended. The run's own state judges, not the exit code (protocol §11.1): what the engine
 * reported stays; what it left open is concluded here.
 */
export async function settleAttempt(attempt: Attempt, result: LaunchResult, room: RunRoom): Promise<RunEnd> {
  const { flowRun, record, control } = attempt;
  logExit(attempt, result);
  const state = await currentState(flowRun.id, room);
  const acknowledged = (await control.stopped)?.acknowledged ?? false;
  const verdict =
    state === null ? null : judge({ attempt, result, state, acknowledged, now: room.clock.now() });
  const end = await conclude(attempt, state, verdict, room);
  room.events.executed(attempt, result);
  if (control.reason === "cancel" && end.kind === "ended" && end.state === "Cancelled")
    room.events.cancelled(attempt);
  record.remove();
  return end;
}

/** Concludes a run that did not get as far as a process: a bad template, a failed step, a stop in between. */
export async function settleFailure(
  error: Error,
  claim: Claim,
  control: RunControl,
  timings: Timings,
  room: RunRoom,
): Promise<RunEnd> {
  const { flowRun, record } = claim;
  const log = room.runLogs.forRun(flowRun.id, "prefect.flow_runs.worker");
  const { phase } = timings;
  timings.enter("report");
  const stop = control.reason ?? (error instanceof RunStopped ? error.reason : undefined);
  const state = await currentState(flowRun.id, room);
  const verdict =
    state === null
      ? null
      : stop === undefined
        ? failureVerdict(error)
        : stoppedVerdict(stop, room.clock.now());
  if (stop === undefined && state !== null) {
    const text = room.redactor.redact(describe(error));
    log.error(`Flow run '${flowRun.name}' could not be started (${phase}): ${text}`);
    room.logger.debug({ flowRunId: flowRun.id, phase, err: error }, "A flow run could not be started");
  }
  const end = await conclude(claim, state, verdict, room);
  record.remove();
  return end;
}

function failureVerdict(error: Error): Verdict {
  const message = error instanceof StepError ? describe(error) : submissionFailed(error);
  return { proposal: crashed(message), force: false };
}

// Nothing has started yet, so a run that must leave this worker is as good as new for the next.
function stoppedVerdict(reason: StopReason, now: number): Verdict {
  return reason === "cancel"
    ? { proposal: cancelled(CANCELLED_BEFORE_START), force: true }
    : { proposal: awaitingRetry(now, "The worker stopped before the flow run was started."), force: false };
}

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
  if (TERMINAL_STATES.has(state.type)) return null;
  const hasEndedByItself = result.kind === "exited" && (reason === undefined || attempt.kind === "command");
  if (hasEndedByItself) return exitVerdict(attempt, result.code, result, state);
  // An engine that never reported RUNNING has not begun with the flow: as good as new for the next worker.
  const canBeHandedBack =
    (reason === "hand-back" && acknowledged) || (reason !== undefined && state.type === "PENDING");
  if (canBeHandedBack) {
    return { proposal: awaitingRetry(now, "The worker stopped and handed the flow run back."), force: false };
  }
  return { proposal: crashed(stoppedText(attempt, result)), force: false };
}

function exitVerdict(attempt: Attempt, code: number, result: LaunchResult, state: State): Verdict | null {
  if (attempt.kind === "command") {
    return code === 0
      ? { proposal: completed("The command exited with status code 0."), force: false }
      : { proposal: failed(exitText("Command", attempt, result)), force: false };
  }
  const hasReceipt = result.kind === "exited" && result.receipt !== undefined;
  if (hasReceipt) return null; // the engine's own word that this attempt is concluded
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
  return `${subject} exited with status code: ${code}. ${explanation}${lastWords}`;
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

async function conclude(
  run: Pick<Claim, "record"> & { readonly flowRun: Pick<FlowRun, "id"> },
  state: State | null,
  verdict: Verdict | null,
  room: RunRoom,
): Promise<RunEnd> {
  if (state === null) return { kind: "ended", state: "Deleted" };
  const isConcluded = verdict === null || (TERMINAL_STATES.has(state.type) && !verdict.force);
  if (isConcluded) return { kind: "ended", state: state.name, message: state.message ?? undefined };
  const message = verdict.proposal.message;
  const proposal = {
    ...verdict.proposal,
    ...(message === undefined ? {} : { message: room.redactor.redact(message) }),
  };
  run.record.update({ phase: "reporting", report: { proposal, force: verdict.force } });
  const answer = await room.reporter.deliver(run.flowRun.id, proposal, verdict.force);
  const final = answer?.state ?? null;
  return final === null
    ? { kind: "ended", state: "Deleted" }
    : { kind: "ended", state: final.name, message: final.message ?? undefined };
}

/** Null when the run was deleted. Waits for the API as long as the worker does. */
async function currentState(flowRunId: string, room: RunRoom): Promise<State | null> {
  const run = await untilAnswered(() => room.api.readFlowRun(flowRunId, { signal: room.closing }), room);
  return run === null ? null : (run.state ?? { type: "PENDING", name: "Pending" });
}

function describe(error: Error): string {
  const hint = error instanceof WorkerError && error.hint !== undefined ? `. ${error.hint}` : "";
  const tail = error instanceof StepError && error.outputTail !== undefined ? `\n${error.outputTail}` : "";
  return `${error.message}${hint}${tail}`;
}
