import { coerceError } from "../errors.ts";

type Finaliser = () => unknown;

/**
 * Owns what must end together: child tasks, an abort signal, and finalisers.
 *
 * The first task that fails unexpectedly aborts its siblings. `close()` aborts the signal, waits for all tasks, runs the
 * finalisers last-in-first-out, and throws what failed (one error as it is, several as an AggregateError).
 */
export class Scope {
  readonly #controller = new AbortController();
  readonly #tasks = new Set<Promise<void>>();
  readonly #finalisers: Finaliser[] = [];
  readonly #errors: Error[] = [];
  #closing: Promise<void> | undefined;

  constructor(parent?: AbortSignal) {
    if (parent === undefined) return;
    const abort = (): void => this.#controller.abort(parent.reason);
    if (parent.aborted) abort();
    parent.addEventListener("abort", abort, { once: true });
    this.defer(() => parent.removeEventListener("abort", abort));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Runs when the scope closes, after all tasks have ended; last registered first. */
  defer(finaliser: Finaliser): void {
    this.#finalisers.push(finaliser);
  }

  /** Starts a child task. An error that is not the echo of this scope's own abort ends the whole scope. */
  task(name: string, run: (signal: AbortSignal) => Promise<unknown>): void {
    const task = (async () => {
      try {
        await run(this.signal);
      } catch (thrown) {
        if (
          this.signal.aborted &&
          (thrown === this.signal.reason || coerceError(thrown).name === "AbortError")
        )
          return;
        const error = coerceError(thrown);
        this.#errors.push(error);
        this.#controller.abort(new Error(`${name} failed: ${error.message}`, { cause: error }));
      }
    })();
    this.#tasks.add(task);
    void task.finally(() => this.#tasks.delete(task));
  }

  /** Asks all tasks to end without waiting for them. */
  abort(reason?: Error): void {
    this.#controller.abort(reason);
  }

  /** Waits until every task has ended by itself. */
  async idle(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#controller.abort(new DOMException("The scope was closed", "AbortError"));
    await this.idle();
    for (const finaliser of this.#finalisers.toReversed()) {
      try {
        await finaliser();
      } catch (thrown) {
        this.#errors.push(coerceError(thrown));
      }
    }
    const [first, ...rest] = this.#errors;
    if (first === undefined) return;
    throw rest.length === 0 ? first : new AggregateError(this.#errors, first.message);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
