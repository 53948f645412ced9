import type { FlowRun } from "../api/types.ts";
import type { RunEnd } from "./run.ts";
import type { Phase, Timings } from "./timings.ts";
import type { WorkerState } from "./worker-options.ts";

/**
 * What the worker tells those who count, trace or announce its work. It is told when it happens, in the worker's own
 * course: an observer takes note and returns. All are optional.
 */
export interface WorkerObserver {
  readonly stateChanged?: (state: WorkerState) => void;
  /** A poll that was answered; `due` runs were in the answer. */
  readonly polled?: (due: number, durationMs: number) => void;
  readonly pollFailed?: (error: Error) => void;
  /** The stream of the server's announcements came, or went; also when the first attempt to open it fails. */
  readonly eventStreamChanged?: (isConnected: boolean) => void;
  /** A run was taken in hand: to claim it, or, without timings, because an earlier worker left it behind. */
  readonly runTaken?: (run: ObservedRun) => void;
  /** It left `from`, where it was for `spentMs`. */
  readonly runEntered?: (run: ObservedRun, phase: Phase, from: Phase, spentMs: number) => void;
  /** Null when its end could not be reported, and is left to the next start. */
  readonly runEnded?: (run: ObservedRun, end: RunEnd | null) => void;
  /** Somebody wants it cancelled. */
  readonly cancelling?: (flowRunId: string) => void;
  /** What the run's process gets so that its trace goes on with the worker's; the first that has one counts. */
  readonly traceparent?: (flowRunId: string) => string | null;
}

export interface ObservedRun {
  readonly flowRun: Pick<FlowRun, "id" | "name"> &
    Partial<Pick<FlowRun, "deployment_id" | "work_queue_name" | "labels">>;
  /** Where it is, and what was learned of it; null for runs of an earlier worker. */
  readonly timings: Timings | null;
}

/** One observer for all of them. What an observer throws stays with it: it must not touch a run. */
export function observeAll(
  observers: readonly WorkerObserver[],
  onError: (error: unknown) => void,
): Required<WorkerObserver> {
  function each(call: (observer: WorkerObserver) => void): void {
    for (const observer of observers) {
      try {
        call(observer);
      } catch (error) {
        onError(error);
      }
    }
  }
  return {
    stateChanged: (state) => each((observer) => observer.stateChanged?.(state)),
    polled: (due, durationMs) => each((observer) => observer.polled?.(due, durationMs)),
    pollFailed: (error) => each((observer) => observer.pollFailed?.(error)),
    eventStreamChanged: (isConnected) => each((observer) => observer.eventStreamChanged?.(isConnected)),
    runTaken: (run) => each((observer) => observer.runTaken?.(run)),
    runEntered: (run, phase, from, spentMs) =>
      each((observer) => observer.runEntered?.(run, phase, from, spentMs)),
    runEnded: (run, end) => each((observer) => observer.runEnded?.(run, end)),
    cancelling: (flowRunId) => each((observer) => observer.cancelling?.(flowRunId)),
    traceparent(flowRunId) {
      let found: string | null = null;
      each((observer) => (found ??= observer.traceparent?.(flowRunId) ?? null));
      return found;
    },
  };
}
