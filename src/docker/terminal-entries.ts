const SPACE = 0x20;
const NEWLINE = 0x0a;
/** Docker keeps a longer line in pieces of just this size (moby: daemon/logger/copier.go). */
const PIECE_BYTES = 16 * 1024;
/** No time is longer. */
const TIME_BYTES = 40;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d) /;
/** An engine that keeps lines in larger pieces: so much of one is delivered at once, and the rest as if it were another. */
const MAX_BYTES = 64 * PIECE_BYTES;

/**
 * Takes the output of a container with a TTY apart: it comes without frames, entry after entry, each with its time before it. An
 * entry ends with its newline; a piece of a long line has none, so the next one's time follows in the middle of the line. Bytes may
 * come in any pieces; no more than one entry is held.
 */
export class TerminalEntries {
  readonly #onEntry: (bytes: Buffer) => void;
  #chunks: Buffer[] = [];
  #size = 0;
  /** With so much the end of an entry may be known also without its newline. */
  #enough = PIECE_BYTES;

  constructor(onEntry: (bytes: Buffer) => void) {
    this.#onEntry = onEntry;
  }

  write(bytes: Buffer): void {
    this.#chunks.push(bytes);
    this.#size += bytes.length;
    // Joined only when there may be something to deliver, or a long line would be copied again for each of its bytes.
    if (bytes.includes(NEWLINE) || this.#size >= this.#enough) this.#deliver(false);
  }

  end(): void {
    this.#deliver(true);
    if (this.#size > 0) this.#onEntry(Buffer.concat(this.#chunks));
    this.#keep(Buffer.alloc(0));
  }

  #deliver(isLast: boolean): void {
    let buffer = Buffer.concat(this.#chunks);
    for (let end = entryEnd(buffer, isLast); end !== undefined; end = entryEnd(buffer, isLast)) {
      this.#onEntry(buffer.subarray(0, end));
      const rest = buffer.subarray(end);
      const isCut = end === MAX_BYTES && buffer[end - 1] !== NEWLINE;
      buffer = isCut ? Buffer.concat([buffer.subarray(0, buffer.indexOf(SPACE) + 1), rest]) : rest;
    }
    this.#keep(buffer);
  }

  #keep(buffer: Buffer): void {
    this.#chunks = buffer.length === 0 ? [] : [buffer];
    this.#size = buffer.length;
    this.#enough = this.#size < PIECE_BYTES + 2 * TIME_BYTES ? PIECE_BYTES : MAX_BYTES;
  }
}

/** Where the first entry ends; undefined while that is not known. */
function entryEnd(buffer: Buffer, isLast: boolean): number | undefined {
  const newline = buffer.indexOf(NEWLINE);
  const pieceEnd = buffer.indexOf(SPACE) + 1 + PIECE_BYTES;
  if (newline !== -1 && newline <= pieceEnd) return newline + 1;
  const next = buffer.toString("latin1", pieceEnd, pieceEnd + TIME_BYTES);
  if (TIME.test(next)) return pieceEnd;
  if (next.length < TIME_BYTES && newline === -1 && !isLast) return undefined;
  if (newline !== -1 && newline < MAX_BYTES) return newline + 1;
  return buffer.length >= MAX_BYTES ? MAX_BYTES : undefined;
}
