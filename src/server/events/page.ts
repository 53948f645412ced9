import { isJsonObject } from "../../json/value.ts";
import { stringifyJson } from "../../json/stringify.ts";
import { parseJson } from "../../json/parse.ts";
import { integerOf, parseObject } from "../http/body.ts";
import { ApiError } from "../http/errors.ts";
import { eventCondition } from "./condition.ts";
import { eventOf } from "./read.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { Reader } from "../store/database.ts";
import type { ServerEvent } from "./event.ts";

interface EventPage {
  readonly events: readonly ServerEvent[];
  readonly total: number;
  /** For the page after this; null on the last one. */
  readonly nextToken: string | null;
}

interface PageRequest {
  readonly filter: JsonObject;
  readonly limit: number;
  readonly offset: number;
  /** As counted for the first page. */
  readonly total: number | undefined;
}

/** The first events that a filter asks for, newest first (or oldest), and how many there are (`/events/filter`). Throws a 422. */
export function firstPage(reader: Reader, filter: JsonObject, limit: number): EventPage {
  return readPage(reader, { filter, limit, offset: 0, total: undefined });
}

/** The page that a token of the page before stands for. Throws a 403 for anything else. */
export function nextPage(reader: Reader, token: string): EventPage {
  return readPage(reader, requestOf(token));
}

function readPage(reader: Reader, { filter, limit, offset, total }: PageRequest): EventPage {
  const { sql, values } = eventCondition(filter, ["body", "filter"]);
  const order = filter["order"] === "ASC" ? "ASC" : "DESC";
  const resource = filter["resource"];
  const isDistinct = isJsonObject(resource) && resource["distinct"] === true;
  const source = isDistinct
    ? `(SELECT event.*, row_number() OVER (PARTITION BY resource_id ORDER BY occurred ${order}, seq ${order}) AS place FROM event WHERE ${sql}) WHERE place = 1`
    : `event WHERE ${sql}`;
  const count =
    total ??
    reader.get<{ n: number }>(
      `SELECT count(${isDistinct ? "DISTINCT resource_id" : "*"}) AS n FROM event WHERE ${sql}`,
      ...values,
    )?.n ??
    0;
  const events = reader
    .all(
      `SELECT * FROM ${source} ORDER BY occurred ${order}, seq ${order} LIMIT ? OFFSET ?`,
      ...values,
      limit,
      offset,
    )
    .map((row) => eventOf(row));
  const next = offset + limit;
  return { events, total: count, nextToken: next < count ? tokenOf(filter, count, limit, next) : null };
}

function tokenOf(filter: JsonObject, count: number, pageSize: number, offset: number): string {
  return Buffer.from(stringifyJson({ filter, count, page_size: pageSize, offset })).toString("base64");
}

function requestOf(token: string): PageRequest {
  try {
    const request = parseObject(parseJson(Buffer.from(token, "base64").toString("utf8")), []);
    return {
      filter: parseObject(request["filter"], []),
      limit: integerOf(request, "page_size", { min: 1 }) ?? 1,
      offset: integerOf(request, "offset", { min: 0 }) ?? 0,
      total: integerOf(request, "count"),
    };
  } catch {
    throw new ApiError(403, "Forbidden");
  }
}

/** An event as it goes out. */
export function eventReply(event: ServerEvent): Json {
  return { ...event };
}
