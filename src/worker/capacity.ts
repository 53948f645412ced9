import { coerceError } from "../errors.ts";

/** A slot; releasing it twice is harmless. */
export interface Slot {
  release(): void;
}

/** The worker's own limit (`--limit`): a slot is held from a run's submission until its end. */
export class Capacity {
  readonly limit: number | null;
  #inUse = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number | null) {
    this.limit = limit;
  }

  get inUse(): number {
    return this.#inUse;
  }

  get free(): number {
    return this.limit === null ? Infinity : this.limit - this.#inUse;
  }

  /** Null when all slots are taken. */
  tryAcquire(): Slot | null {
    return this.free <= 0 ? null : this.#take();
  }

  /** Waits for a slot, before all who only try. Rejects with the signal's reason when it is aborted. */
  async acquire(signal: AbortSignal): Promise<Slot> {
    signal.throwIfAborted();
    if (this.free > 0) return this.#take();
    return await new Promise((resolve, reject) => {
      const take = (): void => {
        signal.removeEventListener("abort", leave);
        resolve(this.#take());
      };
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(take), 1);
        reject(coerceError(signal.reason));
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.push(take);
    });
  }

  #take(): Slot {
    this.#inUse += 1;
    let isHeld = true;
    return {
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#inUse -= 1;
        this.#waiting.shift()?.();
      },
    };
  }
}
