import { condition, filterBy, joined } from "../filters/conditions.ts";
import { searchCondition } from "../filters/search.ts";
import {
  parseBoolean,
  parseObject,
  parseText,
  parseTexts,
  parseTime,
  parseUuids,
  wordOf,
} from "../http/body.ts";

import type { Json } from "../../json/value.ts";
import type { Condition, Fields, Operator } from "../filters/conditions.ts";
import type { Location } from "../http/body.ts";

const ID = "prefect.resource.id";
const ROLE = "prefect.resource.role";

/** A filter of stored events as a condition (prefect/server/events/filters.py). Throws a 422 for what it cannot hold. */
export function eventCondition(filter: Json | undefined, location: Location): Condition {
  return joined(filterBy(FIELDS, filter, location));
}

/** SQL: a label of a resource, which is a JSON object. */
function label(resource: string, name: string): string {
  return `json_extract(${resource}, '$."${name}"')`;
}

/** An operator for a list of texts of which one must match; an empty list asks for nothing. */
function oneOf(match: (text: string) => Condition): Operator {
  return (value, location) => {
    const texts = parseTexts(value, location);
    return texts.length === 0
      ? condition("1")
      : joined(
          texts.map((text) => match(text)),
          "OR",
        );
  };
}

function noneOf(match: (text: string) => Condition): Operator {
  return (value, location) =>
    joined(
      parseTexts(value, location).map((text) => {
        const { sql, values } = match(text);
        return { sql: `NOT (${sql})`, values };
      }),
    );
}

function equals(column: string): (text: string) => Condition {
  return (text) => condition(`${column} = ?`, text);
}

function beginsWith(column: string): (text: string) => Condition {
  return (text) => condition(`substr(${column}, 1, length(?)) = ?`, text, text);
}

/** What may be asked of a resource, which is a JSON object at `resource`. */
function resourceFields(resource: string, id: string): Fields {
  return {
    id: oneOf(equals(id)),
    id_prefix: oneOf(beginsWith(id)),
    role: oneOf(equals(label(resource, ROLE))),
    resources_in_roles: (value, location) =>
      joined(
        (Array.isArray(value) ? (value as readonly Json[]) : []).map((pair, index) => {
          const [wanted = "", role = ""] = parseTexts(pair, [...location, index]);
          return condition(`${id} = ? AND ${label(resource, ROLE)} = ?`, wanted, role);
        }),
        "OR",
      ),
    labels: (value, location) =>
      joined(
        Object.entries(parseObject(value, location)).map(([name, wanted]) =>
          labelCondition(resource, name, wanted, [...location, name]),
        ),
      ),
  };
}

/** A text or a list of texts; `!x` is anything but x. */
function labelCondition(resource: string, name: string, wanted: Json, location: Location): Condition {
  const patterns = Array.isArray(wanted) ? parseTexts(wanted, location) : [parseText(wanted, location)];
  const path = `$."${name.replaceAll('"', "")}"`;
  const matches = (pattern: string): Condition =>
    condition(`json_extract(${resource}, ?) LIKE ? ESCAPE '\\'`, path, likePattern(pattern));
  const positive = patterns.filter((pattern) => !pattern.startsWith("!"));
  const negative = patterns.filter((pattern) => pattern.startsWith("!"));
  return joined([
    ...(positive.length === 0
      ? []
      : [
          joined(
            positive.map((pattern) => matches(pattern)),
            "OR",
          ),
        ]),
    ...negative.map((pattern) => {
      const { sql, values } = matches(pattern.slice(1));
      return { sql: `NOT coalesce(${sql}, 1)`, values };
    }),
  ]);
}

/** `*` stands for any text and `?` for any letter; SQL's own wildcards stand for themselves. */
function likePattern(pattern: string): string {
  return pattern
    .replaceAll(/[\\%_]/g, "\\$&")
    .replaceAll("*", "%")
    .replaceAll("?", "_");
}

/** One filter, or several of which each must be met by one of the related resources (or, for `any`, by the event's own). */
function relatedOperator(any: boolean): Operator {
  const [own, other] = [
    resourceFields("event.resource", "event.resource_id"),
    resourceFields("r.value", label("r.value", ID)),
  ];
  return (value, location) => {
    const filters = Array.isArray(value) ? (value as readonly Json[]) : [value];
    return joined(
      filters.map((filter) => {
        const related = joined(filterBy(other, filter, location));
        if (related.sql === "1") return related;
        const among = {
          sql: `EXISTS (SELECT 1 FROM json_each(event.related) r WHERE ${related.sql})`,
          values: related.values,
        };
        return any ? joined([joined(filterBy(own, filter, location)), among], "OR") : among;
      }),
    );
  };
}

const FIELDS: Fields = {
  occurred: {
    since: (value, location) => condition("event.occurred >= ?", parseTime(value, location)),
    until: (value, location) => condition("event.occurred <= ?", parseTime(value, location)),
  },
  event: {
    name: oneOf(equals("event.event")),
    prefix: oneOf(beginsWith("event.event")),
    exclude_name: noneOf(equals("event.event")),
    exclude_prefix: noneOf(beginsWith("event.event")),
  },
  resource: {
    ...resourceFields("event.resource", "event.resource_id"),
    // Concerns what is read, not what matches.
    distinct: (value, location) => {
      parseBoolean(value, location);
      return condition("1");
    },
  },
  related: relatedOperator(false),
  any_resource: relatedOperator(true),
  id: {
    id: (value, location) => {
      const ids = parseUuids(value, location);
      return ids.length === 0
        ? condition("1")
        : condition("event.id IN (SELECT value FROM json_each(?))", JSON.stringify(ids));
    },
  },
  text: {
    query: (value, location) =>
      searchCondition(
        "event.event || ' ' || event.resource || ' ' || event.related || ' ' || event.payload",
        parseText(value, location),
      ),
  },
  order: (value, location) => {
    wordOf({ order: value }, "order", ["ASC", "DESC"], location.slice(0, -1));
    return condition("1");
  },
};
