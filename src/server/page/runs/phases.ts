import { instantOf } from "../time/duration.ts";

import type { FlowRun, JsonObject, LiveEvent, StateType } from "../api/types.ts";

/**
 * What a run did with its time. `late`: due, and nobody has taken it. `pending`: taken by a worker, being prepared or being
 * started. `pulling`: its code is being fetched. `waiting`: put off on purpose (a retry, a free slot, a pause).
 */
export type Phase = "late" | "pending" | "pulling" | "running" | "waiting" | "cancelling";

export interface Segment {
  readonly phase: Phase;
  /** Milliseconds. */
  readonly from: number;
  /** Undefined: it goes on. */
  readonly to: number | undefined;
}

/** One state of a run's history. */
export interface StateEntry {
  readonly id: string;
  readonly type: StateType;
  readonly name: string;
  readonly at: number;
  /** When a SCHEDULED state is due. */
  readonly dueAt: number | undefined;
}

/** The end of one pull step, from its event. */
export interface PullStep {
  readonly index: number;
  readonly at: number;
  readonly hasFailed: boolean;
}

/** Everything that the phases follow from. */
export interface RunHistory {
  /** In the order of time. */
  readonly states: readonly StateEntry[];
  /** In the order of time. */
  readonly pulls: readonly PullStep[];
  /** How many pull steps the deployment has; 0 when it has none or is not known. */
  readonly pullStepCount: number;
}

/**
 * The phases of a run from its states and its pull steps' events.
 *
 * Prefect has no state for the pulling. Workers since 3.6.22 and ours say PENDING "Submitting" when they begin with it, and
 * each step that ends is an event (protocol §2.1, §2.5): so it goes from that state to the last step's event. Without events
 * it can be seen only while it lasts, for a deployment that has steps; older workers never say "Submitting", then it is
 * counted from PENDING.
 */
export function phasesOf(history: RunHistory, nowMs: number): Segment[] {
  const { states } = history;
  const segments: Segment[] = [];
  for (let index = 0; index < states.length; index += 1) {
    const state = states[index];
    if (state === undefined) continue;
    const next = states[index + 1]?.at;
    switch (state.type) {
      case "SCHEDULED":
        segments.push(...scheduledPhases(state, next, index === 0, nowMs));
        break;
      case "PENDING":
        // A claim and its "Submitting" are looked at together, at the first of them.
        if (states[index - 1]?.type !== "PENDING") segments.push(...pendingPhases(history, index));
        break;
      case "RUNNING":
        segments.push({ phase: "running", from: state.at, to: next });
        break;
      case "PAUSED":
        segments.push({ phase: "waiting", from: state.at, to: next });
        break;
      case "CANCELLING":
        segments.push({ phase: "cancelling", from: state.at, to: next });
        break;
      default:
      // A final state takes no time.
    }
  }
  return joined(segments);
}

/** The phases as far as the run itself tells them, until its history is there. */
export function roughPhasesOf(
  run: Pick<FlowRun, "expected_start_time" | "start_time" | "end_time" | "state_type">,
  nowMs: number,
): Segment[] {
  const expected = instantOf(run.expected_start_time);
  const start = instantOf(run.start_time);
  const end = instantOf(run.end_time);
  const segments: Segment[] = [];
  const isOver = end !== undefined;
  if (expected !== undefined && expected < (start ?? end ?? nowMs)) {
    const phase = run.state_type === "PENDING" ? "pending" : "late";
    segments.push({ phase, from: expected, to: start ?? end });
  }
  if (start !== undefined && (!isOver || end > start)) {
    segments.push({ phase: "running", from: start, to: end });
  }
  return segments;
}

/** Milliseconds by phase; what goes on counts up to now. */
export function phaseTotals(segments: readonly Segment[], nowMs: number): Map<Phase, number> {
  const totals = new Map<Phase, number>();
  for (const { phase, from, to } of segments) {
    totals.set(phase, (totals.get(phase) ?? 0) + Math.max(0, (to ?? nowMs) - from));
  }
  return totals;
}

function scheduledPhases(
  state: StateEntry,
  next: number | undefined,
  isFirst: boolean,
  nowMs: number,
): Segment[] {
  const due = state.dueAt ?? state.at;
  const end = next ?? nowMs;
  const segments: Segment[] = [];
  // Before its first due time a run has not begun with anything.
  if (due > state.at && !isFirst) {
    segments.push({ phase: "waiting", from: state.at, to: due >= end ? next : due });
  }
  if (due < end) segments.push({ phase: "late", from: Math.max(state.at, due), to: next });
  return segments;
}

function pendingPhases({ states, pulls, pullStepCount }: RunHistory, first: number): Segment[] {
  let last = first;
  while (states[last + 1]?.type === "PENDING") last += 1;
  const from = states[first]?.at ?? 0;
  const to = states[last + 1]?.at;
  const submitted = states.slice(first, last + 1).find(({ name }) => name === "Submitting")?.at;
  const steps = stepsOfAttempt(pulls, states, first, last);
  const lastStep = steps.at(-1);
  if (lastStep === undefined) {
    if (to !== undefined || pullStepCount === 0 || submitted === undefined) {
      return [{ phase: "pending", from, to }];
    }
    return [
      { phase: "pending", from, to: submitted },
      { phase: "pulling", from: submitted, to: undefined },
    ];
  }
  // Events carry the worker's clock, states the server's.
  const inside = (at: number): number => Math.max(from, Math.min(at, to ?? Infinity));
  const isPulled =
    to !== undefined || steps.some(({ hasFailed, index }) => hasFailed || index >= pullStepCount - 1);
  const pullFrom = inside(Math.min(submitted ?? from, steps[0]?.at ?? from));
  const pullTo = isPulled ? inside(lastStep.at) : undefined;
  return [
    { phase: "pending", from, to: pullFrom },
    { phase: "pulling", from: pullFrom, to: pullTo },
    ...(pullTo === undefined ? [] : [{ phase: "pending" as const, from: pullTo, to }]),
  ];
}

// A run that is tried again pulls again: what ended after the next claim belongs to that.
function stepsOfAttempt(
  pulls: readonly PullStep[],
  states: readonly StateEntry[],
  first: number,
  last: number,
): PullStep[] {
  const isFirst = !states.slice(0, first).some(({ type }) => type === "PENDING");
  const begin = isFirst ? -Infinity : (states[first]?.at ?? -Infinity);
  const end = states.slice(last + 1).find(({ type }) => type === "PENDING")?.at ?? Infinity;
  return pulls.filter(({ at }) => at >= begin && at < end);
}

function joined(segments: readonly Segment[]): Segment[] {
  const result: Segment[] = [];
  for (const segment of segments) {
    if (segment.to !== undefined && segment.to <= segment.from) continue;
    const last = result.at(-1);
    if (last !== undefined && last.phase === segment.phase && last.to === segment.from) {
      result[result.length - 1] = { ...last, to: segment.to };
    } else result.push(segment);
  }
  return result;
}

/** A state of the API as an entry of the history. */
export function stateEntryOf(state: {
  readonly id: string;
  readonly type: StateType;
  readonly name: string;
  readonly timestamp: string;
  readonly state_details: { readonly scheduled_time?: string | null };
}): StateEntry {
  return {
    id: state.id,
    type: state.type,
    name: state.name,
    at: instantOf(state.timestamp) ?? 0,
    dueAt: instantOf(state.state_details.scheduled_time),
  };
}

/** The end of a pull step from its event; undefined for any other event. */
export function pullStepOf({ event, occurred, payload }: LiveEvent): PullStep | undefined {
  if (!event.startsWith(PULL_STEP)) return undefined;
  return {
    index: indexIn(payload),
    at: instantOf(occurred) ?? 0,
    hasFailed: event === `${PULL_STEP}failed`,
  };
}

const PULL_STEP = "prefect.flow-run.pull-step.";

function indexIn(payload: JsonObject): number {
  const { index } = payload;
  return typeof index === "number" ? index : 0;
}
