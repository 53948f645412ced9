import { createInterface } from "node:readline";

import type { Readable } from "node:stream";

/** Reads a stream by line, and tells when a marker that its writer puts behind everything else has come. */
export class MarkedLines {
  /** Resolves at the end of the stream. */
  readonly closed: Promise<void>;
  readonly #seen = new Map<string, () => void>();

  constructor(stream: Readable, onLine: (line: string) => void) {
    stream.setEncoding("utf8");
    const reader = createInterface({ input: stream, crlfDelay: Infinity });
    reader.on("line", (line) => {
      const rest = this.#takeMarker(line);
      // A last line without an end stands before the marker.
      if (rest === undefined) onLine(line);
      else if (rest !== "") onLine(rest);
    });
    this.closed = new Promise((resolve) => {
      reader.once("close", resolve);
    });
  }

  /** Resolves once the marker has come, or the stream has ended; the marker is no part of the lines. */
  async until(marker: string): Promise<void> {
    const come = new Promise<void>((resolve) => {
      this.#seen.set(marker, resolve);
    });
    await Promise.race([come, this.closed]);
  }

  #takeMarker(line: string): string | undefined {
    for (const [marker, resolve] of this.#seen) {
      if (!line.endsWith(marker)) continue;
      this.#seen.delete(marker);
      resolve();
      return line.slice(0, -marker.length);
    }
    return undefined;
  }
}
