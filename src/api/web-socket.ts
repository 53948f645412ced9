import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { ping, WebSocket } from "undici";

import { ApiError } from "./errors.ts";

import type { Duplex } from "node:stream";
import type { Dispatcher } from "undici";
import type { Transport } from "./http.ts";

/** A connection for text messages. However it ends, `closed` tells; nothing is thrown at anybody. */
export interface Socket {
  send(text: string): void;
  /** Messages, pings and pongs that came since the socket was opened. */
  readonly received: number;
  ping(): void;
  /** Cuts the connection without waiting for the other side. */
  destroy(): void;
  /** Why it ended; never rejects. */
  readonly closed: Promise<Error>;
}

/** The server ended the connection, or it broke. */
export class SocketClosedError extends Error {
  override readonly name = "SocketClosedError";
  /** Close code of RFC 6455; 1006 when the connection broke without one. */
  readonly closeCode: number;

  constructor(closeCode: number, reason: string) {
    super(`The connection was closed (${closeCode}${reason === "" ? "" : `: ${reason}`})`);
    this.closeCode = closeCode;
  }
}

/** What undici's WebSocket keeps to itself. */
interface Handshake {
  socket?: Duplex;
  status?: number;
  failure?: Error;
}

/**
 * Opens a WebSocket below the API's root through the transport's proxy, TLS options and headers. A handshake that is answered
 * with something other than 101 ends with an ApiError, a missing connection with an UnreachableError.
 */
export function openSocket(
  transport: Transport,
  path: string,
  listeners: { readonly onOpen: () => void; readonly onMessage: (text: string) => void },
): Socket {
  const access = transport.webSocket;
  const handshake: Handshake = {};
  const webSocket = new WebSocket(access.urlOf(path), {
    protocols: ["prefect"],
    headers: { ...access.headers },
    dispatcher: access.dispatcher.compose(
      (dispatch) => (options, handler) => dispatch(options, watch(handler, handshake)),
    ),
  });
  let received = 0;

  function onControlFrame(message: unknown): void {
    if (isAbout(message, webSocket)) received += 1;
  }
  subscribe("undici:websocket:ping", onControlFrame);
  subscribe("undici:websocket:pong", onControlFrame);

  const closed = new Promise<Error>((resolve) => {
    webSocket.addEventListener("close", ({ code, reason }) => {
      unsubscribe("undici:websocket:ping", onControlFrame);
      unsubscribe("undici:websocket:pong", onControlFrame);
      resolve(endingOf(handshake, transport, path) ?? new SocketClosedError(code, transport.redact(reason)));
    });
  });
  webSocket.addEventListener("error", () => undefined); // "close" follows and says the same
  webSocket.addEventListener("open", listeners.onOpen);
  webSocket.addEventListener("message", ({ data }) => {
    received += 1;
    if (typeof data === "string") listeners.onMessage(data);
  });

  return {
    send: (text) => webSocket.send(text),
    get received() {
      return received;
    },
    ping: () => ping(webSocket),
    destroy() {
      webSocket.close();
      handshake.socket?.destroy();
    },
    closed,
  };
}

function endingOf({ status, failure }: Handshake, transport: Transport, path: string): Error | undefined {
  if (status !== undefined) {
    return new ApiError({ method: "GET", path, status, detail: "the WebSocket was refused" });
  }
  return failure === undefined ? undefined : transport.describe(failure, { method: "GET", path });
}

/** Passes everything on, and notes how the handshake went. */
function watch(handler: Dispatcher.DispatchHandler, handshake: Handshake): Dispatcher.DispatchHandler {
  return {
    onRequestStart: (controller, context) => handler.onRequestStart?.(controller, context),
    onRequestUpgrade(controller, statusCode, headers, socket) {
      handshake.socket = socket;
      handler.onRequestUpgrade?.(controller, statusCode, headers, socket);
    },
    onResponseStart(controller, statusCode, headers, statusMessage) {
      handshake.status = statusCode;
      handler.onResponseStart?.(controller, statusCode, headers, statusMessage);
    },
    onResponseData: (controller, chunk) => handler.onResponseData?.(controller, chunk),
    onResponseEnd: (controller, trailers) => handler.onResponseEnd?.(controller, trailers),
    onResponseError(controller, error) {
      handshake.failure = error;
      handler.onResponseError?.(controller, error);
    },
  };
}

function isAbout(message: unknown, webSocket: unknown): boolean {
  return (
    typeof message === "object" &&
    message !== null &&
    "websocket" in message &&
    message.websocket === webSocket
  );
}
