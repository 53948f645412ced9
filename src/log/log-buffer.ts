import type { LogEntry } from "./types.ts";

export interface LogBufferOptions {
  /** Longer messages are cut and marked. */
  readonly maxMessageBytes: number;
  /** When the waiting lines are more than this, the oldest go. */
  readonly maxBytes: number;
}

interface Waiting {
  readonly entry: LogEntry;
  readonly bytes: number;
}

/** Lines that wait for upload, in order, measured by their size as JSON. */
export class LogBuffer {
  readonly #options: LogBufferOptions;
  #waiting: Waiting[] = [];
  #bytes = 0;

  constructor(options: LogBufferOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#waiting.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Returns the lines that had to go to make room. */
  push(line: LogEntry): readonly LogEntry[] {
    const entry = { ...line, message: sendableMessage(line.message, this.#options.maxMessageBytes) };
    const bytes = Buffer.byteLength(JSON.stringify(entry)) + 1;
    this.#waiting.push({ entry, bytes });
    this.#bytes += bytes;
    if (this.#bytes <= this.#options.maxBytes) return [];
    // A tenth at once, so that a full buffer is not shifted for every line. The newest line stays.
    let count = 0;
    for (let left = this.#bytes; left > this.#options.maxBytes * 0.9; count += 1) {
      const oldest = this.#waiting[count];
      if (oldest === undefined || count === this.#waiting.length - 1) break;
      left -= oldest.bytes;
    }
    return this.#shift(count);
  }

  /** The oldest lines that together stay within `maxBytes`; at least one, when there is any. */
  take(maxBytes: number): LogEntry[] {
    let taken = 0;
    let count = 0;
    for (const { bytes } of this.#waiting) {
      if (count > 0 && taken + bytes > maxBytes) break;
      taken += bytes;
      count += 1;
    }
    return this.#shift(count);
  }

  clear(): void {
    this.#waiting = [];
    this.#bytes = 0;
  }

  #shift(count: number): LogEntry[] {
    const gone = this.#waiting.splice(0, count);
    for (const { bytes } of gone) this.#bytes -= bytes;
    return gone.map(({ entry }) => entry);
  }
}

/**
 * A message that every server takes: cut at `maxBytes` of UTF-8, without NUL (PostgreSQL refuses it, and with it the whole
 * batch) and without half surrogate pairs (Python's JSON reader refuses them).
 */
function sendableMessage(message: string, maxBytes: number): string {
  const clean = message.replaceAll("\0", "\uFFFD").replace(/\p{Surrogate}/gu, "\uFFFD");
  const totalBytes = Buffer.byteLength(clean);
  if (totalBytes <= maxBytes) return clean;
  const bytes = Buffer.from(clean);
  let end = maxBytes;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1; // not inside a character
  return `${bytes.subarray(0, end).toString()}… [cut: ${totalBytes} bytes]`;
}
