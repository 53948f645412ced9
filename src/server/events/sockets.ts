import { isJsonObject } from "../../json/value.ts";
import { stringifyJson } from "../../json/stringify.ts";
import { joined } from "../filters/conditions.ts";
import { addSeconds, timestampOf } from "../store/timestamp.ts";
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
/** Prefect's `PREFECT_SERVER_EVENTS_MAXIMUM_WEBSOCKET_BACKFILL`. */
const BACKFILL_SECONDS = 15 * 60;
const PROTOCOL_ERROR = 1002;

/** `/events/in`: one event a message, no acknowledgements (protocol §2.5). */
export function serveEventsIn(socket: WebSocket, context: ServerContext): void {
  const inbox = new EventInbox(context);
  socket.on("message", (data) => {
    const message = messageOf(data);
    if (message !== undefined) inbox.add(message);
  });
}

/**
 * `/events/out`: after the filter, the events since its beginning, at most those of the last quarter of an hour, and then the new
 * ones; `backfill: false` wants only these (protocol §7.1; prefect/server/api/events.py).
 */
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
    const earliest = addSeconds(timestampOf(context.clock.now()), -BACKFILL_SECONDS);
    const recent = joined([condition, { sql: "occurred >= ?", values: [earliest] }]);
    for (const event of recentEvents(context.database, recent, MAX_BACKFILL)) send(socket, event);
  });
}

function send(socket: WebSocket, event: ServerEvent): void {
  sendText(socket, stringifyJson({ type: "event", event: event as unknown as Json }));
}
