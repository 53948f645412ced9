import type { Dispatcher } from "undici";

export type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>;

export interface Request {
  readonly dispatcher: Dispatcher;
  readonly origin: string;
  readonly method: "GET" | "HEAD" | "POST" | "PUT";
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: ResponseHeaders;
  /** What no sink took. */
  readonly body: Buffer;
}

/** Takes a body in pieces, in order. A returned promise holds the sender back until it resolves. */
export interface BodySink {
  write(chunk: Buffer): Promise<void> | undefined;
}

export interface ExchangeOptions {
  /** Called with each answer's head; a returned sink gets the body, else it is kept in memory. */
  readonly sinkFor?: (status: number, headers: ResponseHeaders) => BodySink | undefined;
  /** Longest body that is kept in memory; a longer one is an error. */
  readonly maxBodyBytes: number;
}

/** The answer broke off, or was longer than expected. */
export class BrokenBodyError extends Error {
  override readonly name = "BrokenBodyError";
}

/**
 * Sends one request. Rejects with undici's error when no whole answer came; whatever status came is no error. It speaks to the
 * dispatcher directly: request() and fetch() build a stream for every body, which is most of their cost for small ones.
 */
export function exchange(request: Request, options: ExchangeOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request.dispatcher.dispatch(
      {
        origin: request.origin,
        path: request.path,
        method: request.method,
        headers: request.headers,
        body: request.body ?? null,
      },
      new ExchangeHandler(request.method, options, resolve, reject),
    );
  });
}

class ExchangeHandler implements Dispatcher.DispatchHandler {
  readonly #method: string;
  readonly #options: ExchangeOptions;
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: unknown) => void;
  #status = 0;
  #headers: ResponseHeaders = {};
  #sink: BodySink | undefined;
  #chunks: Buffer[] = [];
  #received = 0;
  #pending: Promise<void> | undefined;

  constructor(
    method: string,
    options: ExchangeOptions,
    resolve: (answer: Answer) => void,
    reject: (error: unknown) => void,
  ) {
    this.#method = method;
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onRequestStart(): void {
    this.#chunks = [];
    this.#received = 0;
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: ResponseHeaders): void {
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
    this.#sink = this.#options.sinkFor?.(status, headers);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    // undici's parser gives an empty piece when it goes on after a pause; pausing at that one again would go on for ever.
    if (chunk.length === 0) return;
    this.#received += chunk.length;
    if (this.#sink === undefined) {
      if (this.#received > this.#options.maxBodyBytes) {
        controller.abort(
          new BrokenBodyError(`The answer is longer than ${this.#options.maxBodyBytes} bytes`),
        );
        return;
      }
      this.#chunks.push(chunk);
      return;
    }
    const written = this.#sink.write(chunk);
    if (written === undefined) return;
    controller.pause();
    this.#pending = written.then(
      () => controller.resume(),
      (error: unknown) => controller.abort(error instanceof Error ? error : new Error(String(error))),
    );
  }

  onResponseEnd(): void {
    const expected = Number(this.#headers["content-length"] ?? this.#received);
    if (this.#method !== "HEAD" && expected !== this.#received) {
      this.#reject(new BrokenBodyError(`The answer ended after ${this.#received} of ${expected} bytes`));
      return;
    }
    const [first, ...rest] = this.#chunks;
    const body =
      first === undefined ? Buffer.alloc(0) : rest.length === 0 ? first : Buffer.concat(this.#chunks);
    const answer = { status: this.#status, headers: this.#headers, body };
    if (this.#pending === undefined) this.#resolve(answer);
    else void this.#pending.then(() => this.#resolve(answer));
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#reject(error);
  }
}
