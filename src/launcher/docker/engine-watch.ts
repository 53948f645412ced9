import { coerceError, WorkerError } from "../../errors.ts";

import type { Clock } from "../../lifecycle/clock.ts";
import type { Logger } from "../../log/logger.ts";

const FIRST_WAIT_MS = 200;
const MAX_WAIT_MS = 5000;

/** Waits for an engine that is away, and says so once per outage, however many containers wait for it. */
export class EngineWatch {
  readonly #clock: Clock;
  readonly #logger: Logger | undefined;
  #awaySince: number | undefined;

  constructor(clock: Clock, logger: Logger | undefined) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /**
   * Calls until the engine answers, for `patienceMs` at most. A refusal that trying again cannot mend is thrown at once, the
   * signal's reason when it is aborted.
   */
  async patiently<T>(
    call: () => Promise<T>,
    { signal, patienceMs = Infinity }: { signal?: AbortSignal | undefined; patienceMs?: number } = {},
  ): Promise<T> {
    const startedAt = this.#clock.monotonic();
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, MAX_WAIT_MS)) {
      try {
        const result = await call();
        this.#answered();
        return result;
      } catch (thrown) {
        signal?.throwIfAborted();
        const error = coerceError(thrown);
        const isOver = this.#clock.monotonic() - startedAt + waitMs > patienceMs;
        if (!(error instanceof WorkerError) || !error.retryable || isOver) throw error;
        this.#failed(error);
        await this.#clock.sleep(waitMs, signal);
      }
    }
  }

  #failed(err: WorkerError): void {
    if (this.#awaySince !== undefined) return;
    this.#awaySince = this.#clock.monotonic();
    this.#logger?.error({ err }, "The Docker engine does not answer; the worker keeps trying");
  }

  #answered(): void {
    if (this.#awaySince === undefined) return;
    const seconds = Math.round((this.#clock.monotonic() - this.#awaySince) / 1000);
    this.#awaySince = undefined;
    this.#logger?.info({ seconds }, `The Docker engine answers again after ${seconds} s`);
  }
}
