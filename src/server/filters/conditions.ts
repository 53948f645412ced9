import {
  parseBoolean,
  parseNumber,
  parseObject,
  parseText,
  parseTexts,
  parseTime,
  parseUuids,
} from "../http/body.ts";
import { invalidRequest } from "../http/errors.ts";

import type { Json } from "../../json/value.ts";
import type { Location } from "../http/body.ts";
import type { Reader, SqlValue } from "../store/database.ts";

/** A part of a WHERE clause with its values. */
export interface Condition {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

/** Turns the value of an operator, as `any_`, into a condition; `location` is where it stands in the request. */
export type Operator = (value: Json, location: Location) => Condition;

/** What a filter may hold, by key: operators, or fields with operators of their own. */
export interface Fields {
  readonly [key: string]: Operator | Fields;
}

export function condition(sql: string, ...values: readonly SqlValue[]): Condition {
  return { sql, values };
}

/** Joins with AND (or OR); nothing at all is true. */
export function joined(conditions: readonly Condition[], operator: "AND" | "OR" = "AND"): Condition {
  if (conditions.length === 0) return { sql: "1", values: [] };
  return {
    sql: conditions.map(({ sql }) => `(${sql})`).join(` ${operator} `),
    values: conditions.flatMap(({ values }) => values),
  };
}

/** How many rows of a table a condition chooses. */
export function countRows(reader: Reader, table: string, { sql, values }: Condition): number {
  return reader.get<{ n: number }>(`SELECT count(*) AS n FROM ${table} WHERE ${sql}`, ...values)?.n ?? 0;
}

/**
 * The conditions of a filter by the table of its fields; `operator: or_` joins them with OR. What is null is not filtered. Throws
 * a 422 for a key that is not in the table: a filter that is not understood must not choose everything.
 */
export function filterBy(fields: Fields, filter: Json | undefined, location: Location): Condition[] {
  if (filter === undefined || filter === null) return [];
  const given = parseObject(filter, location);
  const conditions = Object.entries(given).flatMap(([key, value]) => {
    if (value === null || key === "operator") return [];
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
    const place = [...location, key];
    if (field === undefined) throw invalidRequest(place, "Extra inputs are not permitted", value);
    return typeof field === "function" ? [field(value, place)] : filterBy(field, value, place);
  });
  return given["operator"] === "or_" && conditions.length > 0 ? [joined(conditions, "OR")] : conditions;
}

/** `any_`, `not_any_`, `is_null_`, `exists_`, `like_`, `startswith_` of a column that holds a text. */
export function textField(column: string): Fields {
  return {
    ...listField(column, parseTexts),
    like_: (value, location) => like(column, `%${parseText(value, location)}%`),
    startswith_: (value, location) =>
      joined(
        parseTexts(value, location).map((start) => like(column, `${start}%`)),
        "OR",
      ),
  };
}

/** `any_`, `not_any_`, `is_null_` of a column that holds an id. */
export function idField(column: string): Fields {
  return listField(column, parseUuids);
}

/** `any_`, `not_any_` of a column that holds one of some words. */
export function wordField(column: string, words: readonly string[]): Fields {
  return listField(column, (value, location) => {
    const given = parseTexts(value, location);
    const wrong = given.findIndex((word) => !words.includes(word));
    if (wrong === -1) return given;
    throw invalidRequest([...location, wrong], `Input should be one of ${words.join(", ")}`, given[wrong]);
  });
}

type ParseList = (value: Json, location: Location) => readonly string[];

/** An operator that holds where a column has one of some values. */
export function anyOf(column: string, parse: ParseList): Operator {
  return (value, location) => among(column, parse(value, location));
}

function listField(column: string, parse: ParseList): Fields {
  return {
    any_: anyOf(column, parse),
    not_any_: (value, location) => {
      const { sql, values } = among(column, parse(value, location));
      return condition(`${column} IS NULL OR NOT (${sql})`, ...values);
    },
    is_null_: flag(`${column} IS NULL`),
    exists_: flag(`${column} IS NOT NULL`),
  };
}

/** `before_`, `after_`, `is_null_` of a column that holds a time. */
export function timeField(column: string): Fields {
  return {
    before_: (value, location) => condition(`${column} <= ?`, parseTime(value, location)),
    after_: (value, location) => condition(`${column} >= ?`, parseTime(value, location)),
    is_null_: flag(`${column} IS NULL`),
  };
}

/** `ge_`, `le_`, `is_null_` of a number. */
export function numberField(column: string): Fields {
  return {
    ge_: (value, location) => condition(`${column} >= ?`, parseNumber(value, location)),
    le_: (value, location) => condition(`${column} <= ?`, parseNumber(value, location)),
    is_null_: flag(`${column} IS NULL`),
  };
}

/** `all_`, `any_`, `is_null_` of a column that holds a JSON list of texts. */
export function tagsField(column: string): Fields {
  const holds = (tag: string): Condition =>
    condition(`EXISTS (SELECT 1 FROM json_each(${column}) WHERE value = ?)`, tag);
  return {
    all_: (value, location) => joined(parseTexts(value, location).map((tag) => holds(tag))),
    any_: (value, location) =>
      joined(
        parseTexts(value, location).map((tag) => holds(tag)),
        "OR",
      ),
    is_null_: flag(`${column} = '[]'`),
  };
}

/** `eq_` of a column that holds a boolean. */
export function booleanField(column: string): Fields {
  return { eq_: flag(`${column} = 1`) };
}

/** An operator whose value tells whether a condition holds. */
export function flag(sql: string): Operator {
  return (value, location) => condition(parseBoolean(value, location) ? sql : `NOT (${sql})`);
}

/** As SQL's ILIKE does it, wildcards and all. */
function like(column: string, pattern: string): Condition {
  return condition(`${column} LIKE ?`, pattern);
}

function among(column: string, values: readonly SqlValue[]): Condition {
  if (values.length === 0) return condition("0");
  if (values.length <= 20) return condition(`${column} IN (${values.map(() => "?").join(",")})`, ...values);
  // One statement text for every length.
  return condition(`${column} IN (SELECT value FROM json_each(?))`, JSON.stringify(values));
}
