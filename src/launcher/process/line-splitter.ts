import { StringDecoder } from "node:string_decoder";

/** Longer lines are cut; the output file keeps all of them. */
const MAX_LINE_LENGTH = 64 * 1024;

/**
 * Turns bytes that come in any pieces into lines without their ends. Characters that are cut in the middle are put
 * together again, bytes that are no UTF-8 become U+FFFD, and memory stays bounded whatever comes.
 */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  readonly #maxLength: number;
  readonly #decoder = new StringDecoder("utf8");
  #line = "";
  #isCut = false;

  constructor(onLine: (line: string) => void, maxLength: number = MAX_LINE_LENGTH) {
    this.#onLine = onLine;
    this.#maxLength = maxLength;
  }

  write(bytes: Uint8Array): void {
    this.#push(this.#decoder.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)));
  }

  /** Delivers an unfinished last line. */
  end(): void {
    this.#push(this.#decoder.end());
    if (this.#line !== "" || this.#isCut) this.#deliver();
  }

  #push(text: string): void {
    let from = 0;
    for (let to = text.indexOf("\n"); to !== -1; to = text.indexOf("\n", from)) {
      this.#append(text.slice(from, to));
      this.#deliver();
      from = to + 1;
    }
    this.#append(text.slice(from));
  }

  #append(text: string): void {
    if (this.#isCut) return;
    this.#line += text;
    if (this.#line.length <= this.#maxLength + 1) return; // room for a carriage return
    this.#line = this.#line.slice(0, this.#maxLength);
    this.#isCut = true;
  }

  #deliver(): void {
    const line = this.#line.endsWith("\r") ? this.#line.slice(0, -1) : this.#line;
    const isCut = this.#isCut || line.length > this.#maxLength;
    this.#line = "";
    this.#isCut = false;
    this.#onLine(isCut ? `${line.slice(0, this.#maxLength)}… [line cut]` : line);
  }
}
