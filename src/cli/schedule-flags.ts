import { WorkerError } from "../errors.ts";
import { parseJson } from "../json/parse.ts";
import { isJsonObject } from "../json/value.ts";
import { readDuration } from "../schedules/duration.ts";
import { parseDuration } from "./duration.ts";

import type { Json, JsonObject } from "../json/value.ts";

/** The flags that describe a schedule, in Prefect's words. */
export interface ScheduleFlags {
  readonly cron?: string;
  readonly interval?: string;
  readonly rrule?: string;
  readonly anchorDate?: string;
  readonly timezone?: string;
  readonly dayOr?: boolean;
}

/**
 * The schedule that flags describe, as the API takes it; an interval that is no duration is left as it is. Throws a usage error
 * for flags that do not go together.
 */
export function scheduleOf(flags: ScheduleFlags): JsonObject {
  const { cron, interval, rrule, anchorDate, timezone, dayOr } = flags;
  if ([cron, interval, rrule].filter((given) => given !== undefined).length !== 1) {
    throw new WorkerError("USAGE", "Exactly one of --cron, --interval and --rrule makes a schedule");
  }
  if (anchorDate !== undefined && interval === undefined) {
    throw new WorkerError("USAGE", "--anchor-date goes with --interval");
  }
  if (dayOr !== undefined && cron === undefined) throw new WorkerError("USAGE", "--day-or goes with --cron");
  const zone = timezone === undefined ? {} : { timezone };
  if (cron !== undefined) return { cron, day_or: dayOr !== false, ...zone };
  if (interval === undefined) return { ...ruleOf(rrule ?? ""), ...zone };
  const anchor = anchorDate === undefined ? {} : { anchor_date: anchorDate };
  return { interval: secondsOf(interval) ?? interval, ...anchor, ...zone };
}

/** Seconds of `90`, `1h30m`, `01:30:00` and `PT1H30M`; undefined for anything else. */
function secondsOf(text: string): number | undefined {
  if (/^[-+]?\d+(?:\.\d+)?$/.test(text.trim())) return Number(text);
  const ms = parseDuration(text);
  return ms === undefined ? readDuration(text) : ms / 1000;
}

function ruleOf(text: string): JsonObject {
  if (!text.trim().startsWith("{")) {
    if (text.includes("TZID")) {
      throw new WorkerError("USAGE", "A rule with TZID must say its time zone apart", {
        hint: "Give --timezone, and leave TZID out.",
      });
    }
    return { rrule: text };
  }
  const value = jsonOf(text);
  if (isJsonObject(value) && typeof value["rrule"] === "string") return value;
  throw new WorkerError(
    "USAGE",
    'The JSON of --rrule must be such as {"rrule": "FREQ=DAILY", "timezone": "UTC"}',
  );
}

function jsonOf(text: string): Json | undefined {
  try {
    return parseJson(text);
  } catch {
    return undefined; // what it must be is said
  }
}
