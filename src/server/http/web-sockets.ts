import { WebSocketServer } from "ws";

import { parseJson } from "../../json/parse.ts";
import { isJsonObject } from "../../json/value.ts";
import { isSame } from "./auth.ts";

import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";

import type { JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";

/** Serves one authenticated connection, until it is closed. */
export type SocketHandler = (socket: WebSocket, context: ServerContext) => void;

export interface WebSockets {
  /** Ends all connections. */
  close(): void;
}

const POLICY_VIOLATION = 1008;
const GOING_AWAY = 1001;
const TRY_AGAIN_LATER = 1013;
const AUTH_TIMEOUT_MS = 30_000;
const PING_INTERVAL_MS = 30_000;
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const MAX_BUFFERED_BYTES = 16 * 1024 * 1024;

/**
 * Serves WebSockets by path (`/api/events/in`…). The handshake is Prefect's: subprotocol `prefect`, then
 * `{"type":"auth","token":…}` answered by `{"type":"auth_success"}` (protocol §2.5, §7.1).
 * A peer that answers no ping is dropped.
 */
export function attachWebSockets(
  server: Server,
  context: ServerContext,
  handlers: Readonly<Record<string, SocketHandler>>,
): WebSockets {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    handleProtocols: (offered) => (offered.has("prefect") ? "prefect" : false),
  });
  const alive = new WeakSet<WebSocket>();

  server.on("upgrade", (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    const [path = ""] = (request.url ?? "").split("?", 1);
    const handler = handlers[path.replace(/\/$/, "")];
    if (handler === undefined) {
      stream.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    sockets.handleUpgrade(request, stream, head, (socket) => {
      alive.add(socket);
      socket.on("pong", () => alive.add(socket));
      socket.on("error", () => socket.terminate());
      if (socket.protocol !== "prefect") {
        socket.close(POLICY_VIOLATION, "The subprotocol 'prefect' is required");
        return;
      }
      authenticate(socket, context, () => handler(socket, context));
    });
  });

  const pings = setInterval(() => {
    for (const socket of sockets.clients) {
      if (!alive.delete(socket)) socket.terminate();
      else socket.ping();
    }
  }, PING_INTERVAL_MS);
  pings.unref();

  return {
    close() {
      clearInterval(pings);
      for (const socket of sockets.clients) {
        socket.close(GOING_AWAY, "The server is shutting down");
        socket.terminate();
      }
      sockets.close();
    },
  };
}

/** A text message as a JSON object; undefined when it is none. */
export function messageOf(data: unknown): JsonObject | undefined {
  try {
    const json = parseJson(String(data));
    return isJsonObject(json) ? json : undefined;
  } catch {
    return undefined;
  }
}

/** Sends a message; a reader that is too far behind is dropped instead: it comes back and asks again. */
export function sendText(socket: WebSocket, text: string): void {
  if (socket.readyState !== socket.OPEN) return;
  if (socket.bufferedAmount > MAX_BUFFERED_BYTES) socket.close(TRY_AGAIN_LATER, "Too far behind");
  else socket.send(text);
}

function authenticate(socket: WebSocket, context: ServerContext, proceed: () => void): void {
  const timer = setTimeout(() => socket.close(POLICY_VIOLATION, "Auth required"), AUTH_TIMEOUT_MS);
  timer.unref();
  socket.once("close", () => clearTimeout(timer));
  socket.once("message", (data) => {
    clearTimeout(timer);
    const message = messageOf(data);
    const { authString } = context.settings;
    const token = message?.["token"];
    const isRight = authString === undefined || (typeof token === "string" && isSame(token, authString));
    if (message?.["type"] !== "auth" || !isRight) {
      socket.close(
        POLICY_VIOLATION,
        message?.["type"] === "auth" ? "Auth failed" : "Expected an auth message",
      );
      return;
    }
    proceed();
    socket.send('{"type":"auth_success"}');
  });
}
