import { coerceError } from "../../errors.ts";
import { EngineStatusError, isEngineAway } from "../../docker/engine-errors.ts";

import type { DockerEngine } from "../../docker/engine.ts";
import type { Clock } from "../../lifecycle/clock.ts";
import type { Logger } from "../../log/logger.ts";

const FIRST_WAIT_MS = 200;
const MAX_WAIT_MS = 5000;
/** An engine that was heard of so lately is not asked whether it is there. */
const FRESH_MS = 5000;
/** How often an outage is spoken of. */
const REMIND_MS = 5 * 60_000;

export interface EngineWatchOptions {
  readonly engine: DockerEngine;
  readonly clock: Clock;
  readonly logger: Logger | undefined;
  /** Called when an engine that was away answers again. */
  readonly onBack: () => void;
  /** Ends the watch. */
  readonly closing: AbortSignal;
}

export interface PatienceOptions {
  readonly signal?: AbortSignal | undefined;
  /** How long the engine may be away. Without, it is waited for without end, also one that has troubles of its own (5xx). */
  readonly patienceMs?: number;
  /** Whom it is about, for the log. */
  readonly container?: string;
}

/**
 * Knows whether the engine is there. It waits for one that is away, and says so once per outage and every few minutes, however
 * many containers wait for it.
 */
export class EngineWatch {
  readonly #options: EngineWatchOptions;
  #away: { readonly since: number; readonly message: string } | undefined;
  #asking: Promise<boolean> | undefined;
  #heardAt = -Infinity;
  /** Requests that the engine answers with errors of its own. */
  readonly #troubled = new Set<object>();
  #troublesToldAt = -Infinity;

  constructor(options: EngineWatchOptions) {
    this.#options = options;
  }

  /** Why no container can be started, as far as is known; null when nothing is. */
  get obstacle(): string | null {
    return this.#away?.message ?? null;
  }

  /** Whether the engine is there; it is asked, unless it was heard of lately. */
  async isReady(): Promise<boolean> {
    if (this.#away !== undefined) return false;
    return this.#now() - this.#heardAt < FRESH_MS || (await this.#ask());
  }

  /** Whether the engine itself is the reason for an error, and not what it was asked for. */
  async isAtFault(error: Error): Promise<boolean> {
    if (isEngineAway(error)) return true;
    return error instanceof EngineStatusError && error.retryable && !(await this.#ask());
  }

  /**
   * Calls until the engine answers. With `patienceMs` an answer that says no is final. Rejects with the signal's reason when it
   * is aborted.
   */
  async patiently<T>(
    call: () => Promise<T>,
    { signal, patienceMs = Infinity, container }: PatienceOptions = {},
  ): Promise<T> {
    const self = {};
    let awaySince: number | undefined;
    try {
      for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, MAX_WAIT_MS)) {
        const calledAt = this.#now();
        try {
          const result = await call();
          this.#answered();
          this.#recovered(self);
          return result;
        } catch (thrown) {
          signal?.throwIfAborted();
          const now = this.#now();
          // A long call, such as the pull of an image, shows that it was there.
          if (awaySince === undefined || now - calledAt > MAX_WAIT_MS) awaySince = now;
          const error = coerceError(thrown);
          const isAway = isEngineAway(error);
          const isTroubled = error instanceof EngineStatusError && error.retryable;
          // What broke may be one connection only, such as a proxy ends that heard nothing for long.
          if (isAway && this.#away === undefined) void this.#ask();
          const isPassing = isAway || (isTroubled && patienceMs === Infinity);
          if (!isPassing || now - awaySince + waitMs > patienceMs) throw error;
          if (isTroubled) this.#refused(self, error, container);
          await this.#options.clock.sleep(waitMs, signal);
        }
      }
    } finally {
      this.#troubled.delete(self);
    }
  }

  #now(): number {
    return this.#options.clock.monotonic();
  }

  /** One question at a time, however many want to know. Never rejects. */
  #ask(): Promise<boolean> {
    this.#asking ??= this.#ping().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #ping(): Promise<boolean> {
    const { engine, closing } = this.#options;
    try {
      await engine.ping(closing);
    } catch (thrown) {
      if (closing.aborted) return false;
      const error = coerceError(thrown);
      if (isEngineAway(error) || (error instanceof EngineStatusError && error.retryable)) {
        this.#failed(error);
        return false;
      }
      // What it says instead is told of when something is asked of it.
    }
    this.#answered();
    return true;
  }

  #failed(reason: Error): void {
    if (this.#away !== undefined) return;
    this.#away = { since: this.#now(), message: reason.message };
    this.#options.logger?.error(
      { err: reason },
      "The Docker engine does not answer; no flow runs are taken until it does",
    );
    this.#untilBack().catch(() => undefined); // the watch has ended
  }

  async #untilBack(): Promise<void> {
    const { clock, closing, logger } = this.#options;
    let toldAt = this.#now();
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, MAX_WAIT_MS)) {
      await clock.sleep(waitMs, closing);
      if (this.#away === undefined || (await this.#ping())) return;
      if (this.#now() - toldAt < REMIND_MS) continue;
      toldAt = this.#now();
      const seconds = Math.round((toldAt - this.#away.since) / 1000);
      logger?.error(
        { seconds, reason: this.#away.message },
        `The Docker engine has not answered for ${seconds} s; the worker keeps trying`,
      );
    }
  }

  #answered(): void {
    this.#heardAt = this.#now();
    if (this.#away === undefined) return;
    const seconds = Math.round((this.#heardAt - this.#away.since) / 1000);
    this.#away = undefined;
    this.#options.logger?.info({ seconds }, `The Docker engine answers again after ${seconds} s`);
    this.#options.onBack();
  }

  #refused(call: object, err: Error, container: string | undefined): void {
    this.#heardAt = this.#now();
    this.#troubled.add(call);
    if (this.#now() - this.#troublesToldAt < REMIND_MS) return;
    this.#troublesToldAt = this.#now();
    const { size } = this.#troubled;
    this.#options.logger?.error(
      { err, requests: size, ...(container === undefined ? {} : { container }) },
      `The Docker engine fails to answer ${size === 1 ? "a request" : `${size} requests`} about containers; the worker asks again. ` +
        "Look into the engine's log (`journalctl -u docker`); a flow run that is cancelled is given up in time",
    );
  }

  #recovered(call: object): void {
    if (!this.#troubled.delete(call) || this.#troubled.size > 0) return;
    this.#options.logger?.info("The Docker engine answers all requests about containers again");
  }
}
