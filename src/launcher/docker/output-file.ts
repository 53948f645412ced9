import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";

import { nanosecondsOf } from "../../docker/timestamp.ts";
import { readLastBytes } from "../last-bytes.ts";

import type { LogEntry } from "../../docker/container-logs.ts";
import type { OutputStream } from "../../docker/log-frames.ts";

/** How far a stream of a container's output is kept: its last entry's time, and how many entries have that very time. */
export interface Position {
  readonly timestamp: string;
  readonly count: number;
}

export type Positions = Readonly<Partial<Record<OutputStream, Position>>>;

// The log format of the Container Runtime Interface: TIME STREAM F|P TEXT, where P is a line that goes on in the next entry.
const LINE = /^(\S+) (stdout|stderr) ([FP]) /;
const HEAD_LENGTH = 64;
const NEWLINE = 0x0a;
const CHUNK_BYTES = 256 * 1024;
const OVERLAP_MS = 1000;

/**
 * Keeps a container's output, with the time of each entry: so a later worker, or this one after a broken connection, knows
 * where to go on, and whoever looks into the file sees when things happened.
 */
export class OutputFile {
  readonly #fd: number;
  readonly #positions: Partial<Record<OutputStream, Position>>;

  /** An empty file; what an earlier attempt has left there is gone. */
  static create(path: string): OutputFile {
    return new OutputFile(openSync(path, "w", 0o600), {});
  }

  /** The file of an earlier worker, without a last line that it could not complete. */
  static resume(path: string): OutputFile {
    const fd = openSync(path, "a+", 0o600);
    const { positions, size } = readPositions(fd);
    if (size < fstatSync(fd).size) ftruncateSync(fd, size);
    return new OutputFile(fd, positions);
  }

  private constructor(fd: number, positions: Positions) {
    this.#fd = fd;
    this.#positions = { ...positions };
  }

  /**
   * From here on entries may be new; undefined: all may be. A little earlier than the last one: the engine takes the times of
   * the two streams before it puts their entries in order.
   */
  get since(): string | undefined {
    const times = Object.values(this.#positions).map(({ timestamp }) => Date.parse(timestamp));
    return times.length === 0 ? undefined : new Date(Math.min(...times) - OVERLAP_MS).toISOString();
  }

  /** What is kept by now; entries after it are new. */
  get positions(): Positions {
    return { ...this.#positions };
  }

  write({ timestamp, stream, bytes }: LogEntry): void {
    const isFull = bytes.at(-1) === NEWLINE;
    const text = isFull ? bytes : Buffer.concat([bytes, Buffer.from("\n")]);
    writeSync(this.#fd, Buffer.concat([Buffer.from(`${timestamp} ${stream} ${isFull ? "F" : "P"} `), text]));
    this.#positions[stream] = advance(this.#positions[stream], timestamp);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** True for an entry at or before the position; `seen` counts the entries that were met at that very time. */
export function isKept(position: Position | undefined, timestamp: string, seen: number): boolean {
  if (position === undefined) return false;
  const order = compareTimes(timestamp, position.timestamp);
  return order < 0 || (order === 0 && seen < position.count);
}

/** Orders RFC 3339 times by their nanoseconds, whatever their zone and number of digits. */
export function compareTimes(a: string, b: string): number {
  if (a === b) return 0;
  const [left, right] = [nanosecondsOf(a), nanosecondsOf(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function advance(position: Position | undefined, timestamp: string): Position {
  return position?.timestamp === timestamp
    ? { timestamp, count: position.count + 1 }
    : { timestamp, count: 1 };
}

/** The text of the file's last lines. */
export function readLastLines(path: string, count: number, maxBytes: number): string[] {
  return readLastBytes(path, maxBytes)
    .split("\n")
    .flatMap((line) => (LINE.test(line) ? [line.replace(LINE, "").trimEnd()] : []))
    .filter((line) => line.trim() !== "")
    .slice(-count);
}

function readPositions(fd: number): { readonly positions: Positions; readonly size: number } {
  const positions: Partial<Record<OutputStream, Position>> = {};
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let rest: Buffer = Buffer.alloc(0);
  let size = 0;
  for (let at = 0; ;) {
    const length = readSync(fd, buffer, 0, CHUNK_BYTES, at);
    if (length === 0) return { positions, size };
    at += length;
    rest = Buffer.concat([rest, buffer.subarray(0, length)]);
    for (let end = rest.indexOf(NEWLINE); end !== -1; end = rest.indexOf(NEWLINE)) {
      const [, timestamp, stream] = LINE.exec(rest.toString("latin1", 0, Math.min(end, HEAD_LENGTH))) ?? [];
      if (timestamp !== undefined && (stream === "stdout" || stream === "stderr"))
        positions[stream] = advance(positions[stream], timestamp);
      size += end + 1;
      rest = rest.subarray(end + 1);
    }
  }
}
