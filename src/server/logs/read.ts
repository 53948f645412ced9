import { filterBy, idField, joined, numberField, timeField } from "../filters/conditions.ts";
import { searchCondition } from "../filters/search.ts";
import { parseText } from "../http/body.ts";

import type { Json } from "../../json/value.ts";
import type { StoredLog } from "../context.ts";
import type { Condition, Fields } from "../filters/conditions.ts";
import type { Reader } from "../store/database.ts";

const FIELDS: Fields = {
  flow_run_id: idField("flow_run_id"),
  task_run_id: idField("task_run_id"),
  timestamp: timeField("timestamp"),
  level: numberField("level"),
  text: {
    query: (value, location) => searchCondition("message || ' ' || name", parseText(value, location)),
  },
};

/** A filter of log lines (prefect/server/schemas/filters.py, LogFilter). */
export function logCondition(filter: Json | undefined): Condition {
  return joined(filterBy(FIELDS, filter, ["body", "logs"]));
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
