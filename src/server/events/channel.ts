type Listener<T> = (items: readonly T[]) => void;

/** Hands what happened to whoever listens, in the same process. */
export class Channel<T> {
  readonly #listeners = new Set<Listener<T>>();

  /** A listener must not throw. */
  publish(items: readonly T[]): void {
    if (items.length === 0) return;
    for (const listener of this.#listeners) listener(items);
  }

  /** Returns what ends the subscription. */
  subscribe(listener: Listener<T>): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  get hasListeners(): boolean {
    return this.#listeners.size > 0;
  }
}
