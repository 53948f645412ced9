import { pythonStr } from "../json/python.ts";
import { parseJson } from "../json/parse.ts";
import { Float, isJsonObject } from "../json/value.ts";
import { ScheduleError } from "../schedules/error.ts";
import { readSchedule } from "../schedules/schedule.ts";
import { parseDuration } from "./duration.ts";
import { parseSwitch } from "./switch.ts";

import type { Json, JsonObject } from "../json/value.ts";

/**
 * A schedule of a declaration as the API takes it (prefect/cli/deploy/_schedules.py): `{schedule, active, parameters, slug, replaces,
 * max_scheduled_runs}`. Whether the cron line, rule or time zone makes sense is not looked at. Throws a RangeError that says
 * which field is wrong.
 */
export function scheduleBody(item: JsonObject): JsonObject {
  const { active = null, parameters, slug, replaces, max_scheduled_runs: maxScheduledRuns } = item;
  const body: Record<string, Json> = { schedule: timesOf(item) };
  if (active !== null) body["active"] = switchOf("active", active);
  if (isJsonObject(parameters) && Object.keys(parameters).length > 0) body["parameters"] = parameters;
  if (isText(slug)) body["slug"] = slug;
  if (isText(replaces)) body["replaces"] = replaces;
  if (maxScheduledRuns !== undefined && maxScheduledRuns !== null)
    body["max_scheduled_runs"] = maxScheduledRuns;
  return body;
}

/**
 * Whether dates can be told from what {@link scheduleBody} has put into `schedule`. Throws a RangeError that says which field is
 * wrong, and what would be right.
 */
export function checkTimes(schedule: Json): void {
  try {
    readSchedule(schedule, { nowMs: Date.now() });
  } catch (thrown) {
    if (!(thrown instanceof ScheduleError)) throw thrown;
    const { field, message, hint } = thrown;
    throw new RangeError(`${field === undefined ? "" : `${field}: `}${message}. ${hint ?? ""}`.trimEnd());
  }
}

function timesOf(item: JsonObject): JsonObject {
  const { cron, interval, rrule, timezone = null, anchor_date: anchor, day_or: dayOr = null } = item;
  const zone: JsonObject = timezone === null || timezone === "" ? {} : { timezone };
  if (isText(cron)) {
    return { cron, ...zone, day_or: dayOr === null ? true : switchOf("day_or", dayOr) };
  }
  if (interval !== undefined && interval !== null && interval !== "") {
    const seconds = parseDuration(interval);
    if (seconds === undefined)
      throw new RangeError(
        `interval: expected seconds, HH:MM:SS or an ISO 8601 duration, but this is ${pythonStr(interval)}`,
      );
    if (seconds <= 0)
      throw new RangeError(`interval: expected a time above 0, but this is ${pythonStr(interval)}`);
    return {
      interval: Number.isInteger(seconds) ? new Float(seconds) : seconds,
      ...(isText(anchor) ? { anchor_date: instantOf(anchor) } : {}),
      ...zone,
    };
  }
  if (isText(rrule)) return ruleOf(rrule, zone);
  throw new RangeError("expected one of cron, interval and rrule, but there is none");
}

/** A rule may also be the JSON text of `{rrule, timezone}`; a time zone beside it wins. */
function ruleOf(rrule: string, zone: JsonObject): JsonObject {
  const json = tryJson(rrule);
  if (!isJsonObject(json)) return { rrule, ...zone };
  if (!isText(json["rrule"])) throw new RangeError("rrule: expected a rule, or JSON text with a key 'rrule'");
  const own = json["timezone"];
  return { rrule: json["rrule"], ...(isText(own) ? { timezone: own } : {}), ...zone };
}

/** An ISO date or time; without an offset it is UTC, as in Prefect, also beside a time zone. */
function instantOf(anchor: string): string {
  const match =
    /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?)?\s*(Z|[-+]\d\d(?::?\d\d)?)?$/i.exec(
      anchor.trim(),
    );
  const [, date, time = "00:00:00", offset = "Z"] = match ?? [];
  const hours = /^[-+]\d\d$/.test(offset) ? `${offset}:00` : offset.replace(/^([-+]\d\d)(\d\d)$/, "$1:$2");
  const text = `${date ?? ""}T${time.length === 5 ? `${time}:00` : time}${hours.toUpperCase()}`;
  if (date === undefined || Number.isNaN(Date.parse(text))) {
    throw new RangeError(`anchor_date: expected a date such as 2024-01-01T09:00:00Z, but this is ${anchor}`);
  }
  return text;
}

function switchOf(field: string, value: Json): boolean {
  const found = parseSwitch(value);
  if (found === undefined)
    throw new RangeError(`${field}: expected true or false, but this is ${pythonStr(value)}`);
  return found;
}

function isText(value: Json | undefined): value is string {
  return typeof value === "string" && value !== "";
}

function tryJson(text: string): Json | undefined {
  try {
    return parseJson(text);
  } catch {
    return undefined; // a rule
  }
}
