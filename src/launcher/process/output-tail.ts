import { watch } from "node:fs";
import { open } from "node:fs/promises";

import { LineSplitter } from "./line-splitter.ts";

import type { FSWatcher } from "node:fs";
import type { FileHandle } from "node:fs/promises";

import type { Clock } from "../../lifecycle/clock.ts";

export interface OutputTailOptions {
  readonly file: string;
  readonly onLine: (line: string) => void;
  readonly clock: Clock;
  /** `end`: only what is written from now on. */
  readonly from: "start" | "end";
}

const CHUNK_BYTES = 64 * 1024;
/** Without a working watch (network file systems, no inotify left) the file is looked at this often. */
const POLL_MS = 250;
/** With one, this only covers an event that was lost. */
const WATCHED_POLL_MS = 2000;
/** A program that writes all the time is read in larger pieces. */
const SETTLE_MS = 20;

/** Follows a file that a process writes, line by line. */
export class OutputTail {
  readonly #options: OutputTailOptions;
  readonly #handle: FileHandle;
  readonly #splitter: LineSplitter;
  readonly #buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  readonly #closing = new AbortController();
  readonly #watcher: FSWatcher | undefined;
  readonly #done: Promise<void>;
  #wake = new AbortController();
  #hasChanged = false;
  #offset: number;

  static async open(options: OutputTailOptions): Promise<OutputTail> {
    const handle = await open(options.file, "r");
    const offset = options.from === "start" ? 0 : (await handle.stat()).size;
    return new OutputTail(options, handle, offset);
  }

  private constructor(options: OutputTailOptions, handle: FileHandle, offset: number) {
    this.#options = options;
    this.#handle = handle;
    this.#offset = offset;
    this.#splitter = new LineSplitter(options.onLine);
    this.#watcher = this.#watch();
    this.#done = this.#follow();
    this.#done.catch(() => undefined); // seen by close()
  }

  /** Delivers everything that is in the file by now, an unfinished last line too, and ends. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#wake.abort();
    try {
      await this.#done;
    } finally {
      this.#watcher?.close();
      await this.#handle.close();
    }
  }

  #watch(): FSWatcher | undefined {
    try {
      const watcher = watch(this.#options.file, { persistent: false }, () => {
        this.#hasChanged = true;
        this.#wake.abort();
      });
      watcher.on("error", () => undefined); // polling goes on
      return watcher;
    } catch {
      return undefined;
    }
  }

  async #follow(): Promise<void> {
    for (;;) {
      const isLast = this.#closing.signal.aborted;
      this.#hasChanged = false;
      await this.#readAll();
      if (isLast) break;
      await this.#changed();
    }
    this.#splitter.end();
  }

  async #changed(): Promise<void> {
    const { clock } = this.#options;
    this.#wake = new AbortController();
    if (!this.#hasChanged && !this.#closing.signal.aborted) {
      const pollMs = this.#watcher === undefined ? POLL_MS : WATCHED_POLL_MS;
      await clock.sleep(pollMs, this.#wake.signal).catch(() => undefined); // woken
    }
    if (this.#hasChanged) await clock.sleep(SETTLE_MS, this.#closing.signal).catch(() => undefined); // closed
  }

  async #readAll(): Promise<void> {
    const { size } = await this.#handle.stat();
    if (size < this.#offset) this.#offset = 0; // somebody has emptied it
    for (;;) {
      const { bytesRead } = await this.#handle.read(this.#buffer, 0, CHUNK_BYTES, this.#offset);
      if (bytesRead === 0) return;
      this.#offset += bytesRead;
      this.#splitter.write(this.#buffer.subarray(0, bytesRead));
    }
  }
}
