import type { FlowRun } from "../api/types.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { Announcements } from "./announcements.ts";
import type { WorkerApi } from "./ports.ts";
import type { Runs } from "./runs.ts";

export interface PollerOptions {
  readonly api: Pick<WorkerApi, "getScheduledFlowRuns">;
  readonly clock: Clock;
  readonly runs: Runs;
  readonly announcements: Announcements;
  readonly workPoolName: string;
  readonly workQueues: readonly string[];
  readonly prefetchMs: number;
}

// The server's own maximum (protocol §1.5).
const PAGE_SIZE = 200;
// How long a run that was refused is left alone; the server reschedules one that waits for a slot by 30 s itself.
const REFUSED_PAUSE_MS = 15_000;

/**
 * Asks for due runs and submits them in the server's order, which is that of the queues' priorities (protocol §1.5).
 * A poll is no claim: runs in hand are skipped, and what finds no slot stays with the server.
 */
export class Poller {
  readonly #options: PollerOptions;
  readonly #refusedUntil = new Map<string, number>();
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

  refused(flowRun: FlowRun): void {
    this.#refusedUntil.set(flowRun.id, this.#options.clock.now() + REFUSED_PAUSE_MS);
  }

  /** One poll. Returns after how many milliseconds to poll again when the ordinary interval is too long. */
  async poll(signal: AbortSignal): Promise<number | undefined> {
    const { api, clock, runs, workPoolName, workQueues, prefetchMs } = this.#options;
    const now = clock.now();
    const found = await api.getScheduledFlowRuns(
      workPoolName,
      { workQueueNames: workQueues, scheduledBefore: new Date(now + prefetchMs) },
      { signal },
    );
    this.#lastPollAt = clock.now();
    this.#forgetRefusals(now);
    this.#hasLeftovers = false;
    let submitted = 0;
    for (const { flow_run: flowRun } of found) {
      if (signal.aborted) return undefined;
      if (runs.has(flowRun.id) || this.#refusedUntil.has(flowRun.id)) continue;
      if (!runs.submit(flowRun)) {
        this.#hasLeftovers = true;
        break;
      }
      submitted += 1;
    }
    const againMs = this.#options.announcements.afterPoll(new Set(found.map((item) => item.flow_run.id)));
    // A full page may hide more behind it.
    return found.length >= PAGE_SIZE && submitted > 0 && !this.#hasLeftovers ? 0 : againMs;
  }

  #forgetRefusals(now: number): void {
    for (const [flowRunId, until] of this.#refusedUntil)
      if (until <= now) this.#refusedUntil.delete(flowRunId);
  }
}
