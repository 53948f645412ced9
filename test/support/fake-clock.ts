import type { Clock } from "../../src/lifecycle/clock.ts";

interface Sleeper {
  readonly wakeAt: number;
  readonly wake: () => void;
}

/** A clock that only moves when told to. `advance` wakes sleepers in order and lets each run before the next. */
export class FakeClock implements Clock {
  #now: number;
  #sleepers: Sleeper[] = [];
  #waiting: (() => void)[] = [];

  constructor(start = 0) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const sleeper = { wakeAt: this.#now + Math.max(0, ms), wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener(
        "abort",
        () => {
          this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
          reject(signal.reason as Error);
        },
        { once: true },
      );
      for (const notify of this.#waiting.splice(0)) notify();
    });
  }

  /** Resolves once somebody sleeps: then nothing else will happen until the clock moves. */
  async sleeping(): Promise<void> {
    while (this.#sleepers.length === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Milliseconds until the next sleeper wakes. */
  get nextWakeMs(): number | undefined {
    const earliest = Math.min(...this.#sleepers.map((sleeper) => sleeper.wakeAt));
    return Number.isFinite(earliest) ? earliest - this.#now : undefined;
  }

  /** Moves the time of day alone, as when the machine has slept: nobody wakes before their rest of sleep is over. */
  jump(ms: number): void {
    this.#now += ms;
    this.#sleepers = this.#sleepers.map(({ wakeAt, wake }) => ({ wakeAt: wakeAt + ms, wake }));
  }

  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    for (;;) {
      const next = this.#sleepers
        .filter((sleeper) => sleeper.wakeAt <= until)
        .toSorted((a, b) => a.wakeAt - b.wakeAt)[0];
      if (next === undefined) break;
      this.#now = Math.max(this.#now, next.wakeAt);
      this.#sleepers = this.#sleepers.filter((sleeper) => sleeper !== next);
      next.wake();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#now = until;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
