import type { RunningStep } from "../steps/run-steps.ts";
import type { RunControl, StopReason } from "./control.ts";
import type { ObservedRun } from "./observer.ts";
import type { Phase } from "./timings.ts";
import type { WorkerState } from "./worker-options.ts";

/** What a worker does at this moment. Times are milliseconds since the epoch. */
export interface WorkerSnapshot {
  readonly state: WorkerState;
  readonly name: string;
  readonly workPool: {
    readonly name: string;
    /** Null before the pool was read, or while it does not exist. */
    readonly type: string | null;
    readonly isPaused: boolean;
    readonly concurrencyLimit: number | null;
  };
  readonly workQueues: readonly string[];
  readonly slots: Slots;
  /** Of runs on their way to a running engine. */
  readonly startSlots: Slots;
  /** Of the last poll that was answered. */
  readonly lastPollAt: number | null;
  /** Whether the server's announcements come; without them runs and cancellations are found by polling only. */
  readonly isEventStreamConnected: boolean;
  /** Why no run can be started for the time being, such as an engine of containers that does not answer. */
  readonly launchObstacle: string | null;
  /** When the runs are handed back, while it drains. */
  readonly drainsUntil: number | null;
  /** Loops that were to be heard of and were not, and for how long. */
  readonly lateLoops: readonly { readonly name: string; readonly lateMs: number }[];
  readonly runs: readonly RunSnapshot[];
}

interface Slots {
  /** Null: no limit. */
  readonly limit: number | null;
  readonly inUse: number;
}

export interface RunSnapshot {
  readonly id: string;
  readonly name: string;
  readonly deploymentId: string | null;
  readonly deploymentName: string | null;
  readonly flowName: string | null;
  readonly phase: Phase | "adopted";
  readonly takenAt: number;
  readonly phaseSince: number;
  readonly waitingFor: string;
  /** That runs, while the code is pulled. */
  readonly pullStep: RunningStep | null;
  /** Why it is being ended early. */
  readonly stopping: StopReason | null;
}

/** What a snapshot of one run is made of. */
export interface RunInHand extends ObservedRun {
  readonly control: RunControl;
  readonly takenAt: number;
}

export function runSnapshot(run: RunInHand): RunSnapshot {
  const { flowRun, timings, control } = run;
  const facts = timings?.facts;
  return {
    id: flowRun.id,
    name: flowRun.name,
    deploymentId: flowRun.deployment_id ?? null,
    deploymentName: facts?.deploymentName ?? null,
    flowName: facts?.flowName ?? null,
    phase: timings?.phase ?? "adopted",
    takenAt: run.takenAt,
    phaseSince: timings?.since ?? run.takenAt,
    waitingFor: waitingFor(run),
    pullStep: timings?.phase === "pull" ? (facts?.pullStep ?? null) : null,
    stopping: control.reason ?? null,
  };
}

const STOPPING: Readonly<Record<StopReason, string>> = {
  cancel: "cancelled",
  "hand-back": "handed back",
  reschedule: "handed back",
  relinquish: "left to its infrastructure",
  end: "ended",
};

function waitingFor({ control, timings }: RunInHand): string {
  if (timings?.isStuck === true) return "the Prefect API, which does not answer";
  const { infrastructureId: id, reason } = control;
  const end = `the end of ${infrastructureName(id)}${reason === undefined ? "" : `, which is being ${STOPPING[reason]}`}`;
  switch (timings?.phase) {
    case "claim":
      return "the server's answer to the claim";
    case "resolve":
      return "deployment, blocks and variables from the API";
    case "pull":
      return pullStepName(timings.facts.pullStep);
    case "launch":
      return "the start of its process";
    case "run":
      return end;
    case "report":
      return "the API to take its final state";
    case undefined:
      return id === undefined ? "its state, to settle what an earlier worker left" : end;
  }
}

function pullStepName(step: RunningStep | undefined): string {
  return step === undefined ? "its code" : `pull step ${step.number} of ${step.count} (${step.name})`;
}

/** An identifier is a pid, or the address of an engine and the id of a container. */
function infrastructureName(id: string | undefined): string {
  if (id === undefined) return "its process";
  const container = /:([0-9a-f]{12})[0-9a-f]{52}$/.exec(id)?.[1];
  if (container !== undefined) return `container ${container}`;
  return /^\d+$/.test(id) ? `process ${id}` : id;
}
