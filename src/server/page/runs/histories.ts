import { call, isReachable } from "../api/client.ts";
import { Store } from "../live/store.ts";
import { instantOf } from "../time/duration.ts";
import { pullStepOf, stateEntryOf } from "./phases.ts";

import type { FlowRun, LiveEvent, RunState, StateType } from "../api/types.ts";
import type { PullStep, StateEntry } from "./phases.ts";

interface History {
  readonly states: readonly StateEntry[];
  readonly pulls: readonly PullStep[];
  /** Whether it has to be read (again). */
  readonly isStale: boolean;
}

const PARALLEL = 4;
const MOST = 5000;
const PULL_EVENTS = ["prefect.flow-run.pull-step.executed", "prefect.flow-run.pull-step.failed"];
const EVENT_PAGE = 50;

/**
 * The states and pull steps of the runs that are in view: read once a run, kept up by the events. Only runs that are seen are
 * read, the ones seen last first.
 */
export class Histories {
  /** Goes up whenever something has changed. */
  readonly version = new Store(0);
  readonly #known = new Map<string, History>();
  #wanted: readonly FlowRun[] = [];
  #reading = new Set<string>();
  #isClosed = false;
  readonly #hasPullSteps: (run: FlowRun) => boolean;

  /** `hasPullSteps` spares the question for the pull steps of deployments that have none. */
  constructor(hasPullSteps: (run: FlowRun) => boolean) {
    this.#hasPullSteps = hasPullSteps;
  }

  get(id: string): History | undefined {
    return this.#known.get(id);
  }

  /** Names the runs that are in view. */
  want(runs: readonly FlowRun[]): void {
    this.#wanted = runs;
    this.#readOn();
  }

  /** Everything may be out of date, after a lost connection. */
  markStale(): void {
    for (const [id, history] of this.#known) this.#known.set(id, { ...history, isStale: true });
    this.#readOn();
  }

  /** Takes over what events tell of runs that are known. */
  apply(events: readonly LiveEvent[]): void {
    let hasChanged = false;
    for (const event of events) {
      const id = event.resource["prefect.resource.id"]?.slice("prefect.flow-run.".length) ?? "";
      const history = this.#known.get(id);
      if (history === undefined) continue;
      hasChanged = true;
      const pull = pullStepOf(event);
      if (pull !== undefined) this.#known.set(id, { ...history, pulls: [...history.pulls, pull] });
      else this.#known.set(id, withState(history, event));
    }
    if (hasChanged) this.#changed();
  }

  close(): void {
    this.#isClosed = true;
    this.#wanted = [];
  }

  #readOn(): void {
    // While the server is away, nothing; the next connection marks everything stale.
    if (this.#isClosed || !isReachable.value) return;
    for (const run of this.#wanted) {
      if (this.#reading.size >= PARALLEL) return;
      const history = this.#known.get(run.id);
      const isUpToDate =
        history !== undefined &&
        !history.isStale &&
        (run.state === null || history.states.some(({ id }) => id === run.state?.id));
      if (isUpToDate || this.#reading.has(run.id)) continue;
      this.#reading.add(run.id);
      void this.#read(run).finally(() => {
        this.#reading.delete(run.id);
        this.#readOn();
      });
    }
  }

  async #read(run: FlowRun): Promise<void> {
    try {
      const [states, pulls] = await Promise.all([
        readStates(run.id),
        this.#hasPullSteps(run) ? readPulls(run.id) : [],
      ]);
      if (this.#known.size >= MOST) this.#known.delete(this.#known.keys().next().value ?? "");
      this.#known.set(run.id, { states, pulls, isStale: false });
    } catch {
      // Without a history the run's own times are drawn; a read that failed is tried again after the next connection.
      this.#known.set(run.id, { states: stateOfRun(run), pulls: [], isStale: false });
    }
    this.#changed();
  }

  #changed(): void {
    if (!this.#isClosed) this.version.set(this.version.value + 1);
  }
}

/** All states of a run, in the order of time. */
async function readStates(runId: string): Promise<StateEntry[]> {
  const states = await call<readonly RunState[]>("GET", `/flow_run_states/?flow_run_id=${runId}`);
  return states.map((state) => stateEntryOf(state));
}

/** The pull steps of a run that have ended. */
export async function readPulls(runId: string): Promise<PullStep[]> {
  const { events } = await call<{ readonly events: readonly LiveEvent[] }>("POST", "/events/filter", {
    filter: {
      event: { name: PULL_EVENTS },
      resource: { id: [`prefect.flow-run.${runId}`] },
      order: "ASC",
    },
    limit: EVENT_PAGE,
  });
  return events.flatMap((event) => pullStepOf(event) ?? []);
}

function stateOfRun({ state }: FlowRun): StateEntry[] {
  return state === null ? [] : [stateEntryOf(state)];
}

function withState(history: History, { id, resource, occurred }: LiveEvent): History {
  const type = resource["prefect.state-type"] as StateType | undefined;
  if (type === undefined || history.states.some((state) => state.id === id)) return history;
  const state: StateEntry = {
    id,
    type,
    name: resource["prefect.state-name"] ?? "",
    at: instantOf(resource["prefect.state-timestamp"] ?? occurred) ?? 0,
    dueAt: undefined,
  };
  // An event does not say when a SCHEDULED run is due.
  return { ...history, states: [...history.states, state], isStale: history.isStale || type === "SCHEDULED" };
}
