import { isJsonObject } from "../../json/value.ts";
import { stringifyJson } from "../../json/stringify.ts";
import { messageOf, sendText } from "../http/web-sockets.ts";
import { EventInbox } from "./receive.ts";
import { parseEventFilter } from "./filter.ts";
import { eventCondition } from "./condition.ts";
import { recentEvents } from "./read.ts";

import type { WebSocket } from "ws";

import type { Json } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { Condition } from "../filters/conditions.ts";
import type { EventFilter } from "./filter.ts";
import type { ServerEvent } from "./event.ts";

const MAX_BACKFILL = 500;
const PROTOCOL_ERROR = 1002;

/** `/events/in`: one event a message, no acknowledgements (protocol §2.5). */
export function serveEventsIn(socket: WebSocket, context: ServerContext): void {
  const inbox = new EventInbox(context);
  socket.on("message", (data) => {
    const message = messageOf(data);
    if (message !== undefined) inbox.add(message);
  });
}

/** `/events/out`: after the filter, the events since its beginning and then the new ones (protocol §7.1). */
export function serveEventsOut(socket: WebSocket, context: ServerContext): void {
  socket.once("message", (data) => {
    const message = messageOf(data);
    if (message?.["type"] !== "filter" || !isJsonObject(message["filter"])) {
      socket.close(PROTOCOL_ERROR, "Expected 'filter' message");
      return;
    }
    let filter: EventFilter;
    let condition: Condition;
    try {
      filter = parseEventFilter(message["filter"]);
      condition = eventCondition(message["filter"], ["filter"]);
    } catch {
      socket.close(PROTOCOL_ERROR, "Invalid filter");
      return;
    }
    const unsubscribe = context.events.subscribe((events) => {
      for (const event of events) if (filter.matches(event)) send(socket, event);
    });
    socket.once("close", unsubscribe);
    if (message["backfill"] === false) return;
    for (const event of recentEvents(context.database, condition, MAX_BACKFILL)) send(socket, event);
  });
}

function send(socket: WebSocket, event: ServerEvent): void {
  sendText(socket, stringifyJson({ type: "event", event: event as unknown as Json }));
}
