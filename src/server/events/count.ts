import { isJsonObject } from "../../json/value.ts";
import { ApiError } from "../http/errors.ts";
import { epochMsOf, timestampOf } from "../store/timestamp.ts";
import { parseTime } from "../http/body.ts";
import { eventCondition } from "./condition.ts";

import type { JsonObject } from "../../json/value.ts";
import type { Reply } from "../http/reply.ts";
import type { Reader } from "../store/database.ts";

export const COUNTABLES = ["day", "time", "event", "resource"] as const;
export const TIME_UNITS = ["week", "day", "hour", "minute", "second"] as const;

type Countable = (typeof COUNTABLES)[number];
type TimeUnit = (typeof TIME_UNITS)[number];

const UNIT_MS: Readonly<Record<TimeUnit, number>> = {
  week: 7 * 86_400_000,
  day: 86_400_000,
  hour: 3_600_000,
  minute: 60_000,
  second: 1000,
};
const MAX_BUCKETS = 1000;
/** Intervals are counted from this Monday on (prefect/server/events/counting.py, PIVOT_DATETIME). */
const PIVOT_MS = Date.UTC(2024, 3, 1);
const DEFAULT_DAYS = 180;

interface Counted {
  readonly value: string;
  readonly label: string;
  readonly count: number;
  readonly start_time: string;
  readonly end_time: string;
}

/**
 * Counts the events that a filter asks for by their names, their resources or the intervals in which they occurred
 * (`/events/count-by/{countable}`). Throws a 422 for more than 1000 intervals.
 */
export function countEvents(
  reader: Reader,
  filter: JsonObject,
  countable: Countable,
  { unit, interval }: { readonly unit: TimeUnit; readonly interval: number },
  nowMs: number,
): Reply[] {
  const occurred = isJsonObject(filter["occurred"]) ? filter["occurred"] : {};
  const location = ["body", "filter", "occurred"];
  const span = {
    since:
      (occurred["since"] ?? null) === null
        ? timestampOf(Math.floor(nowMs / UNIT_MS.day) * UNIT_MS.day - DEFAULT_DAYS * UNIT_MS.day)
        : parseTime(occurred["since"] ?? null, [...location, "since"]),
    until:
      (occurred["until"] ?? null) === null
        ? timestampOf(nowMs)
        : parseTime(occurred["until"] ?? null, [...location, "until"]),
  };
  const bounded = { ...filter, occurred: { ...occurred, ...span } };
  const [sinceMs, untilMs] = [epochMsOf(span.since), epochMsOf(span.until)];
  const buckets = Math.ceil((untilMs - sinceMs) / (UNIT_MS[unit] * interval));
  if (buckets > MAX_BUCKETS) {
    throw new ApiError(
      422,
      `The given interval would create ${buckets} buckets, which is too many. Please increase the interval or reduce the time range to produce ${MAX_BUCKETS} buckets or fewer.`,
    );
  }
  if (countable === "event" || countable === "resource") return countNames(reader, bounded, countable);
  const bucketMs = countable === "day" ? UNIT_MS.day : UNIT_MS[unit] * interval;
  const end = Math.min(untilMs, endOf(countable === "day" ? "day" : unit, nowMs));
  return countTimes(reader, bounded, { sinceMs, untilMs: end, bucketMs });
}

function countNames(reader: Reader, filter: JsonObject, countable: "event" | "resource"): Reply[] {
  const { sql, values } = eventCondition(filter, ["body", "filter"]);
  const [value, label] =
    countable === "event"
      ? ["event.event", "event.event"]
      : [
          "event.resource_id",
          `coalesce(json_extract(event.resource, '$."prefect.resource.name"'), json_extract(event.resource, '$."prefect.name"'), event.resource_id)`,
        ];
  // What was renamed goes by its last name.
  return reader
    .all<Counted>(
      `SELECT value, label, sum(n) AS count, min(oldest) AS start_time, max(latest) AS end_time FROM (
         SELECT value, first_value(label) OVER (PARTITION BY value ORDER BY latest DESC) AS label, n, oldest, latest FROM (
           SELECT ${value} AS value, ${label} AS label, count(*) AS n, min(occurred) AS oldest, max(occurred) AS latest
           FROM event WHERE ${sql} GROUP BY 1, 2))
       GROUP BY value, label ORDER BY count DESC, label`,
      ...values,
    )
    .map((row) => ({ ...row }));
}

function countTimes(
  reader: Reader,
  filter: JsonObject,
  span: { readonly sinceMs: number; readonly untilMs: number; readonly bucketMs: number },
): Reply[] {
  const { sql, values } = eventCondition(filter, ["body", "filter"]);
  const seconds = span.bucketMs / 1000;
  const rows = reader.all<{ bucket: number; n: number }>(
    `SELECT CAST(floor((unixepoch(occurred, 'subsec') - ?) / ?) AS INTEGER) AS bucket, count(*) AS n FROM event WHERE ${sql} GROUP BY 1`,
    PIVOT_MS / 1000,
    seconds,
    ...values,
  );
  const counts = new Map(rows.map(({ bucket, n }) => [bucket, n]));
  const found: Reply[] = [];
  const first = Math.floor((span.sinceMs - PIVOT_MS) / span.bucketMs);
  for (let bucket = first; ; bucket += 1) {
    const startMs = PIVOT_MS + bucket * span.bucketMs;
    if (startMs >= span.untilMs) return found;
    found.push({
      value: String(bucket - first),
      label: `${timestampOf(startMs).slice(0, 19)}+00:00`,
      count: counts.get(bucket) ?? 0,
      start_time: timestampOf(startMs),
      end_time: beforeNext(startMs + span.bucketMs),
    });
  }
}

/** A microsecond before. */
function beforeNext(ms: number): string {
  return timestampOf(ms - 1).replace("000Z", "999Z");
}

/** The end of the present minute, day…; weeks begin on Mondays, as the pivot does. */
function endOf(unit: TimeUnit, nowMs: number): number {
  return PIVOT_MS + (Math.floor((nowMs - PIVOT_MS) / UNIT_MS[unit]) + 1) * UNIT_MS[unit];
}
