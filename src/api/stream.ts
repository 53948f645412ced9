import { coerceError } from "../errors.ts";
import { parseJson } from "../json/parse.ts";
import { stringifyJson } from "../json/stringify.ts";
import { isJsonObject } from "../json/value.ts";
import { startLoop } from "../lifecycle/loop.ts";
import { ApiError, UnreachableError } from "./errors.ts";
import { openSocket, SocketClosedError } from "./web-socket.ts";

import type { Json, JsonObject } from "../json/value.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { Transport } from "./http.ts";
import type { Socket } from "./web-socket.ts";

/** What every subscription is told besides what it wants to hear. */
export interface SubscriptionOptions {
  readonly transport: Transport;
  /** From now on news come; what happened since the last connection must be polled for once. */
  readonly onConnected?: (() => void) | undefined;
  /** Called once per outage, however many attempts to connect fail during it. */
  readonly onDisconnected?: ((error: Error) => void) | undefined;
  /** Told of frames that were not understood and of errors in the subscriber's callbacks. */
  readonly onProblem?: ((error: Error) => void) | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly random?: (() => number) | undefined;
  /** Time for connecting and logging in. Default 10 s. */
  readonly connectTimeoutMs?: number | undefined;
  /** A ping is sent this often; after as long without any answer the connection is replaced. Default 15 s. */
  readonly pingIntervalMs?: number | undefined;
}

export interface Subscription {
  readonly isConnected: boolean;
  /** Resolves after the signal was aborted and the connection is gone. Never rejects. */
  readonly done: Promise<void>;
}

interface StreamOptions extends SubscriptionOptions {
  /** The WebSocket below the API's root. */
  readonly path: "/events/out" | "/logs/out";
  /** What is asked for; called before each connection, so that it may change. */
  readonly filter: () => JsonObject;
  /** Called for each frame after the login. What it throws goes to `onProblem`. */
  readonly onFrame: (frame: JsonObject) => void;
}

const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30_000;
/** A server that refuses the socket is most likely an older one, or a proxy forbids it: polling does the work then. */
const REFUSED_RETRY_MS = 60_000;
const JITTER = 0.3;

/**
 * Subscribes to one of the server's streams (protocol §7.1) and stays subscribed until the signal is aborted, whatever happens to
 * the connection. It is an accelerator only: whoever uses it polls as well.
 */
export function subscribeToStream(options: StreamOptions): Subscription {
  let isConnected = false;
  let failures = 0;
  let isOutageReported = false;

  function onConnected(): void {
    isConnected = true;
    failures = 0;
    isOutageReported = false;
    guard(options, () => options.onConnected?.());
  }

  async function connectOnce(signal: AbortSignal): Promise<number> {
    const error = await runSession(options, signal, onConnected);
    isConnected = false;
    if (!signal.aborted && !isOutageReported) {
      isOutageReported = true;
      guard(options, () => options.onDisconnected?.(error));
    }
    const delayMs = isRefusal(error)
      ? REFUSED_RETRY_MS
      : Math.min(FIRST_RETRY_MS * 2 ** failures, LONGEST_RETRY_MS);
    failures += 1;
    return delayMs * (1 - JITTER + 2 * JITTER * (options.random ?? Math.random)());
  }

  const loop = startLoop(connectOnce, {
    intervalMs: 2 * REFUSED_RETRY_MS, // the tick always asks for less
    clock: options.clock,
    signal: options.signal,
    onError: (error) => options.onProblem?.(error),
  });
  return {
    get isConnected() {
      return isConnected;
    },
    done: loop.done,
  };
}

/** One connection from the handshake to its end. Returns why it ended; rejects never. */
async function runSession(
  options: StreamOptions,
  signal: AbortSignal,
  onConnected: () => void,
): Promise<Error> {
  let reason: Error | undefined;
  function end(error: Error): void {
    reason ??= error;
    socket.destroy();
  }

  function receive(text: string): void {
    const frame = frameIn(text);
    if (frame?.["type"] === "auth_success") {
      socket.send(stringifyJson({ type: "filter", filter: options.filter() }));
      clearTimeout(deadline);
      onConnected();
    } else if (frame !== undefined) {
      options.onFrame(frame);
    }
  }

  // What a listener of undici's WebSocket throws would end the process.
  const socket: Socket = openSocket(options.transport, options.path, {
    onOpen() {
      guard(options, () =>
        socket.send(stringifyJson({ type: "auth", token: options.transport.webSocket.token })),
      );
    },
    onMessage: (text) => guard(options, () => receive(text)),
  });

  const connectTimeoutMs = options.connectTimeoutMs ?? 10_000;
  const deadline = setTimeout(
    () =>
      end(new UnreachableError("timeout", `No socket ${options.path} within ${connectTimeoutMs / 1000} s`)),
    connectTimeoutMs,
  );
  let receivedBefore = -1;
  const pinger = setInterval(() => {
    if (socket.received === receivedBefore) {
      end(new UnreachableError("timeout", `The socket ${options.path} fell silent`));
    } else {
      receivedBefore = socket.received;
      socket.ping();
    }
  }, options.pingIntervalMs ?? 15_000);
  function abort(): void {
    end(new SocketClosedError(1000, "no longer wanted"));
  }
  signal.addEventListener("abort", abort, { once: true });

  const ending = await socket.closed;
  clearTimeout(deadline);
  clearInterval(pinger);
  signal.removeEventListener("abort", abort);
  return reason ?? ending;
}

function frameIn(text: string): JsonObject | undefined {
  let frame: Json;
  try {
    frame = parseJson(text);
  } catch {
    return undefined; // a frame that is no JSON is none of ours
  }
  return isJsonObject(frame) ? frame : undefined;
}

/** 401, 403, 404… to the handshake, or a login that the server does not accept (1008). */
function isRefusal(error: Error): boolean {
  return error instanceof ApiError
    ? error.status < 500 && error.status !== 408 && error.status !== 429
    : error instanceof SocketClosedError && error.closeCode === 1008;
}

/** Runs a callback of the subscriber; its errors must not end the connection. */
function guard(options: SubscriptionOptions, callback: () => void): void {
  try {
    callback();
  } catch (thrown) {
    options.onProblem?.(coerceError(thrown));
  }
}
