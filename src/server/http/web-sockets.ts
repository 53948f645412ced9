import { WebSocketServer } from "ws";

import { parseJson } from "../../json/parse.ts";
import { isJsonObject } from "../../json/value.ts";
import { isSame } from "./auth.ts";
import { isForeignSocket } from "./origin.ts";

import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";

import type { Json, JsonObject } from "../../json/value.ts";
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
 * `{"type":"auth","token":…}` answered by `{"type":"auth_success"}` (protocol §2.5, §7.1); without an auth string it may be left out.
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
    const hasHandshake = protocolsOf(request).includes("prefect");
    // So Prefect's server refuses unknown paths, too.
    if (handler === undefined || (!hasHandshake && context.settings.authString !== undefined)) {
      stream.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    // With a password no page can know it.
    if (context.settings.authString === undefined && isForeignSocket(request.headers)) {
      stream.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    sockets.handleUpgrade(request, stream, head, (socket) => {
      alive.add(socket);
      socket.on("pong", () => alive.add(socket));
      socket.on("error", () => socket.terminate());
      // Old clients know no handshake; an open server serves them too.
      if (hasHandshake) authenticate(socket, context, () => handler(socket, context));
      else handler(socket, context);
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

function protocolsOf(request: IncomingMessage): readonly string[] {
  return (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
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
    const problem =
      message?.["type"] === "auth"
        ? tokenProblem(message["token"], context.settings.authString)
        : "Expected 'auth' message";
    if (problem !== undefined) {
      socket.close(POLICY_VIOLATION, problem);
      return;
    }
    proceed();
    socket.send('{"type":"auth_success"}');
  });
}

function tokenProblem(token: Json | undefined, authString: string | undefined): string | undefined {
  if (authString === undefined) return undefined;
  if (typeof token !== "string" || token === "") return "Auth required but no token provided";
  return isSame(token, authString) ? undefined : "Invalid token";
}
