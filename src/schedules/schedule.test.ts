import { describe, expect, it } from "vitest";

import { parseJson } from "../json/parse.ts";
import { stringifyJson } from "../json/stringify.ts";
import { ScheduleError } from "./error.ts";
import { readSchedule } from "./schedule.ts";

import type { Json, JsonObject } from "../json/value.ts";

const NOW = Date.UTC(2026, 10, 25, 10, 30, 5);

function errorOf(json: Json): ScheduleError {
  try {
    readSchedule(json, { nowMs: NOW });
  } catch (thrown) {
    if (thrown instanceof ScheduleError) return thrown;
    throw thrown;
  }
  throw new Error(`${stringifyJson(json)} was read`);
}

describe("a schedule is kept as Prefect's server keeps it", () => {
  it.each([
    ['{"cron":"0 9 * * *"}', '{"cron":"0 9 * * *","timezone":null,"day_or":true}'],
    [
      '{"cron":"@daily","timezone":"Europe/Berlin","day_or":"no"}',
      '{"cron":"@daily","timezone":"Europe/Berlin","day_or":false}',
    ],
    ['{"interval":3600}', '{"interval":3600.0,"anchor_date":"2026-11-25T10:30:05Z","timezone":"UTC"}'],
    [
      '{"interval":0.5,"anchor_date":"2020-01-01","timezone":"Asia/Kolkata"}',
      '{"interval":0.5,"anchor_date":"2020-01-01T00:00:00Z","timezone":"Asia/Kolkata"}',
    ],
    [
      '{"interval":"1 day, 01:00:00","anchor_date":"2020-01-01 05:00:00.123456+02:00"}',
      '{"interval":90000.0,"anchor_date":"2020-01-01T05:00:00.123456+02:00","timezone":"UTC"}',
    ],
    [
      '{"interval":"P1DT2H3.5S","anchor_date":1577836800}',
      '{"interval":93603.5,"anchor_date":"2020-01-01T00:00:00Z","timezone":"UTC"}',
    ],
    ['{"rrule":"FREQ=DAILY"}', '{"rrule":"DTSTART:20200101T000000\\nFREQ=DAILY","timezone":"UTC"}'],
    [
      '{"rrule":"FREQ=MINUTELY;INTERVAL=7","timezone":"Europe/Berlin"}',
      '{"rrule":"DTSTART:20261125T112600\\nFREQ=MINUTELY;INTERVAL=7","timezone":"Europe/Berlin"}',
    ],
    [
      '{"rrule":"FREQ=MINUTELY;COUNT=5","timezone":null}',
      '{"rrule":"DTSTART:20200101T000000\\nFREQ=MINUTELY;COUNT=5","timezone":null}',
    ],
    [
      '{"rrule":"dtstart:20260101T090000Z rrule:freq=daily"}',
      '{"rrule":"dtstart:20260101T090000Z rrule:freq=daily","timezone":"UTC"}',
    ],
  ])("%s", (given, kept) => {
    const { json } = readSchedule(parseJson(given), { nowMs: NOW });
    expect(stringifyJson(json)).toBe(kept);
    // What was kept is read again as it is.
    expect(stringifyJson(readSchedule(json, { nowMs: 0 }).json)).toBe(kept);
  });
});

describe("what is wrong with a schedule", () => {
  it.each<[JsonObject, string | undefined, string | undefined, string, RegExp]>([
    [{}, undefined, undefined, "A schedule needs one of cron, interval and rrule", /^For example/],
    [{ cron: "x", interval: 5 }, undefined, "cron", "A schedule cannot have both interval and cron", /many/],
    [{ cron: "0 9 * * *", foo: 1 }, "cron", "foo", "The cron schedule has no field foo", /timezone, day_or/],
    [{ cron: 5 }, "cron", "cron", "cron must be a text", /Quote it/],
    [
      { cron: "60 * * * *" },
      "cron",
      "cron",
      'Invalid cron string: "60 * * * *" (minute: 60 is outside 0-59)',
      /mon-fri/,
    ],
    [
      { cron: "* * *" },
      "cron",
      "cron",
      'Invalid cron string: "* * *" (3 fields instead of 5, 6 or 7)',
      /fields/,
    ],
    [
      { cron: "0 0 * * R/5" },
      "cron",
      "cron",
      'Invalid cron string: "0 0 * * R/5" (weekday: hashed and random values (H, R) are not supported)',
      /fields/,
    ],
    [{ cron: "@reboot" }, "cron", "cron", 'Invalid cron string: "@reboot" (@reboot is not known)', /@hourly/],
    [{ cron: "* * * * *", day_or: 3 }, "cron", "day_or", "day_or must be true or false", /both/],
    [{ cron: "* * * * *", timezone: 3 }, "cron", "timezone", "timezone must be a text", /Berlin/],
    [
      { interval: 1, timezone: "europe/berlin" },
      "interval",
      "timezone",
      'Invalid timezone: "europe/berlin"',
      /mean Europe\/Berlin\?/,
    ],
    [{ interval: 0 }, "interval", "interval", "interval must be positive", /0 seconds/],
    [{ interval: "1h" }, "interval", "interval", "interval is no duration", /PT1H30M/],
    [
      { interval: 60, anchor_date: "2026-02-30" },
      "interval",
      "anchor_date",
      "anchor_date is no date and time",
      /UTC/,
    ],
    [{ rrule: "FREQ=X" }, "rrule", "rrule", /FREQ=X is none of YEARLY/.source, /RFC 5545/],
    [
      { rrule: "FREQ=DAILY;INTERVAL=0" },
      "rrule",
      "rrule",
      "INTERVAL=0 is no whole number from 1 on",
      /RFC 5545/,
    ],
    [
      { rrule: "FREQ=DAILY;BYMONTHDAY=0" },
      "rrule",
      "rrule",
      "BYMONTHDAY=0 is outside 1 to 31 and -31 to -1",
      /RFC/,
    ],
    [
      { rrule: "FREQ=DAILY;UNTIL=20300101T000000Z" },
      "rrule",
      "rrule",
      "UNTIL has a Z, DTSTART has none",
      /without/,
    ],
    [{ rrule: "FREQ=HOURLY;INTERVAL=2;BYHOUR=1" }, "rrule", "rrule", "no time of the day fits", /INTERVAL/],
    [
      { rrule: `FREQ=DAILY ${"EXDATE:20260101 ".repeat(500)}` },
      "rrule",
      "rrule",
      "it is 8011 characters long",
      /6500/,
    ],
  ])("%o", (given, kind, field, message, hint) => {
    const error = errorOf(given);
    expect(error).toMatchObject({ kind, field, code: "SCHEDULE_INVALID", exitCode: 1 });
    expect(error.message).toContain(message);
    expect(error.hint).toMatch(hint);
  });

  it.each([null, "0 9 * * *", [], 5])("no object: %o", (given) => {
    expect(errorOf(given).message).toBe("A schedule needs one of cron, interval and rrule");
  });
});

describe("the end of a schedule", () => {
  const count = (json: JsonObject, endMs?: number): number => {
    let dates = 0;
    for (const _ of readSchedule(json, { nowMs: NOW }).instants(NOW, endMs)) if (++dates === 1000) break;
    return dates;
  };

  it("is the moment asked for, itself included", () => {
    const hour = 3_600_000;
    expect(count({ cron: "* * * * *" }, NOW + hour)).toBe(60);
    expect(count({ interval: 60 }, NOW + hour)).toBe(61);
    expect(count({ rrule: "FREQ=MINUTELY" }, NOW + hour)).toBe(60);
  });

  it("comes when nothing further comes", () => {
    expect(count({ cron: "0 0 30 2 *" })).toBe(0);
    expect(count({ cron: "0 0 1 1 * 0 2025" })).toBe(0);
    expect(count({ interval: 999_999_999 * 86_400 })).toBe(1);
    for (const rrule of [
      "FREQ=DAILY;COUNT=10",
      "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
      "FREQ=DAILY;BYSETPOS=2",
      "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
      "RRULE:FREQ=SECONDLY\nEXRULE:FREQ=SECONDLY",
    ])
      expect(count({ rrule })).toBe(0);
  });

  it("is not waited for where a rule has begun long ago", () => {
    const started = performance.now();
    for (const parts of ["", ";INTERVAL=7", ";COUNT=2000000000", ";INTERVAL=7;BYHOUR=3;COUNT=1000000000"])
      expect(count({ rrule: `DTSTART:20000101T000000\nFREQ=SECONDLY${parts}` })).toBe(1000);
    // Step by step it would be minutes.
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});
