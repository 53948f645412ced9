import { setImmediate as turn } from "node:timers/promises";
import * as z from "zod/mini";

import type { Socket } from "node:net";

import type { Logger } from "../../log/logger.ts";
import type { OutcomeReceipt } from "../types.ts";

const INTENT_BYTES = { cancel: "c", reschedule: "r", relinquish: "q" } as const;

const ACKNOWLEDGED = 0x61; // 'a'
const RECEIPT = 0x01;
/** Of the event loop: one ends, one accepts a connection, one reads its token. */
const ARRIVAL_TURNS = 3;
const RECEIPT_TAKEN = Buffer.from([0x02]);
const HELLO = Buffer.from([0x00, 0x50, 0x46]); // NUL 'P' 'F', then version and capabilities
const HELLO_LENGTH = 5;
const VERSION_WITH_RECEIPTS = 2;
const RECEIPTS = 0x01;
const RECEIPT_HEADER_LENGTH = 5;
const MAX_RECEIPT_LENGTH = 4096;

const receiptSchema = z.object({
  disposition: z.enum(["STATE_REPORTED", "ORCHESTRATION_ABORTED"]),
  state_type: z.optional(z.string()),
  state_name: z.optional(z.string()),
});

/**
 * The conversation with one engine (protocol §7.3; prefect/_internal/attempt_control.py). Either side may conclude the
 * attempt, whichever comes first: we by an intent that the engine acknowledges, the engine by a receipt.
 */
export class ControlSession {
  readonly #logger: Logger | undefined;
  #socket: Socket | undefined;
  #received: Buffer = Buffer.alloc(0);
  #hasReceipts = false;
  #receipt: OutcomeReceipt | undefined;
  #isIntentSent = false;
  #isAcknowledged = false;
  #isClosed = false;
  #notify: (() => void)[] = [];

  constructor(logger?: Logger) {
    this.#logger = logger;
  }

  /** True from the engine's connection (its SIGTERM handler is installed by then) to its end. */
  get isConnected(): boolean {
    return this.#socket !== undefined;
  }

  get receipt(): OutcomeReceipt | undefined {
    return this.#receipt;
  }

  /** Called once, with the authenticated connection and what came after the token. */
  attach(socket: Socket, rest: Buffer): void {
    if (this.#isClosed || this.#socket !== undefined) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    this.#wake();
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("close", () => {
      this.#socket = undefined;
      this.#wake();
    });
    if (rest.length > 0) this.#take(rest);
  }

  /**
   * Tells the engine what the coming SIGTERM means. True when it has taken note; false when there is no engine (yet), it
   * has already concluded the attempt, or `signal` was aborted first. An intent is told once.
   */
  async tell(intent: keyof typeof INTENT_BYTES, signal: AbortSignal): Promise<boolean> {
    // The reason to stop may have overtaken the connection of an engine that has just begun.
    for (let turns = 0; this.#socket === undefined && turns < ARRIVAL_TURNS; turns += 1) await turn();
    if (this.#socket !== undefined && !this.#isIntentSent && this.#receipt === undefined) {
      this.#isIntentSent = true;
      this.#socket.write(INTENT_BYTES[intent]);
    }
    await this.#until(
      () => this.#isAcknowledged || this.#receipt !== undefined || !this.#isIntentSent,
      signal,
    );
    return this.#isAcknowledged;
  }

  /** Resolves when the engine has connected, or when `signal` is aborted. */
  async connected(signal: AbortSignal): Promise<void> {
    if (this.#socket === undefined && !signal.aborted) await this.#woken(signal);
  }

  /** Resolves when the connection has ended, so that no receipt can come any more, or when `signal` is aborted. */
  disconnected(signal: AbortSignal): Promise<void> {
    return this.#until(() => false, signal);
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.destroy();
  }

  /** Waits while the engine is connected and `isDone` is false. */
  async #until(isDone: () => boolean, signal: AbortSignal): Promise<void> {
    while (!isDone() && this.#socket !== undefined && !signal.aborted) await this.#woken(signal);
  }

  #woken(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#notify.push(resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  #wake(): void {
    for (const resolve of this.#notify.splice(0)) resolve();
  }

  #take(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    try {
      while (this.#received.length > 0 && this.#step());
    } catch {
      this.#logger?.debug("Control channel: an engine sent something unknown; its connection was closed");
      this.#received = Buffer.alloc(0);
      this.#socket?.destroy();
    }
  }

  /** Handles one message; false when more bytes are needed. Throws at anything that is none. */
  #step(): boolean {
    const bytes = this.#received;
    switch (bytes[0]) {
      case ACKNOWLEDGED:
        if (!this.#isIntentSent || this.#receipt !== undefined) throw new Error("unexpected acknowledgement");
        this.#isAcknowledged = true;
        this.#consume(1);
        this.#wake();
        return true;
      case HELLO[0]:
        if (bytes.length < HELLO_LENGTH) return false;
        this.#negotiate(bytes.subarray(0, HELLO_LENGTH));
        this.#consume(HELLO_LENGTH);
        return true;
      case RECEIPT: {
        if (!this.#hasReceipts) throw new Error("receipts were not agreed on");
        if (bytes.length < RECEIPT_HEADER_LENGTH) return false;
        const length = bytes.readUInt32BE(1);
        if (length > MAX_RECEIPT_LENGTH) throw new Error("receipt too long");
        if (bytes.length < RECEIPT_HEADER_LENGTH + length) return false;
        this.#takeReceipt(bytes.subarray(RECEIPT_HEADER_LENGTH, RECEIPT_HEADER_LENGTH + length));
        this.#consume(RECEIPT_HEADER_LENGTH + length);
        return true;
      }
      default:
        throw new Error("unknown message");
    }
  }

  #consume(length: number): void {
    this.#received = this.#received.subarray(length);
  }

  #negotiate(hello: Buffer): void {
    if (!hello.subarray(0, HELLO.length).equals(HELLO)) throw new Error("malformed hello");
    const [version = 0, capabilities = 0] = hello.subarray(HELLO.length);
    this.#hasReceipts = version >= VERSION_WITH_RECEIPTS && (capabilities & RECEIPTS) !== 0;
    const answer = this.#hasReceipts ? [VERSION_WITH_RECEIPTS, RECEIPTS] : [1, 0];
    this.#socket?.write(Buffer.concat([HELLO, Buffer.from(answer)]));
  }

  #takeReceipt(payload: Buffer): void {
    const receipt = receiptSchema.parse(JSON.parse(payload.toString()));
    // After an acknowledged intent the state is ours, whatever comes later.
    if (this.#isAcknowledged || this.#receipt !== undefined) return;
    this.#receipt = {
      disposition: receipt.disposition,
      ...(receipt.state_type !== undefined && { stateType: receipt.state_type }),
      ...(receipt.state_name !== undefined && { stateName: receipt.state_name }),
    };
    this.#socket?.write(RECEIPT_TAKEN);
    this.#wake();
  }
}
