/** A slot; releasing it twice is harmless. */
export interface Slot {
  release(): void;
}

/** The worker's own limit (`--limit`): a slot is held from a run's submission until its end. */
export class Capacity {
  readonly limit: number | null;
  #inUse = 0;

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
    if (this.free <= 0) return null;
    this.#inUse += 1;
    let isHeld = true;
    return {
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#inUse -= 1;
      },
    };
  }
}
