import type { Clock } from "../lifecycle/clock.ts";

export type Phase = "claim" | "resolve" | "pull" | "launch" | "run" | "report";

/** Where a run's time went. */
export class Timings {
  readonly #clock: Clock;
  readonly #spent = new Map<Phase, number>();
  #phase: Phase;
  #since: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#phase = "claim";
    this.#since = clock.monotonic();
  }

  get phase(): Phase {
    return this.#phase;
  }

  enter(phase: Phase): void {
    const now = this.#clock.monotonic();
    this.#spent.set(this.#phase, (this.#spent.get(this.#phase) ?? 0) + now - this.#since);
    this.#phase = phase;
    this.#since = now;
  }

  /** Milliseconds by phase; the current phase counts up to now. */
  milliseconds(): Partial<Record<Phase, number>> {
    this.enter(this.#phase);
    return Object.fromEntries([...this.#spent].map(([phase, ms]) => [phase, Math.round(ms)]));
  }

  /** `claim 0.03s, pull 1.20s, run 4.10s` */
  text(): string {
    return Object.entries(this.milliseconds())
      .map(([phase, ms]) => `${phase} ${(ms / 1000).toFixed(2)}s`)
      .join(", ");
  }
}
