/** Half-open range of a text, in UTF-16 units. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const HEAD_LENGTH = 4;

/**
 * Finds any of thousands of strings in one pass over a text. The last four characters, hashed into 16 bits, tell almost
 * every position apart from the beginning of a needle; only the others are compared.
 */
export class NeedleIndex {
  readonly #counts = new Map<string, number>();
  /** Needles by their first four characters, the longest first. */
  readonly #byHead = new Map<string, string[]>();
  readonly #mayBeHead = new Uint8Array(1 << 16);
  #longest = 0;

  get size(): number {
    return this.#counts.size;
  }

  /** Counted: a needle stays until it was removed as often as it was added. It must have at least four characters. */
  add(needle: string): void {
    const count = this.#counts.get(needle) ?? 0;
    this.#counts.set(needle, count + 1);
    if (count > 0) return;
    const head = needle.slice(0, HEAD_LENGTH);
    const bucket = this.#byHead.get(head) ?? [];
    bucket.push(needle);
    bucket.sort((a, b) => b.length - a.length);
    this.#byHead.set(head, bucket);
    this.#mayBeHead[hashOf(head)] = 1;
    this.#longest = Math.max(this.#longest, needle.length);
  }

  remove(needle: string): void {
    const count = this.#counts.get(needle) ?? 0;
    if (count > 1) {
      this.#counts.set(needle, count - 1);
      return;
    }
    this.#counts.delete(needle);
    const head = needle.slice(0, HEAD_LENGTH);
    const rest = (this.#byHead.get(head) ?? []).filter((other) => other !== needle);
    if (rest.length > 0) this.#byHead.set(head, rest);
    else this.#byHead.delete(head); // its bit in the filter stays: it only costs a look-up
  }

  /** Every position at which a needle begins, with the longest one, in order; spans may overlap. */
  find(text: string): Span[] {
    const spans: Span[] = [];
    if (this.#counts.size === 0) return spans;
    let hash = 0;
    for (let at = 0; at < text.length; at += 1) {
      hash = step(hash, text.charCodeAt(at));
      const start = at - HEAD_LENGTH + 1;
      if (start < 0 || this.#mayBeHead[hash] === 0) continue;
      const bucket = this.#byHead.get(text.slice(start, at + 1));
      const needle = bucket?.find((candidate) => text.startsWith(candidate, start));
      if (needle !== undefined) spans.push({ start, end: start + needle.length });
    }
    return spans;
  }

  /** Where the end of the text may be the beginning of a needle; the text's length when it cannot be. */
  unfinishedFrom(text: string): number {
    if (this.#counts.size === 0) return text.length;
    const first = Math.max(0, text.length - this.#longest + 1);
    for (let start = first; start < text.length; start += 1) {
      if (this.#isPrefix(text.slice(start, start + HEAD_LENGTH), text, start)) return start;
    }
    return text.length;
  }

  #isPrefix(head: string, text: string, start: number): boolean {
    if (head.length < HEAD_LENGTH) {
      for (const known of this.#byHead.keys()) if (known.startsWith(head)) return true;
      return false;
    }
    if (this.#mayBeHead[hashOf(head)] === 0) return false;
    const bucket = this.#byHead.get(head);
    if (bucket === undefined) return false;
    const rest = text.slice(start);
    return bucket.some((needle) => needle.length > rest.length && needle.startsWith(rest));
  }
}

/** Four bits a step: after four steps a character has left the hash. */
function step(hash: number, charCode: number): number {
  return ((hash << 4) ^ charCode) & 0xffff;
}

function hashOf(head: string): number {
  let hash = 0;
  for (let at = 0; at < head.length; at += 1) hash = step(hash, head.charCodeAt(at));
  return hash;
}
