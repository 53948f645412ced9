import { isJsonObject } from "../../json/value.ts";
import { stringifyJson } from "../../json/stringify.ts";
import { messageOf, sendText } from "../http/web-sockets.ts";
import { EventInbox } from "./receive.ts";
import { parseEventFilter } from "./filter.ts";
import { readEvents } from "./read.ts";

import type { WebSocket } from "ws";

import type { Json } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { EventFilter } from "./filter.ts";
import type { ServerEvent } from "./event.ts";

const MAX_BACKFILL = 500;
const POLICY_VIOLATION = 1008;

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
      socket.close(POLICY_VIOLATION, "Expected a filter message");
      return;
    }
    let filter: EventFilter;
    try {
      filter = parseEventFilter(message["filter"]);
    } catch {
      socket.close(POLICY_VIOLATION, "The filter cannot be understood");
      return;
    }
    const unsubscribe = context.events.subscribe((events) => {
      for (const event of events) if (filter.matches(event)) send(socket, event);
    });
    socket.once("close", unsubscribe);
    const past = readEvents(context.database, filter, { limit: MAX_BACKFILL });
    for (const event of past.toReversed()) send(socket, event);
  });
}

function send(socket: WebSocket, event: ServerEvent): void {
  sendText(socket, stringifyJson({ type: "event", event: event as unknown as Json }));
}
