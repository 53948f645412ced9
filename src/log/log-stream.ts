import { writeSync } from "node:fs";

import { coerceError } from "../errors.ts";

/** Takes finished lines of text. */
export interface LogStream {
  write(text: string): unknown;
  on?(event: "error", listener: (error: Error) => void): unknown;
}

/** A stream over a file descriptor. */
export interface FdLogStream {
  write(text: string): void;
  /** Writes what a slow reader has left waiting; to be called when the process exits. Gives up after `deadlineMs`. */
  flushSync(deadlineMs?: number): void;
}

// A reader that has stopped reading must not fill the worker's memory.
const MAX_WAITING_BYTES = 16 * 1024 * 1024;
const RETRY_MS = 20;

/**
 * Opens stdout (1) or stderr (2) for logging. Lines are written at once; only when the reader of a non-blocking pipe or
 * socket is slower than we are the rest waits, in order. (`process.stdout` also waits then, but loses it at
 * `process.exit`.) When the reader is gone, lines are discarded: that must not end the worker.
 */
export function openLogStream(fd: number): FdLogStream {
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let isBroken = false;
  let retry: NodeJS.Timeout | undefined;

  /** False when the reader is not ready. */
  function tryWrite(): boolean {
    while (waiting.length > 0) {
      const text = waiting.length === 1 ? waiting[0] : Buffer.concat(waiting);
      if (text === undefined) break;
      try {
        const written = writeSync(fd, text);
        waitingBytes -= written;
        waiting = written < text.length ? [text.subarray(written)] : [];
      } catch (thrown) {
        const error = coerceError(thrown);
        if ("code" in error && error.code === "EAGAIN") {
          waiting = [text];
          return false;
        }
        isBroken = true;
        waiting = [];
      }
    }
    return true;
  }

  function writeOrWait(): void {
    retry = tryWrite() ? undefined : setTimeout(writeOrWait, RETRY_MS);
  }

  return {
    write(text) {
      if (isBroken || waitingBytes > MAX_WAITING_BYTES) return;
      const bytes = Buffer.from(text);
      waiting.push(bytes);
      waitingBytes += bytes.length;
      if (retry === undefined) writeOrWait();
    },
    flushSync(deadlineMs = 2000) {
      clearTimeout(retry);
      retry = undefined;
      const deadline = performance.now() + deadlineMs;
      const lock = new Int32Array(new SharedArrayBuffer(4));
      while (!tryWrite() && performance.now() < deadline) Atomics.wait(lock, 0, 0, RETRY_MS);
    },
  };
}
