import { coerceError } from "../../errors.ts";
import { readContainerLogs } from "../../docker/container-logs.ts";
import { inspectContainer, isRunning } from "../../docker/containers.ts";
import { EngineStatusError, isEngineAway, isNotFound } from "../../docker/engine-errors.ts";
import { LineSplitter } from "../process/line-splitter.ts";
import { compareTimes, isKept } from "./output-file.ts";

import type { LogEntry } from "../../docker/container-logs.ts";
import type { DockerEngine } from "../../docker/engine.ts";
import type { OutputStream } from "../../docker/log-frames.ts";
import type { Clock } from "../../lifecycle/clock.ts";
import type { Logger } from "../../log/logger.ts";
import type { OutputFile } from "./output-file.ts";

export interface LogFollowerOptions {
  readonly engine: DockerEngine;
  readonly id: string;
  readonly tty: boolean;
  /** Takes all of it, and knows what it has already; closed at the end. */
  readonly file: OutputFile;
  readonly onLine: ((line: string, stream: OutputStream) => void) | undefined;
  readonly clock: Clock;
  readonly logger: Logger | undefined;
}

const RETRY_MS = 500;
const MAX_RETRY_MS = 5000;
/** So soon after a container's end the engine ends its output, too. */
const LAST_MS = 2000;
/** After so many the output of a container that has ended is given up. */
const MAX_LATE_FAILURES = 3;
const NOT_IMPLEMENTED = 501;

/** Follows a container's output from where its file ends, over any number of connections: no entry is lost or comes twice. */
export class LogFollower {
  /** Resolves once the container has ended and all its output was delivered, or there is no more to get. Never rejects. */
  readonly done: Promise<void>;
  readonly #options: LogFollowerOptions;
  readonly #stopping = new AbortController();
  readonly #splitters: Readonly<Record<OutputStream, LineSplitter>>;
  /** Resolves with the first output. */
  readonly hasOutput: Promise<void>;
  /** Aborted when there is nothing to follow any longer. */
  readonly #following = new AbortController();
  #hasWarned = false;
  /** Since the container has ended. */
  #lateFailures = 0;
  #onFirstOutput: () => void = () => undefined;

  constructor(options: LogFollowerOptions) {
    this.#options = options;
    const { onLine } = options;
    this.#splitters = {
      stdout: new LineSplitter((line) => onLine?.(line, "stdout")),
      stderr: new LineSplitter((line) => onLine?.(line, "stderr")),
    };
    this.hasOutput = new Promise((resolve) => (this.#onFirstOutput = resolve));
    this.done = this.#follow().finally(() => options.file.close());
  }

  /**
   * The container has ended, so all its output is there: an engine that does not come to the end of it is asked once more. Resolves
   * as {@link done}.
   */
  async finish(): Promise<void> {
    const { clock } = this.#options;
    const patience = new AbortController();
    await Promise.race([this.done, clock.sleep(LAST_MS, patience.signal).catch(() => undefined)]); // it has ended
    patience.abort();
    this.#following.abort();
    await this.done;
  }

  /** Ends it, whatever may still come. */
  async close(): Promise<void> {
    this.#stopping.abort();
    await this.done;
  }

  async #follow(): Promise<void> {
    const { engine, id, clock, logger } = this.#options;
    const { signal } = this.#stopping;
    try {
      for (let waitMs = RETRY_MS; ; waitMs = Math.min(waitMs * 2, MAX_RETRY_MS)) {
        const isOver = this.#following.signal.aborted;
        try {
          const hasRead = await this.#read(!isOver);
          if (isOver) break;
          const found = await inspectContainer(engine, id, signal);
          if (found === null) break;
          if (!isRunning(found)) {
            // What came while the connection broke.
            await this.#read(false);
            break;
          }
          if (hasRead) waitMs = RETRY_MS;
        } catch (error) {
          if (!isOver && this.#following.signal.aborted) continue;
          if (!isEngineAway(error)) await this.#bear(error);
        }
        await clock.sleep(waitMs, signal);
      }
    } catch (thrown) {
      if (!signal.aborted && !isNotFound(thrown))
        logger?.warn({ container: id, err: coerceError(thrown) }, "A container's output cannot be followed");
    }
    this.#splitters.stdout.end();
    this.#splitters.stderr.end();
  }

  /** Troubles of the engine (5xx) may pass; but an engine that has no output to give says so in this way, too. */
  async #bear(failure: unknown): Promise<void> {
    const { engine, id, logger } = this.#options;
    if (!(failure instanceof EngineStatusError) || !failure.retryable || failure.status === NOT_IMPLEMENTED)
      throw failure;
    if (!this.#hasWarned)
      logger?.warn({ container: id, err: failure }, "A container's output cannot be read; trying again");
    this.#hasWarned = true;
    const found = await inspectContainer(engine, id, this.#stopping.signal).catch(() => undefined);
    if (found === null || (found !== undefined && !isRunning(found))) this.#lateFailures += 1;
    if (this.#lateFailures >= MAX_LATE_FAILURES) throw failure;
  }

  /** True when there was something new. */
  async #read(follow: boolean): Promise<boolean> {
    const { engine, id, tty, file } = this.#options;
    const { positions, since } = file;
    const seen = { stdout: 0, stderr: 0 };
    let hasRead = false;
    const onEntry = (entry: LogEntry): void => {
      const position = positions[entry.stream];
      if (isKept(position, entry.timestamp, seen[entry.stream])) {
        if (position !== undefined && compareTimes(entry.timestamp, position.timestamp) === 0)
          seen[entry.stream] += 1;
        return;
      }
      hasRead = true;
      file.write(entry);
      this.#onFirstOutput();
      this.#splitters[entry.stream].write(entry.bytes);
    };
    const signal = follow
      ? AbortSignal.any([this.#stopping.signal, this.#following.signal])
      : this.#stopping.signal;
    await readContainerLogs(engine, { id, tty, follow, since, onEntry, signal });
    return hasRead;
  }
}
