import { coerceError, WorkerError } from "../errors.ts";
import { LogBuffer } from "./log-buffer.ts";
import { LEVELS } from "./levels.ts";

import type { Clock } from "../lifecycle/clock.ts";
import type { Logger } from "./logger.ts";
import type { Redactor } from "./redactor.ts";
import type { LogEntry } from "./types.ts";

export interface FlowRunLogShipperOptions {
  /** Uploads one batch (`POST /logs/`); its own retries are welcome. */
  readonly send: (batch: readonly LogEntry[]) => Promise<void>;
  readonly redactor: Redactor;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long a line may wait for others (`PREFECT_LOGGING_TO_API_BATCH_INTERVAL`, 2 s). */
  readonly batchIntervalMs?: number;
  /** Upper bound of one upload; Prefect's 4,000,000 bytes less one longest message. */
  readonly maxBatchBytes?: number;
  /** Longer messages are cut (`PREFECT_LOGGING_TO_API_MAX_LOG_SIZE`). */
  readonly maxLogBytes?: number;
  /** What may wait in memory; beyond it the oldest lines are dropped. */
  readonly maxBufferedBytes?: number;
}

/** Writes lines of one flow run; calls never wait and never fail. */
export interface FlowRunLog {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** Lines that were lost, by flow run (undefined: the worker's own). */
type DropCounts = ReadonlyMap<string | undefined, number>;

const ATTEMPTS = 3;
const RETRY_DELAY_MS = 1000;

/** The worker's own lines of a run (protocol §2.6). */
const WORKER_LOGGER = "prefect.flow_runs.worker";

/**
 * Ships log lines of flow runs to the API: in order, masked, in bounded batches. Logging is cosmetic, so nothing here ever
 * throws: what cannot be delivered is counted, and the count becomes a line of the run's own log.
 */
export class FlowRunLogShipper {
  readonly #options: FlowRunLogShipperOptions;
  readonly #buffer: LogBuffer;
  readonly #dropped = new Map<string | undefined, number>();
  readonly #batchIntervalMs: number;
  readonly #maxBatchBytes: number;
  #pump: Promise<void> | undefined;
  #hurry = new AbortController();
  readonly #closing = new AbortController();
  #isFlushing = false;
  #isClosed = false;
  #isFailing = false;
  #lastMicros = 0;

  constructor(options: FlowRunLogShipperOptions) {
    this.#options = options;
    this.#batchIntervalMs = options.batchIntervalMs ?? 2000;
    this.#maxBatchBytes = options.maxBatchBytes ?? 3_000_000;
    this.#buffer = new LogBuffer({
      maxMessageBytes: options.maxLogBytes ?? 1_000_000,
      maxBytes: options.maxBufferedBytes ?? 4 * this.#maxBatchBytes,
    });
  }

  /** Queues one line. Its message is masked here, so secrets that are forgotten later do not matter. */
  ship(entry: LogEntry): void {
    if (this.#isClosed) return;
    const message = this.#options.redactor.redact(entry.message);
    for (const old of this.#buffer.push({ ...entry, message })) this.#countDropped(old.flow_run_id);
    if (this.#buffer.bytes >= this.#maxBatchBytes) this.#hurry.abort();
    this.#start();
  }

  /** A log of one flow run under one of Prefect's logger names. */
  forRun(flowRunId: string, loggerName: string = WORKER_LOGGER): FlowRunLog {
    const write = (level: keyof typeof LEVELS) => (message: string) =>
      this.ship({
        name: loggerName,
        level: LEVELS[level].python,
        message,
        timestamp: this.#timestamp(),
        flow_run_id: flowRunId,
      });
    return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  }

  /** Sends what waits now. True when all of it was delivered or given up within `deadlineMs`. */
  async flush(deadlineMs: number): Promise<boolean> {
    if (this.#pump === undefined) return true;
    this.#isFlushing = true;
    this.#hurry.abort();
    const deadline = new AbortController();
    const isDone = await Promise.race([
      this.#pump.then(() => true),
      this.#options.clock.sleep(deadlineMs, deadline.signal).then(
        () => false,
        () => true,
      ),
    ]);
    deadline.abort();
    this.#isFlushing = false;
    return isDone;
  }

  /** Flushes, then takes no more lines; what is left after `deadlineMs` is dropped and counted in the worker's log. */
  async close(deadlineMs = 5000): Promise<void> {
    const isDone = await this.flush(deadlineMs);
    this.#isClosed = true;
    if (isDone && this.#buffer.count === 0) return;
    const lines = this.#buffer.count;
    this.#buffer.clear();
    this.#hurry.abort();
    this.#closing.abort();
    this.#options.logger.warn({ lines }, "Flow run logs could not be delivered before the end");
  }

  #start(): void {
    this.#pump ??= this.#run().finally(() => {
      this.#pump = undefined;
    });
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    while (this.#buffer.count > 0 || this.#dropped.size > 0) {
      if (!this.#isFlushing && this.#buffer.bytes < this.#maxBatchBytes) {
        this.#hurry = new AbortController();
        await clock.sleep(this.#batchIntervalMs, this.#hurry.signal).catch(() => undefined); // hurried
      }
      if (this.#isClosed) return;
      const counts = new Map(this.#dropped);
      this.#dropped.clear();
      await this.#deliver(counts, this.#buffer.take(this.#maxBatchBytes));
    }
  }

  async #deliver(counts: DropCounts, lines: readonly LogEntry[]): Promise<void> {
    const { clock, logger } = this.#options;
    const batch = [...this.#notices(counts), ...lines];
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#options.send(batch);
        if (this.#isFailing) logger.info("Flow run logs are delivered again");
        this.#isFailing = false;
        return;
      } catch (thrown) {
        const err = coerceError(thrown);
        if (!this.#isFailing) logger.warn({ err }, "Flow run logs could not be sent to the API");
        this.#isFailing = true;
        const isHopeless = err instanceof WorkerError && !err.retryable;
        if (attempt >= ATTEMPTS || isHopeless || this.#isClosed) {
          for (const line of lines) this.#countDropped(line.flow_run_id);
          // Counts that the server refuses on their own will never be taken.
          if (!isHopeless || lines.length > 0)
            for (const [id, count] of counts) this.#countDropped(id, count);
          return;
        }
      }
      await clock.sleep(RETRY_DELAY_MS * attempt, this.#closing.signal).catch(() => undefined); // closed
    }
  }

  #countDropped(flowRunId: string | undefined, count = 1): void {
    this.#dropped.set(flowRunId, (this.#dropped.get(flowRunId) ?? 0) + count);
  }

  #notices(counts: DropCounts): readonly LogEntry[] {
    return [...counts].map(([flowRunId, count]) => ({
      name: WORKER_LOGGER,
      level: LEVELS.warn.python,
      message: `Log lines of this flow run that could not be delivered and are missing here: ${count}`,
      timestamp: this.#timestamp(),
      ...(flowRunId !== undefined && { flow_run_id: flowRunId }),
    }));
  }

  /** Strictly increasing, since the server orders lines by it: a later line of the same millisecond gets more µs. */
  #timestamp(): string {
    this.#lastMicros = Math.max(this.#options.clock.now() * 1000, this.#lastMicros + 1);
    const millis = Math.floor(this.#lastMicros / 1000);
    const micros = String(Math.floor(this.#lastMicros % 1000)).padStart(3, "0");
    return `${new Date(millis).toISOString().slice(0, -1)}${micros}+00:00`;
  }
}
