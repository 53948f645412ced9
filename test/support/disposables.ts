/** Closes what a `beforeAll` opened, last opened first. */
export class AsyncDisposables {
  readonly #closers: (() => unknown)[] = [];

  use<T extends AsyncDisposable>(resource: T): T {
    this.#closers.push(() => resource[Symbol.asyncDispose]());
    return resource;
  }

  defer(close: () => unknown): void {
    this.#closers.push(close);
  }

  async dispose(): Promise<void> {
    const errors: unknown[] = [];
    for (const close of this.#closers.splice(0).toReversed()) {
      try {
        await close();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, "Not everything could be closed");
  }
}
