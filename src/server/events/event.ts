import { v7 as uuidv7 } from "uuid";

import { stringifyJson } from "../../json/stringify.ts";
import { timestampOf } from "../store/timestamp.ts";

import type { JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { Transaction } from "../store/database.ts";

/** Labels of a resource; `prefect.resource.id` is always among them. */
export type Resource = Readonly<Record<string, string>>;

/** An event as clients send and get it (protocol §2.5), with the instant at which the server got it. */
export interface ServerEvent {
  readonly id: string;
  readonly occurred: string;
  readonly received: string;
  readonly event: string;
  readonly resource: Resource;
  readonly related: readonly Resource[];
  readonly payload: JsonObject;
  readonly follows: string | null;
}

export interface NewEvent {
  readonly event: string;
  readonly resource: Resource;
  readonly related?: readonly Resource[];
  readonly payload?: JsonObject;
  readonly id?: string;
  readonly occurred?: string;
  readonly follows?: string | null;
}

/** Records an event of the server's own as part of the transaction; subscribers get it once that is committed. */
export function emitEvent(context: ServerContext, transaction: Transaction, event: NewEvent): ServerEvent {
  const received = timestampOf(context.clock.now());
  const whole: ServerEvent = {
    id: event.id ?? uuidv7(),
    occurred: event.occurred ?? received,
    received,
    event: event.event,
    resource: event.resource,
    related: event.related ?? [],
    payload: event.payload ?? {},
    follows: event.follows ?? null,
  };
  recordEvent(context, transaction, whole);
  return whole;
}

/** Records an event, unless one with its id is there already. Returns whether it is new. */
export function recordEvent(context: ServerContext, transaction: Transaction, event: ServerEvent): boolean {
  const added = transaction.run(
    "INSERT OR IGNORE INTO event (id, occurred, received, event, resource_id, resource, related, payload, follows) VALUES (?,?,?,?,?,?,?,?,?)",
    event.id,
    event.occurred,
    event.received,
    event.event,
    event.resource["prefect.resource.id"] ?? "",
    JSON.stringify(event.resource),
    JSON.stringify(event.related),
    stringifyJson(event.payload),
    event.follows,
  );
  if (added > 0) transaction.afterCommit(() => context.events.publish([event]));
  return added > 0;
}
