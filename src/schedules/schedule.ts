import { Float, isJsonObject } from "../json/value.ts";
import { readCron } from "./cron-fields.ts";
import { cronInstants } from "./cron.ts";
import { compactTime, readTime, timeText } from "./date-time.ts";
import { readDuration } from "./duration.ts";
import { ScheduleError } from "./error.ts";
import { intervalInstants } from "./interval.ts";
import { readRules } from "./rrule-text.ts";
import { implicitStart, prepareRules, ruleInstants } from "./rrule.ts";
import { checkZone } from "./zone.ts";

import type { Json, JsonObject } from "../json/value.ts";
import type { ScheduleKind } from "./error.ts";

/** A schedule that runs can be made from. */
export interface Schedule {
  readonly kind: ScheduleKind;
  /** The IANA zone whose clock it follows. */
  readonly zone: string;
  /** All its fields, in the form in which Prefect's server keeps and answers them. */
  readonly json: JsonObject;
  /**
   * Its instants from `startMs` on (inclusive), in order, each once, up to `endMs`; milliseconds since the epoch. Ends when no
   * further instant comes.
   */
  instants(startMs: number, endMs?: number): Iterable<number>;
}

export interface ReadScheduleOptions {
  /** Now: the anchor of an interval that has none. */
  readonly nowMs: number;
}

/** Names of Prefect's classes; they stand in its answers. */
export const SCHEDULE_CLASSES: Readonly<Record<ScheduleKind, string>> = {
  interval: "IntervalSchedule",
  cron: "CronSchedule",
  rrule: "RRuleSchedule",
};

const FIELDS: Readonly<Record<ScheduleKind, readonly string[]>> = {
  interval: ["interval", "anchor_date", "timezone"],
  cron: ["cron", "timezone", "day_or"],
  rrule: ["rrule", "timezone"],
};
const KINDS = Object.keys(FIELDS) as ScheduleKind[];
const MAX_INTERVAL_SECONDS = 999_999_999 * 86_400;

/**
 * Reads a schedule as the API takes it: `{interval, anchor_date?, timezone?}`, `{cron, timezone?, day_or?}` or
 * `{rrule, timezone?}` (prefect/server/schemas/schedules.py). Throws a {@link ScheduleError} that says which field is wrong, why,
 * and what would be right.
 */
export function readSchedule(json: Json, options: ReadScheduleOptions): Schedule {
  const given = isJsonObject(json) ? json : undefined;
  const kinds = KINDS.filter((kind) => given?.[kind] !== undefined);
  const [kind] = kinds;
  if (given === undefined || kind === undefined) {
    throw new ScheduleError(
      undefined,
      "A schedule needs one of cron, interval and rrule",
      json,
      'For example {"cron": "0 9 * * mon-fri", "timezone": "Europe/Berlin"}.',
    );
  }
  if (kinds.length > 1) {
    const hint = "Make a schedule of each: a deployment may have many.";
    throw new ScheduleError(kinds[1], `A schedule cannot have both ${kinds.join(" and ")}`, json, hint);
  }
  for (const [field, value] of Object.entries(given)) {
    if (FIELDS[kind].includes(field)) continue;
    const hint = `Its fields are ${FIELDS[kind].join(", ")}.`;
    throw new ScheduleError(field, `The ${kind} schedule has no field ${field}`, value, hint, kind);
  }
  try {
    return limited(READERS[kind](given, options));
  } catch (thrown) {
    throw thrown instanceof ScheduleError ? thrown.of(kind) : thrown;
  }
}

type Reader = (given: JsonObject, options: ReadScheduleOptions) => Required<Schedule>;

const READERS: Readonly<Record<ScheduleKind, Reader>> = {
  cron: readCronSchedule,
  interval: readIntervalSchedule,
  rrule: readRuleSchedule,
};

/** No instant after the end is given, whatever the kind. */
function limited(schedule: Schedule): Schedule {
  return {
    ...schedule,
    *instants(startMs, endMs = Infinity) {
      for (const instant of schedule.instants(startMs, endMs)) {
        if (instant > endMs) return;
        yield instant;
      }
    },
  };
}

function readCronSchedule(given: JsonObject): Schedule {
  const line = textOf(given, "cron", 'Quote it, as in "0 9 * * *".');
  const fields = readCron(line);
  const timezone = timezoneOf(given);
  const dayOr = flagOf(given, "day_or", true);
  const zone = timezone === null || timezone === "" ? "UTC" : timezone;
  return {
    kind: "cron",
    zone,
    json: { cron: line, timezone, day_or: dayOr },
    instants: (startMs) => cronInstants(fields, zone, dayOr, startMs),
  };
}

function readIntervalSchedule(given: JsonObject, { nowMs }: ReadScheduleOptions): Schedule {
  const seconds = secondsOf(given["interval"]);
  const timezone = timezoneOf(given) ?? "UTC";
  const anchor = anchorOf(given["anchor_date"], nowMs);
  const zone = timezone === "" ? "UTC" : timezone;
  const anchorMs = anchor.wallMs - (anchor.offsetMs ?? 0);
  return {
    kind: "interval",
    zone,
    json: {
      interval: Number.isInteger(seconds) ? new Float(seconds) : seconds,
      anchor_date: timeText(anchor),
      timezone,
    },
    instants: (startMs) => intervalInstants({ seconds, anchorMs, zone }, startMs),
  };
}

function readRuleSchedule(given: JsonObject, { nowMs }: ReadScheduleOptions): Schedule {
  const text = textOf(given, "rrule", 'For example "FREQ=WEEKLY;BYDAY=MO".');
  const timezone = given["timezone"] === undefined ? "UTC" : timezoneOf(given);
  if (timezone === "") checkZone(timezone);
  const zone = timezone ?? "UTC";
  const set = readRules(text);
  const dtstartMs = set.dtstartMs ?? implicitStart(set, zone, nowMs);
  const rules = prepareRules(text, set, dtstartMs);
  const rrule = set.dtstartMs === undefined ? `DTSTART:${compactTime(dtstartMs)}\n${text}` : text;
  return {
    kind: "rrule",
    zone,
    json: { rrule, timezone },
    instants: (startMs, endMs = Infinity) => ruleInstants(rules, zone, startMs, endMs),
  };
}

function textOf(given: JsonObject, field: ScheduleKind, hint: string): string {
  const value = given[field];
  if (typeof value === "string") return value;
  throw new ScheduleError(field, `${field} must be a text`, value ?? null, hint);
}

function timezoneOf(given: JsonObject): string | null {
  const value = given["timezone"] ?? null;
  if (value === null) return null;
  if (typeof value !== "string") {
    throw new ScheduleError("timezone", "timezone must be a text", value, "For example Europe/Berlin.");
  }
  if (value !== "") checkZone(value);
  return value;
}

function flagOf(given: JsonObject, field: "day_or", absent: boolean): boolean {
  const value = given[field];
  if (value === undefined) return absent;
  const number = value instanceof Float ? value.value : value;
  const word = typeof number === "string" ? number.toLowerCase() : number;
  // What pydantic takes for a boolean.
  if ([true, 1, "1", "true", "t", "yes", "y", "on"].includes(word as string)) return true;
  if ([false, 0, "0", "false", "f", "no", "n", "off"].includes(word as string)) return false;
  throw new ScheduleError(field, `${field} must be true or false`, value, DAY_OR_HINT);
}

const DAY_OR_HINT =
  "true: a day that matches the day or the weekday field counts; false: only one that matches both.";
const INTERVAL_HINT = 'Give seconds, or a text such as "01:30:00", "1 day, 06:00:00" or "PT1H30M".';

function secondsOf(value: Json | undefined): number {
  const input = value ?? null;
  const number = typeof input === "string" ? readDuration(input) : numberOf(input);
  if (number === undefined || !Number.isFinite(number)) {
    throw new ScheduleError("interval", "interval is no duration", input, INTERVAL_HINT);
  }
  // Python counts microseconds.
  const seconds = Math.round(number * 1e6) / 1e6;
  if (seconds <= 0)
    throw new ScheduleError(
      "interval",
      "interval must be positive",
      input,
      "It must be more than 0 seconds.",
    );
  if (seconds > MAX_INTERVAL_SECONDS)
    throw new ScheduleError("interval", "interval is too long", input, "At most 999999999 days.");
  return seconds;
}

function numberOf(value: Json): number | undefined {
  if (value instanceof Float) return value.value;
  return typeof value === "number" || typeof value === "bigint" ? Number(value) : undefined;
}

function anchorOf(
  value: Json | undefined,
  nowMs: number,
): { readonly wallMs: number; readonly offsetMs: number | undefined } {
  if (value === undefined) return { wallMs: nowMs, offsetMs: undefined };
  const seconds = numberOf(value);
  const isWithinCalendar = seconds !== undefined && Math.abs(seconds) < 1e11;
  if (isWithinCalendar) return { wallMs: seconds * 1000, offsetMs: undefined };
  const time = typeof value === "string" ? readTime(value) : undefined;
  if (time !== undefined) return time;
  throw new ScheduleError(
    "anchor_date",
    "anchor_date is no date and time",
    value,
    "For example 2026-01-31T09:00:00+01:00; without an offset it is UTC.",
  );
}
