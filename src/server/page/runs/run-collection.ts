import { instantOf } from "../time/duration.ts";

import type { FlowRun } from "../api/types.ts";

/**
 * Runs by their expected start, the latest first, as they come in pages and one by one. Pages go on from the time of the
 * last run, not from its position, so that new runs at the top shift nothing.
 */
export class RunCollection {
  readonly #runs = new Map<string, FlowRun>();
  #sorted: readonly FlowRun[] | undefined;

  get sorted(): readonly FlowRun[] {
    this.#sorted ??= [...this.#runs.values()].toSorted(
      (a, b) => (startOf(b) ?? 0) - (startOf(a) ?? 0) || (a.id < b.id ? 1 : -1),
    );
    return this.#sorted;
  }

  get(id: string): FlowRun | undefined {
    return this.#runs.get(id);
  }

  /** Adds runs, or takes over how they are now. */
  put(runs: readonly FlowRun[]): void {
    if (runs.length === 0) return;
    for (const run of runs) this.#runs.set(run.id, run);
    this.#sorted = undefined;
  }

  /** Drops runs; unknown ids are ignored. */
  remove(ids: Iterable<string>): void {
    for (const id of ids) if (this.#runs.delete(id)) this.#sorted = undefined;
  }

  /**
   * Where the page after one ends: `before_` is the expected start of its last run, `offset` how many of its runs have
   * exactly that one.
   */
  static nextPage(
    page: readonly FlowRun[],
  ): { readonly before: string; readonly offset: number } | undefined {
    const before = page.at(-1)?.expected_start_time;
    if (before === null || before === undefined) return undefined;
    return { before, offset: page.filter((run) => run.expected_start_time === before).length };
  }
}

/** When a run was to start, in milliseconds. */
export function startOf(run: FlowRun): number | undefined {
  return instantOf(run.expected_start_time ?? run.start_time ?? run.created);
}

/** Whether some of the run lies in a span of time. */
export function touches(run: FlowRun, from: number, to: number, nowMs: number): boolean {
  const start = startOf(run) ?? 0;
  const end = instantOf(run.end_time) ?? Math.max(nowMs, start);
  return start <= to && end >= from;
}
