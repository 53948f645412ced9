import { condition, filterBy, joined, textField, timeField } from "../filters/conditions.ts";
import { integerOf } from "../http/body.ts";

import type { Json } from "../../json/value.ts";
import type { StoredLog } from "../context.ts";
import type { Condition, FieldFilter } from "../filters/conditions.ts";
import type { Reader } from "../store/database.ts";

const FIELDS: Readonly<Record<string, FieldFilter>> = {
  flow_run_id: textField("flow_run_id"),
  task_run_id: textField("task_run_id"),
  timestamp: timeField("timestamp"),
  level: (filter) => {
    const [from, to] = [integerOf(filter, "ge_"), integerOf(filter, "le_")];
    return [
      ...(from === undefined ? [] : [condition("level >= ?", from)]),
      ...(to === undefined ? [] : [condition("level <= ?", to)]),
    ];
  },
};

/** A filter of log lines (prefect/server/schemas/filters.py, LogFilter). */
export function logCondition(filter: Json | undefined): Condition {
  return joined(filterBy(FIELDS, filter));
}

/** Stored log lines by their time. */
export function readLogs(
  reader: Reader,
  { sql, values }: Condition,
  page: { readonly order: "ASC" | "DESC"; readonly limit: number; readonly offset: number },
): StoredLog[] {
  return reader.all<StoredLog>(
    `SELECT id, created, created AS updated, name, level, message, timestamp, flow_run_id, task_run_id FROM log WHERE ${sql}
     ORDER BY timestamp ${page.order}, seq ${page.order} LIMIT ? OFFSET ?`,
    ...values,
    page.limit,
    page.offset,
  );
}
