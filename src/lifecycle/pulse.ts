import type { Clock } from "./clock.ts";

/**
 * By when a loop will be heard of again. A loop promises it at every turn, so whoever keeps watch can tell one that sleeps
 * or waits for an answer from one that hangs, however long its intervals are.
 */
export class Pulse {
  readonly #clock: Pick<Clock, "monotonic">;
  #dueAt = Infinity;

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  /** The next sign of life comes within `ms`. */
  promise(ms: number): void {
    this.#dueAt = this.#clock.monotonic() + ms;
  }

  /** Nothing more will be heard, and that is right. */
  end(): void {
    this.#dueAt = Infinity;
  }

  /** Milliseconds since a sign of life that was promised and did not come; 0 while all is well. */
  get lateMs(): number {
    return Math.max(0, this.#clock.monotonic() - this.#dueAt);
  }
}
