import { coerceError } from "../errors.ts";
import { parseJson } from "../json/parse.ts";
import { stringifyJson } from "../json/stringify.ts";
import { isJsonObject } from "../json/value.ts";
import { startLoop } from "../lifecycle/loop.ts";
import { decodeEvent } from "./decode.ts";
import { ApiError, UnreachableError } from "./errors.ts";
import { openSocket, SocketClosedError } from "./web-socket.ts";

import type { Json, JsonObject } from "../json/value.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { Transport } from "./http.ts";
import type { PrefectEvent } from "./types.ts";
import type { Socket } from "./web-socket.ts";

export interface EventSubscriptionOptions {
  readonly transport: Transport;
  /**
   * Which events: `event`, `any_resource`… of Prefect's event filter. Called before each connection, so that it may change.
   * `occurred` is set here.
   */
  readonly filter: () => JsonObject;
  /** Called once for each event. What it throws goes to `onProblem`. */
  readonly onEvent: (event: PrefectEvent) => void;
  /** From now on events come; what happened since the last connection must be polled for once. */
  readonly onConnected?: (() => void) | undefined;
  /** Called once per outage, however many attempts to connect fail during it. */
  readonly onDisconnected?: ((error: Error) => void) | undefined;
  /** Told of frames that were not understood and of errors in `onEvent`. */
  readonly onProblem?: ((error: Error) => void) | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly random?: (() => number) | undefined;
  /** Time for connecting and logging in. Default 10 s. */
  readonly connectTimeoutMs?: number | undefined;
  /** A ping is sent this often; after as long without any answer the connection is replaced. Default 15 s. */
  readonly pingIntervalMs?: number | undefined;
}

export interface EventSubscription {
  readonly isConnected: boolean;
  /** Resolves after the signal was aborted and the connection is gone. Never rejects. */
  readonly done: Promise<void>;
}

const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30_000;
/** A server that refuses the socket is most likely an older one, or a proxy forbids it: polling does the work then. */
const REFUSED_RETRY_MS = 60_000;
const JITTER = 0.3;
const BACKFILL_MS = 60_000;
const YEAR_MS = 365 * 24 * 3600 * 1000;
const REMEMBERED_IDS = 2000;

/**
 * Subscribes to `/events/out` (protocol §7.1) and stays subscribed until the signal is aborted, whatever happens to the
 * connection. Each connection asks for the last minute, too, and events seen before are left out. It is an accelerator only:
 * whoever uses it polls as well.
 */
export function subscribeToEvents(options: EventSubscriptionOptions): EventSubscription {
  const seen = createSeenIds(REMEMBERED_IDS);
  let isConnected = false;
  let failures = 0;
  let isOutageReported = false;

  function onConnected(): void {
    isConnected = true;
    failures = 0;
    isOutageReported = false;
    guard(options, () => options.onConnected?.());
  }

  function onEvent(event: PrefectEvent): void {
    if (seen.add(event.id)) guard(options, () => options.onEvent(event));
  }

  async function connectOnce(signal: AbortSignal): Promise<number> {
    const error = await runSession(options, signal, onConnected, onEvent);
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
  options: EventSubscriptionOptions,
  signal: AbortSignal,
  onConnected: () => void,
  onEvent: (event: PrefectEvent) => void,
): Promise<Error> {
  let reason: Error | undefined;
  function end(error: Error): void {
    reason ??= error;
    socket.destroy();
  }

  function receive(text: string): void {
    const frame = frameIn(text);
    if (frame?.["type"] === "auth_success") {
      socket.send(stringifyJson({ type: "filter", filter: filterNow(options) }));
      clearTimeout(deadline);
      onConnected();
    } else if (frame?.["type"] === "event") {
      onEvent(decodeEvent(frame["event"] ?? null));
    }
  }

  // What a listener of undici's WebSocket throws would end the process.
  const socket: Socket = openSocket(options.transport, "/events/out", {
    onOpen() {
      guard(options, () =>
        socket.send(stringifyJson({ type: "auth", token: options.transport.webSocket.token })),
      );
    },
    onMessage: (text) => guard(options, () => receive(text)),
  });

  const connectTimeoutMs = options.connectTimeoutMs ?? 10_000;
  const deadline = setTimeout(
    () => end(new UnreachableError("timeout", `No events socket within ${connectTimeoutMs / 1000} s`)),
    connectTimeoutMs,
  );
  let receivedBefore = -1;
  const pinger = setInterval(() => {
    if (socket.received === receivedBefore) {
      end(new UnreachableError("timeout", "The events socket fell silent"));
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

function filterNow(options: EventSubscriptionOptions): JsonObject {
  const now = options.clock.now();
  return {
    id: { id: [] },
    order: "DESC",
    ...options.filter(),
    occurred: {
      since: new Date(now - BACKFILL_MS).toISOString(),
      until: new Date(now + YEAR_MS).toISOString(),
    },
  };
}

/** 401, 403, 404… to the handshake, or a login that the server does not accept (1008). */
function isRefusal(error: Error): boolean {
  return error instanceof ApiError
    ? error.status < 500 && error.status !== 408 && error.status !== 429
    : error instanceof SocketClosedError && error.closeCode === 1008;
}

/** Runs a callback of the subscriber; its errors must not end the connection. */
function guard(options: EventSubscriptionOptions, callback: () => void): void {
  try {
    callback();
  } catch (thrown) {
    options.onProblem?.(coerceError(thrown));
  }
}

interface SeenIds {
  /** False when the id was there already. */
  add(id: string): boolean;
}

/** The latest ids; older ones are forgotten. */
function createSeenIds(limit: number): SeenIds {
  const ids = new Set<string>();
  return {
    add(id) {
      if (ids.has(id)) return false;
      ids.add(id);
      if (ids.size > limit) {
        const [oldest] = ids;
        if (oldest !== undefined) ids.delete(oldest);
      }
      return true;
    },
  };
}
