import { randomUUID } from "node:crypto";

import { stringifyJson } from "../../json/stringify.ts";
import { isJsonObject } from "../../json/value.ts";
import { parseTimestamp, timestampOf } from "../store/timestamp.ts";
import { recordTaskRun } from "../tasks/recorder.ts";
import { recordEvent } from "./event.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { Transaction } from "../store/database.ts";
import type { Resource, ServerEvent } from "./event.ts";

/** Reads an event as a client sends it (protocol §2.5); undefined when it is none. */
export function parseEvent(json: JsonObject, received: string): ServerEvent | undefined {
  const { event, resource } = json;
  if (typeof event !== "string" || !isJsonObject(resource)) return undefined;
  const labels = resourceOf(resource);
  if (labels["prefect.resource.id"] === undefined) return undefined;
  const related = Array.isArray(json["related"]) ? (json["related"] as readonly Json[]) : [];
  const { id, occurred, follows, payload } = json;
  return {
    id: typeof id === "string" ? id.toLowerCase() : randomUUID(),
    occurred: typeof occurred === "string" ? parseTimestamp(occurred) : received,
    received,
    event,
    resource: labels,
    related: related.filter((item) => isJsonObject(item)).map((item) => resourceOf(item)),
    payload: isJsonObject(payload) ? payload : {},
    follows: typeof follows === "string" ? follows : null,
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
    let event: ServerEvent | undefined;
    try {
      event = parseEvent(json, timestampOf(clock.now()));
    } catch {
      event = undefined;
    }
    if (event === undefined) {
      logger.debug("An event that cannot be understood was dropped");
      return;
    }
    this.#waiting.push(event);
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

function resourceOf(json: JsonObject): Resource {
  return Object.fromEntries(
    Object.entries(json).map(([key, value]) => [
      key,
      typeof value === "string" ? value : stringifyJson(value),
    ]),
  );
}
