/**
 * Runs that the server has announced but no poll has shown yet. The announcement can overtake the run's own transaction, so
 * a poll that comes back without it is repeated a few times, quickly; later ones are left to the ordinary poll.
 */
export class Announcements {
  // A run scheduled for later is announced as well and not shown: the repeats must end soon.
  static readonly RETRY_DELAYS_MS: readonly number[] = [25, 75, 200, 600];

  readonly #attempts = new Map<string, number>();

  add(flowRunId: string): void {
    this.#attempts.set(flowRunId, 0);
  }

  /** Takes note of a poll's answer; returns how soon to poll again, or undefined when nothing is outstanding. */
  afterPoll(shown: ReadonlySet<string>): number | undefined {
    let soonestMs: number | undefined;
    for (const [flowRunId, attempts] of this.#attempts) {
      const delayMs = Announcements.RETRY_DELAYS_MS[attempts];
      if (shown.has(flowRunId) || delayMs === undefined) {
        this.#attempts.delete(flowRunId);
        continue;
      }
      this.#attempts.set(flowRunId, attempts + 1);
      soonestMs = Math.min(soonestMs ?? delayMs, delayMs);
    }
    return soonestMs;
  }
}
