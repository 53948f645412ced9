import { parseJson } from "../../json/parse.ts";

import type { JsonObject } from "../../json/value.ts";
import type { Reader, Row } from "../store/database.ts";
import type { EventFilter } from "./filter.ts";
import type { Resource, ServerEvent } from "./event.ts";

const PAGE = 500;

/** Stored events that a filter asks for, newest first (or oldest), at most `limit`. */
export function readEvents(
  reader: Reader,
  filter: EventFilter,
  { limit, order = "DESC" }: { readonly limit: number; readonly order?: "ASC" | "DESC" },
): ServerEvent[] {
  const found: ServerEvent[] = [];
  const ids = filter.resourceIds ?? [];
  // By the index: one run's few events are not looked for among all.
  const within = ids.length === 0 ? "" : "resource_id IN (SELECT value FROM json_each(?)) AND";
  for (let offset = 0; found.length < limit; offset += PAGE) {
    const rows = reader.all(
      `SELECT * FROM event WHERE ${within} occurred >= ? AND occurred <= ? ORDER BY occurred ${order}, seq ${order} LIMIT ? OFFSET ?`,
      ...(ids.length === 0 ? [] : [JSON.stringify(ids)]),
      filter.since ?? "",
      filter.until ?? "9999",
      PAGE,
      offset,
    );
    for (const row of rows) {
      const event = eventOf(row);
      if (filter.matches(event) && found.length < limit) found.push(event);
    }
    if (rows.length < PAGE) break;
  }
  return found;
}

/** An event from its row. */
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
