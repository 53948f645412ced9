import { stringifyJson } from "../../json/stringify.ts";
import { objectOf, parseObject, requiredText, timeOf, uuidOf } from "../http/body.ts";
import { invalidRequest } from "../http/errors.ts";
import { timestampOf } from "../store/timestamp.ts";
import { recordTaskRun } from "../tasks/recorder.ts";
import { recordEvent } from "./event.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { Location } from "../http/body.ts";
import type { Transaction } from "../store/database.ts";
import type { Resource, ServerEvent } from "./event.ts";

/** Reads an event as a client sends it (protocol §2.5). Throws a 422 for what is none. */
export function parseEvent(json: JsonObject, received: string, location: Location): ServerEvent {
  const occurred = timeOf(json, "occurred", location);
  if (occurred === undefined) throw invalidRequest([...location, "occurred"], "Field required", json);
  const event = requiredText(json, "event", location);
  const resource = resourceOf(json["resource"], [...location, "resource"]);
  const id = uuidOf(json, "id", location);
  if (id === undefined) throw invalidRequest([...location, "id"], "Field required", json);
  const related = json["related"] ?? [];
  if (!Array.isArray(related))
    throw invalidRequest([...location, "related"], "Input should be a valid list", related);
  return {
    id,
    occurred,
    received,
    event,
    resource,
    related: (related as readonly Json[]).map((item, index) =>
      resourceOf(item, [...location, "related", index]),
    ),
    payload: objectOf(json, "payload", location) ?? {},
    follows: uuidOf(json, "follows", location) ?? null,
  };
}

/** Records what clients sent, in their order, and takes the task runs from it. */
export function receiveEvents(context: ServerContext, tx: Transaction, events: readonly ServerEvent[]): void {
  for (const event of events) {
    if (!recordEvent(context, tx, event)) continue;
    if (event.event.startsWith("prefect.task-run.")) recordTaskRun(context, tx, event);
  }
}

/** Collects the events that come within one turn of the event loop into one transaction. */
export class EventInbox {
  readonly #context: ServerContext;
  #waiting: ServerEvent[] = [];

  constructor(context: ServerContext) {
    this.#context = context;
  }

  /** An event that is none is dropped, as Prefect does. */
  add(json: JsonObject): void {
    const { clock, database, logger } = this.#context;
    try {
      this.#waiting.push(parseEvent(json, timestampOf(clock.now()), []));
    } catch (thrown) {
      logger.debug({ err: thrown }, "An event that cannot be understood was dropped");
      return;
    }
    if (this.#waiting.length > 1) return;
    void database
      .write((tx) => {
        const events = this.#waiting;
        this.#waiting = [];
        receiveEvents(this.#context, tx, events);
      })
      .catch((thrown: unknown) => logger.warn({ err: thrown }, "Events could not be stored"));
  }
}

function resourceOf(value: Json | undefined, location: Location): Resource {
  const resource = Object.fromEntries(
    Object.entries(parseObject(value, location)).map(([key, label]) => [
      key,
      typeof label === "string" ? label : stringifyJson(label),
    ]),
  );
  if (resource["prefect.resource.id"] === undefined)
    throw invalidRequest(location, "Resources must include the prefect.resource.id label", value);
  return resource;
}
