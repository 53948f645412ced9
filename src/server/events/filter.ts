import { isJsonObject } from "../../json/value.ts";
import { textsOf } from "../http/body.ts";
import { parseTimestamp } from "../store/timestamp.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { Resource, ServerEvent } from "./event.ts";

/** Says whether an event is asked for. */
type EventPredicate = (event: ServerEvent) => boolean;

/** A client's filter of events (prefect/server/events/filters.py). */
export interface EventFilter {
  /** Stored form; events from then on are sent before the live ones. */
  readonly since: string | undefined;
  readonly until: string | undefined;
  readonly matches: EventPredicate;
}

/** Compiles a filter; unknown fields are ignored. Throws a 422 for values of the wrong kind. */
export function parseEventFilter(filter: JsonObject): EventFilter {
  const occurred = isJsonObject(filter["occurred"]) ? filter["occurred"] : {};
  const [since, until] = [timeIn(occurred, "since"), timeIn(occurred, "until")];
  const predicates: EventPredicate[] = [
    ...nameFilter(filter["event"]),
    ...resourceFilter(filter["resource"]),
    ...relatedFilter(filter["related"], (event) => event.related),
    ...relatedFilter(filter["any_resource"], (event) => [event.resource, ...event.related]),
    ...idFilter(filter["id"]),
  ];
  return {
    since,
    until,
    matches: (event) =>
      (since === undefined || event.occurred >= since) &&
      (until === undefined || event.occurred <= until) &&
      predicates.every((matches) => matches(event)),
  };
}

function nameFilter(filter: Json | undefined): EventPredicate[] {
  if (!isJsonObject(filter)) return [];
  const [names, prefixes] = [textsOf(filter, "name") ?? [], textsOf(filter, "prefix") ?? []];
  const [noNames, noPrefixes] = [
    textsOf(filter, "exclude_name") ?? [],
    textsOf(filter, "exclude_prefix") ?? [],
  ];
  return [
    ({ event }) =>
      (names.length === 0 || names.includes(event)) &&
      (prefixes.length === 0 || prefixes.some((prefix) => event.startsWith(prefix))) &&
      !noNames.includes(event) &&
      !noPrefixes.some((prefix) => event.startsWith(prefix)),
  ];
}

function resourceFilter(filter: Json | undefined): EventPredicate[] {
  if (!isJsonObject(filter)) return [];
  const matches = resourcePredicate(filter);
  return [({ resource }) => matches(resource)];
}

/** One filter, or several of which each must be met by one of the resources. */
function relatedFilter(
  filter: Json | undefined,
  resourcesOf: (event: ServerEvent) => readonly Resource[],
): EventPredicate[] {
  const filters = Array.isArray(filter) ? (filter as readonly Json[]) : [filter];
  return filters
    .filter((item) => isJsonObject(item))
    .map((item) => {
      const matches = resourcePredicate(item);
      return (event) => resourcesOf(event).some((resource) => matches(resource));
    });
}

function resourcePredicate(filter: JsonObject): (resource: Resource) => boolean {
  const ids = textsOf(filter, "id") ?? [];
  const prefixes = textsOf(filter, "id_prefix") ?? [];
  const roles = textsOf(filter, "role") ?? [];
  const labels = isJsonObject(filter["labels"]) ? Object.entries(filter["labels"]) : [];
  return (resource) => {
    const id = resource["prefect.resource.id"] ?? "";
    return (
      (ids.length === 0 || ids.includes(id)) &&
      (prefixes.length === 0 || prefixes.some((prefix) => id.startsWith(prefix))) &&
      (roles.length === 0 || roles.includes(resource["prefect.resource.role"] ?? "")) &&
      labels.every(([label, wanted]) => isLabel(resource[label], wanted))
    );
  };
}

/** A text or a list of texts; `!x` is anything but x, `x*` anything that begins so. */
function isLabel(value: string | undefined, wanted: Json): boolean {
  if (value === undefined) return false;
  const patterns = (Array.isArray(wanted) ? (wanted as readonly Json[]) : [wanted]).map(String);
  const positive = patterns.filter((pattern) => !pattern.startsWith("!"));
  const negative = patterns.filter((pattern) => pattern.startsWith("!")).map((pattern) => pattern.slice(1));
  return (
    (positive.length === 0 || positive.some((pattern) => isLike(value, pattern))) &&
    !negative.some((pattern) => isLike(value, pattern))
  );
}

function isLike(value: string, pattern: string): boolean {
  return pattern.endsWith("*") ? value.startsWith(pattern.slice(0, -1)) : value === pattern;
}

function idFilter(filter: Json | undefined): EventPredicate[] {
  const ids = isJsonObject(filter) ? (textsOf(filter, "id") ?? []) : [];
  return ids.length === 0 ? [] : [({ id }) => ids.includes(id)];
}

function timeIn(object: JsonObject, key: string): string | undefined {
  const value = object[key];
  return typeof value === "string" ? parseTimestamp(value) : undefined;
}
