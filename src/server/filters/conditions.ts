import { isJsonObject } from "../../json/value.ts";
import { textsOf } from "../http/body.ts";
import { parseTimestamp } from "../store/timestamp.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { Reader, SqlValue } from "../store/database.ts";

/** A part of a WHERE clause with its values. */
export interface Condition {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

/** Turns one field of a filter into conditions. */
export type FieldFilter = (filter: JsonObject) => Condition[];

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

/** `any_`, `not_any_`, `is_null_`, `like_` of a column that holds a text. */
export function textField(column: string): FieldFilter {
  return (filter) => {
    const conditions: Condition[] = [];
    const any = textsOf(filter, "any_");
    if (any !== undefined) conditions.push(among(column, any));
    const not = textsOf(filter, "not_any_");
    if (not !== undefined) {
      const { sql, values } = among(column, not);
      conditions.push(condition(`${column} IS NULL OR NOT (${sql})`, ...values));
    }
    const isNull = filter["is_null_"];
    if (typeof isNull === "boolean") conditions.push(condition(`${column} IS ${isNull ? "" : "NOT "}NULL`));
    const like = filter["like_"];
    if (typeof like === "string") conditions.push(condition(`instr(lower(${column}), lower(?)) > 0`, like));
    return conditions;
  };
}

/** `before_`, `after_`, `is_null_` of a column that holds a time. */
export function timeField(column: string): FieldFilter {
  return (filter) => {
    const { before_: before, after_: after, is_null_: isNull } = filter;
    const conditions: Condition[] = [];
    if (typeof before === "string") conditions.push(condition(`${column} <= ?`, parseTimestamp(before)));
    if (typeof after === "string") conditions.push(condition(`${column} >= ?`, parseTimestamp(after)));
    if (typeof isNull === "boolean") conditions.push(condition(`${column} IS ${isNull ? "" : "NOT "}NULL`));
    return conditions;
  };
}

/** `all_`, `any_`, `is_null_` of a column that holds a JSON list of texts. */
export function tagsField(column: string): FieldFilter {
  return (filter) => {
    const holds = `EXISTS (SELECT 1 FROM json_each(${column}) WHERE value = ?)`;
    const conditions = (textsOf(filter, "all_") ?? []).map((tag) => condition(holds, tag));
    const any = textsOf(filter, "any_");
    if (any !== undefined)
      conditions.push(
        joined(
          any.map((tag) => condition(holds, tag)),
          "OR",
        ),
      );
    const isNull = filter["is_null_"];
    if (typeof isNull === "boolean") conditions.push(condition(`${column} ${isNull ? "=" : "<>"} '[]'`));
    return conditions;
  };
}

/** `eq_` of a column that holds a boolean. */
export function booleanField(column: string): FieldFilter {
  return ({ eq_: wanted }) =>
    typeof wanted === "boolean" ? [condition(`${column} = ?`, wanted ? 1 : 0)] : [];
}

function among(column: string, values: readonly SqlValue[]): Condition {
  if (values.length === 0) return condition("0");
  if (values.length <= 20) return condition(`${column} IN (${values.map(() => "?").join(",")})`, ...values);
  // One statement text for every length.
  return condition(`${column} IN (SELECT value FROM json_each(?))`, JSON.stringify(values));
}

/** The conditions of a filter object by a table of its fields; `operator: or_` joins them with OR. Unknown fields are ignored. */
export function filterBy(
  fields: Readonly<Record<string, FieldFilter>>,
  filter: Json | undefined,
): Condition[] {
  if (!isJsonObject(filter)) return [];
  const conditions = Object.entries(filter).flatMap(([key, value]) => {
    const field = fields[key];
    return field !== undefined && isJsonObject(value) ? field(value) : [];
  });
  return filter["operator"] === "or_" && conditions.length > 0 ? [joined(conditions, "OR")] : conditions;
}
