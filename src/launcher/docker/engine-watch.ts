import { EngineStatusError, isEngineAway } from "../../docker/engine-errors.ts";
import { coerceError } from "../../errors.ts";

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
   * Calls until the engine answers. With `patienceMs` it may be away for that long, and a refusal is final; without, an
   * engine that has troubles of its own (5xx) is asked again, too. Rejects with the signal's reason when it is aborted.
   */
  async patiently<T>(
    call: () => Promise<T>,
    { signal, patienceMs = Infinity }: { signal?: AbortSignal | undefined; patienceMs?: number } = {},
  ): Promise<T> {
    let awaySince: number | undefined;
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, MAX_WAIT_MS)) {
      const calledAt = this.#clock.monotonic();
      try {
        const result = await call();
        this.#answered();
        return result;
      } catch (thrown) {
        signal?.throwIfAborted();
        const now = this.#clock.monotonic();
        // A long call, such as the pull of an image, shows that it was there.
        if (awaySince === undefined || now - calledAt > MAX_WAIT_MS) awaySince = now;
        const error = coerceError(thrown);
        const isPassing =
          isEngineAway(error) ||
          (patienceMs === Infinity && error instanceof EngineStatusError && error.retryable);
        if (!isPassing || now - awaySince + waitMs > patienceMs) throw error;
        this.#failed(error);
        await this.#clock.sleep(waitMs, signal);
      }
    }
  }

  #failed(err: Error): void {
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
