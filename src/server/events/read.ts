import { parseJson } from "../../json/parse.ts";

import type { JsonObject } from "../../json/value.ts";
import type { Condition } from "../filters/conditions.ts";
import type { Reader, Row } from "../store/database.ts";
import type { Resource, ServerEvent } from "./event.ts";

/** The last events that a condition chooses, oldest first, at most `limit`. */
export function recentEvents(reader: Reader, { sql, values }: Condition, limit: number): ServerEvent[] {
  return reader
    .all(`SELECT * FROM event WHERE ${sql} ORDER BY occurred DESC, seq DESC LIMIT ?`, ...values, limit)
    .map((row) => eventOf(row))
    .toReversed();
}

/** A row as an event. */
export function eventOf(row: Row): ServerEvent {
  return {
    id: String(row["id"]),
    occurred: String(row["occurred"]),
    received: String(row["received"]),
    event: String(row["event"]),
    resource: JSON.parse(String(row["resource"])) as Resource,
    related: JSON.parse(String(row["related"])) as Resource[],
    payload: parseJson(String(row["payload"])) as JsonObject,
    follows: row["follows"] === null ? null : String(row["follows"]),
  };
}
