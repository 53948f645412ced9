import type { CallOptions } from "../api/http.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { Announcements } from "./announcements.ts";
import type { WorkerObserver } from "./observer.ts";
import type { WorkerApi } from "./ports.ts";
import type { Runs } from "./runs.ts";

export interface PollerOptions {
  readonly api: Pick<WorkerApi, "getScheduledFlowRuns">;
  readonly clock: Clock;
  readonly runs: Runs;
  readonly observer: Pick<Required<WorkerObserver>, "polled">;
  readonly announcements: Announcements;
  readonly workPoolName: string;
  readonly workQueues: readonly string[];
  readonly prefetchMs: number;
  /** Whether a run that is claimed now can be started; asked only when there is one. */
  readonly canLaunch: () => Promise<boolean>;
}

// The server's own maximum (protocol §1.5).
const PAGE_SIZE = 200;
// How long a run that was refused is left alone; the server reschedules one that waits for a slot by 30 s itself.
const REFUSED_PAUSE_MS = 15_000;
// A run that came back unclaimed is tried again at once, then after this, doubled each time.
const RETURNED_PAUSE_MS = 1000;
const MAX_RETURNED_PAUSE_MS = 60_000;
// A run that has not come back for this long starts anew.
const FORGET_MS = 300_000;

interface Pause {
  readonly until: number;
  /** How often the run came back. */
  readonly returns: number;
}

/**
 * Asks for due runs and submits them in the server's order, which is that of the queues' priorities (protocol §1.5).
 * A poll is no claim: runs in hand are skipped, and what finds no slot stays with the server.
 */
export class Poller {
  readonly #options: PollerOptions;
  readonly #pauses = new Map<string, Pause>();
  #lastPollAt: number | null = null;
  #hasLeftovers = false;

  constructor(options: PollerOptions) {
    this.#options = options;
  }

  /** Wall clock of the last successful poll. */
  get lastPollAt(): number | null {
    return this.#lastPollAt;
  }

  /** True when the last poll showed runs for which there was no slot. */
  get hasLeftovers(): boolean {
    return this.#hasLeftovers;
  }

  /** The server did not let it start: leaves it alone for a while. */
  onRefused(flowRunId: string): void {
    this.#pauses.set(flowRunId, { until: this.#options.clock.now() + REFUSED_PAUSE_MS, returns: 0 });
  }

  /** It is due as before: tries again at once, and ever more seldom when it keeps coming back. */
  onReturned(flowRunId: string): void {
    const { returns = 0 } = this.#pauses.get(flowRunId) ?? {};
    const pauseMs = returns === 0 ? 0 : RETURNED_PAUSE_MS * 2 ** (returns - 1);
    const until = this.#options.clock.now() + Math.min(pauseMs, MAX_RETURNED_PAUSE_MS);
    this.#pauses.set(flowRunId, { until, returns: returns + 1 });
  }

  /** One poll. Returns after how many milliseconds to poll again when the ordinary interval is too long. */
  async poll(call: CallOptions & { readonly signal: AbortSignal }): Promise<number | undefined> {
    const { signal } = call;
    const { api, clock, runs, workPoolName, workQueues, prefetchMs, canLaunch } = this.#options;
    const now = clock.now();
    const startedAt = clock.monotonic();
    const found = await api.getScheduledFlowRuns(
      workPoolName,
      { workQueueNames: workQueues, scheduledBefore: new Date(now + prefetchMs) },
      call,
    );
    this.#lastPollAt = clock.now();
    this.#options.observer.polled(found.length, clock.monotonic() - startedAt);
    this.#forgetPauses(now);
    this.#hasLeftovers = false;
    let canLaunchNow: boolean | undefined;
    let submitted = 0;
    let againMs = this.#options.announcements.afterPoll(new Set(found.map((item) => item.flow_run.id)));
    for (const { flow_run: flowRun } of found) {
      if (signal.aborted) return undefined;
      if (runs.has(flowRun.id)) continue;
      const pauseMs = (this.#pauses.get(flowRun.id)?.until ?? 0) - now;
      if (pauseMs > 0) {
        againMs = Math.min(againMs ?? Infinity, pauseMs);
        continue;
      }
      canLaunchNow ??= await canLaunch();
      if (!canLaunchNow) break;
      if (runs.submit(flowRun)) {
        submitted += 1;
      } else {
        this.#hasLeftovers = true;
        break;
      }
    }
    // A full page may hide more behind it.
    return found.length >= PAGE_SIZE && submitted > 0 && !this.#hasLeftovers ? 0 : againMs;
  }

  #forgetPauses(now: number): void {
    for (const [flowRunId, { until }] of this.#pauses)
      if (until + FORGET_MS <= now) this.#pauses.delete(flowRunId);
  }
}
