export type OutputStream = "stdout" | "stderr";

const HEADER_BYTES = 8;
const STDERR = 2;

/**
 * Takes the multiplexed output of a container without a TTY apart: frames of a header of 8 bytes (the stream, three zeros,
 * the big-endian length) and the payload (Engine API, "ContainerAttach", stream format). Bytes may come in any pieces.
 */
export class FrameDecoder {
  readonly #onFrame: (payload: Buffer, stream: OutputStream) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(onFrame: (payload: Buffer, stream: OutputStream) => void) {
    this.#onFrame = onFrame;
  }

  write(bytes: Buffer): void {
    let buffer = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (buffer.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + buffer.readUInt32BE(4);
      if (buffer.length < end) break;
      this.#onFrame(buffer.subarray(HEADER_BYTES, end), buffer[0] === STDERR ? "stderr" : "stdout");
      buffer = buffer.subarray(end);
    }
    this.#rest = buffer;
  }
}
