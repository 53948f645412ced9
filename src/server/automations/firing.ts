import { v7 as uuidv7 } from "uuid";

import { parseJson } from "../../json/parse.ts";
import { stringifyJson } from "../../json/stringify.ts";
import { isJsonObject } from "../../json/value.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { Resource, ServerEvent } from "../events/event.ts";
import type { Trigger } from "./trigger.ts";

/** One instance of a trigger that fires. */
export interface Firing {
  readonly id: string;
  readonly trigger: Trigger;
  /** Stored form. */
  readonly triggered: string;
  /** The values of the trigger's `for_each` labels. */
  readonly triggeringLabels: Resource;
  /** Of a composite trigger: the firings that made it fire, as JSON. */
  readonly triggeringFirings: readonly JsonObject[];
  /** The last event that it has seen. */
  readonly triggeringEvent: ServerEvent | null;
}

export function newFiring(
  trigger: Trigger,
  triggered: string,
  rest: Partial<Pick<Firing, "triggeringLabels" | "triggeringFirings" | "triggeringEvent">>,
): Firing {
  return {
    id: uuidv7(),
    trigger,
    triggered,
    triggeringLabels: rest.triggeringLabels ?? {},
    triggeringFirings: rest.triggeringFirings ?? [],
    triggeringEvent: rest.triggeringEvent ?? null,
  };
}

/** A firing in the form in which templates and the store have it (prefect: Firing). */
export function firingJson(firing: Firing): JsonObject {
  return {
    id: firing.id,
    trigger: firing.trigger.json,
    trigger_states: ["Triggered"],
    triggered: firing.triggered,
    triggering_labels: firing.triggeringLabels,
    triggering_firings: firing.triggeringFirings,
    triggering_event: firing.triggeringEvent === null ? null : eventJson(firing.triggeringEvent),
    triggering_value: null,
  };
}

/** An event as JSON, in the order of Prefect's fields. */
export function eventJson(event: ServerEvent): JsonObject {
  return {
    occurred: event.occurred,
    event: event.event,
    resource: event.resource,
    related: event.related,
    payload: event.payload,
    id: event.id,
    follows: event.follows,
    received: event.received,
  };
}

export function eventText(event: ServerEvent | null): string | null {
  return event === null ? null : stringifyJson(eventJson(event));
}

/** Reads what `eventText` wrote. */
export function eventOfText(text: string | null): ServerEvent | null {
  return text === null ? null : (parseJson(text) as unknown as ServerEvent);
}

/** The firing and all that made it fire. */
export function allFirings(firing: JsonObject): JsonObject[] {
  const children = firing["triggering_firings"];
  const list = Array.isArray(children) ? (children as readonly Json[]) : [];
  return [firing, ...list.filter((child) => isJsonObject(child)).flatMap((child) => allFirings(child))];
}
