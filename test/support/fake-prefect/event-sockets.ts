import { WebSocketServer } from "ws";

import { textOf, textsOf } from "../../../src/api/fields.ts";
import { isJsonObject } from "../../../src/json/value.ts";

import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { PrefectEvent } from "../../../src/api/types.ts";
import type { Json, JsonObject } from "../../../src/json/value.ts";

interface Subscriber {
  readonly socket: WebSocket;
  readonly filter: JsonObject;
}

/** The `/events/out` side of the fake server: auth, filter, backfill, then live events (protocol §7.1). */
export class EventSockets {
  /** Answers every handshake with this status instead of opening the socket. */
  refuseWith: number | undefined;
  /** Token that a subscriber must send. */
  readonly #token: string | null;
  readonly #history: PrefectEvent[] = [];
  readonly #server = new WebSocketServer({ noServer: true, handleProtocols: () => "prefect" });
  readonly #sockets = new Set<Duplex>();
  readonly #onChange: () => void;
  #subscribers: Subscriber[] = [];
  #isSilent = false;
  #pingCount = 0;

  constructor(token: string | null, onChange: () => void) {
    this.#token = token;
    this.#onChange = onChange;
  }

  /** Filters of the subscriptions that are open. */
  get filters(): readonly JsonObject[] {
    return this.#subscribers.map(({ filter }) => filter);
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    const path = new URL(request.url ?? "/", "http://fake").pathname;
    const status = path.endsWith("/events/out") ? this.refuseWith : 404;
    if (status !== undefined) {
      socket.end(`HTTP/1.1 ${status} Refused\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    this.#server.handleUpgrade(request, socket, head, (webSocket) => this.#greet(webSocket));
  }

  emit(event: PrefectEvent): void {
    this.#history.push(event);
    for (const subscriber of this.#subscribers) deliver(subscriber, event);
  }

  /** Sends any text to all subscribers. */
  sendText(text: string): void {
    for (const { socket } of this.#subscribers) socket.send(text);
  }

  /** Pings that came from clients. */
  get pingCount(): number {
    return this.#pingCount;
  }

  /** Breaks all connections without a closing handshake. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** From now on nothing is read or answered on the open connections, not even pings: a half-open peer. */
  fallSilent(): void {
    this.#isSilent = true;
    for (const socket of this.#sockets) socket.pause();
    this.#subscribers = [];
  }

  #greet(socket: WebSocket): void {
    let isAuthenticated = false;
    socket.on("error", () => socket.terminate());
    socket.on("ping", () => {
      this.#pingCount += 1;
      this.#onChange();
    });
    socket.on("close", () => {
      this.#subscribers = this.#subscribers.filter((subscriber) => subscriber.socket !== socket);
      this.#onChange();
    });
    socket.on("message", (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as Json;
      if (!isJsonObject(frame)) return;
      if (frame["type"] === "auth") {
        if (this.#token !== null && frame["token"] !== this.#token) {
          socket.close(1008, "Invalid token");
          return;
        }
        isAuthenticated = true;
        socket.send(JSON.stringify({ type: "auth_success" }));
      } else if (frame["type"] === "filter" && isAuthenticated) {
        const filter = frame["filter"];
        const subscriber = { socket, filter: isJsonObject(filter) ? filter : {} };
        for (const event of this.#history) deliver(subscriber, event);
        if (!this.#isSilent) this.#subscribers.push(subscriber);
        this.#onChange();
      }
    });
    this.#isSilent = false;
  }
}

function deliver({ socket, filter }: Subscriber, event: PrefectEvent): void {
  if (matches(filter, event)) socket.send(JSON.stringify({ type: "event", event }));
}

function matches(filter: JsonObject, event: PrefectEvent): boolean {
  const names = listIn(filter["event"], "name");
  const prefixes = listIn(filter["event"], "prefix");
  const resources = listIn(filter["any_resource"], "id");
  const since = isJsonObject(filter["occurred"]) ? textOf(filter["occurred"], "since") : null;
  const ids = [event.resource, ...event.related].map((resource) => resource["prefect.resource.id"]);
  return (
    (names.length === 0 || names.includes(event.event)) &&
    (prefixes.length === 0 || prefixes.some((prefix) => event.event.startsWith(prefix))) &&
    (resources.length === 0 || ids.some((id) => resources.includes(id))) &&
    (since === null || event.occurred >= since)
  );
}

function listIn(value: Json | undefined, key: string): readonly string[] {
  return isJsonObject(value) ? textsOf(value, key) : [];
}
