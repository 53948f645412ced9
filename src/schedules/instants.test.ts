import { describe, expect, it } from "vitest";

import { readSchedule } from "./schedule.ts";

import type { JsonObject } from "../json/value.ts";

/** The first instants from a moment on, in minutes of UTC. */
function instants(schedule: JsonObject, start: string, count: number): string[] {
  const found: string[] = [];
  for (const instant of readSchedule(schedule, { nowMs: 0 }).instants(Date.parse(start))) {
    found.push(new Date(instant).toISOString().slice(0, 16));
    if (found.length === count) break;
  }
  return found;
}

/** Days of the first dates of a cron line at 00:00 UTC. */
function days(fields: string, start: string, count: number, dayOr = true): string[] {
  return instants({ cron: `0 0 ${fields}`, day_or: dayOr }, start, count).map((date) => date.slice(5, 10));
}

describe("cron lines", () => {
  const START = "2026-01-01T00:00:30Z";

  it.each([
    ["*/20 * * * *", ["00:20", "00:40", "01:00", "01:20"]],
    ["*/70 * * * *", ["01:00", "02:00", "03:00", "04:00"]],
    ["50/5 23 * * *", ["23:50", "23:55", "23:50", "23:55"]],
    ["30 22-2/2 * * *", ["00:30", "02:30", "22:30", "00:30"]],
    ["5-5 0 * * *", ["00:01", "00:02", "00:03", "00:04"]],
  ])("%s", (cron, times) => {
    expect(instants({ cron }, START, 4).map((date) => date.slice(11))).toEqual(times);
  });

  it.each([
    ["* * 7", ["01-04", "01-11"]],
    ["* * fri-mon", ["01-02", "01-03", "01-04", "01-05", "01-09"]],
    ["* * 5-7", ["01-02", "01-03", "01-04", "01-09"]],
    ["L * *", ["01-31", "02-28", "03-31"]],
    ["29-L 2,3 ?", ["03-29", "03-30", "03-31", "03-29"]],
    ["? * L5", ["01-30", "02-27", "03-27"]],
    ["* * mon#1,fri#3", ["01-05", "01-16", "02-02", "02-20"]],
    ["* * sun#5", ["03-29", "05-31"]],
    ["13 * fri", ["01-02", "01-09", "01-13", "01-16"]],
    ["10 * mon#1", ["01-05", "01-10", "02-02", "02-10"]],
    ["31 9 fri", ["09-04", "09-11", "09-18", "09-25"]],
    ["1 nov-feb *", ["02-01", "11-01", "12-01", "01-01"]],
  ])("days %s", (fields, expected) => {
    expect(days(fields, START, expected.length)).toEqual(expected);
  });

  it("both day fields, where both must match", () => {
    expect(days("13 * fri", START, 3, false)).toEqual(["02-13", "03-13", "11-13"]);
    expect(days("1-7 * mon", START, 3, false)).toEqual(["01-05", "02-02", "03-02"]);
    // Every day of the month is a restriction too.
    expect(days("*/1 * fri", START, 2)).toEqual(["01-02", "01-03"]);
    expect(days("* * fri", START, 2)).toEqual(["01-02", "01-09"]);
  });

  it("seconds and years", () => {
    const dates = readSchedule({ cron: "59 23 31 12 * 58-59 2027,2030" }, { nowMs: 0 }).instants(
      Date.parse(START),
    );
    expect([...dates].map((date) => new Date(date).toISOString())).toEqual([
      "2027-12-31T23:59:58.000Z",
      "2027-12-31T23:59:59.000Z",
      "2030-12-31T23:59:58.000Z",
      "2030-12-31T23:59:59.000Z",
    ]);
  });

  it("a date that equals the start counts, one within its second does not", () => {
    expect(instants({ cron: "0 9 * * *" }, "2026-01-01T09:00:00Z", 1)).toEqual(["2026-01-01T09:00"]);
    expect(instants({ cron: "0 9 * * *" }, "2026-01-01T09:00:00.001Z", 1)).toEqual(["2026-01-02T09:00"]);
  });
});

describe("changes of the clocks", () => {
  const berlin = "Europe/Berlin";

  it("a time that is skipped comes later, in its place among the others, and once", () => {
    const rrule = "RDATE:20260329T013000,20260329T023000,20260329T031500,20260329T033000,20260329T040000";
    expect(instants({ rrule, timezone: berlin }, "2026-03-29T00:00:00Z", 9)).toEqual([
      "2026-03-29T00:30",
      "2026-03-29T01:15",
      "2026-03-29T01:30",
      "2026-03-29T02:00",
    ]);
    // Also when the start lies behind the gap.
    expect(instants({ cron: "30 2 * * *", timezone: berlin }, "2026-03-29T01:10:00Z", 1)).toEqual([
      "2026-03-29T01:30",
    ]);
  });

  it("a time that comes twice counts the first time, and not again after a start in between", () => {
    const schedule = { cron: "*/30 * * * *", timezone: berlin };
    const expected = ["2026-10-25T00:00", "2026-10-25T00:30", "2026-10-25T02:00"];
    expect(instants(schedule, "2026-10-25T00:00:00Z", 3)).toEqual(expected);
    expect(instants(schedule, "2026-10-25T01:00:00Z", 1)).toEqual(["2026-10-25T02:00"]);
  });

  it("half an hour on Lord Howe Island, midnight in Cairo", () => {
    expect(
      instants({ cron: "15 2 * * *", timezone: "Australia/Lord_Howe" }, "2026-10-02T20:00:00Z", 2),
    ).toEqual(["2026-10-03T15:45", "2026-10-04T15:15"]);
    expect(instants({ cron: "0 0 * * *", timezone: "Africa/Cairo" }, "2026-04-22T20:00:00Z", 3)).toEqual([
      "2026-04-22T22:00",
      "2026-04-23T22:00",
      "2026-04-24T21:00",
    ]);
  });

  it("intervals of days go by the clock, shorter ones by elapsed time", () => {
    const anchor_date = "2026-03-27T08:00:00Z";
    const dates = (interval: number): string[] =>
      instants({ interval, anchor_date, timezone: berlin }, "2026-03-28T00:00:00Z", 3);
    expect(dates(86_400)).toEqual(["2026-03-28T08:00", "2026-03-29T07:00", "2026-03-30T07:00"]);
    expect(dates(129_600)).toEqual(["2026-03-28T20:00", "2026-03-30T07:00", "2026-03-31T19:00"]);
    expect(dates(43_200)).toEqual(["2026-03-28T08:00", "2026-03-28T20:00", "2026-03-29T08:00"]);
  });

  it("an interval has no beginning", () => {
    const schedule = { interval: 3600, anchor_date: "2027-01-01T00:20:00Z" };
    expect(instants(schedule, "2026-01-01T00:00:00Z", 2)).toEqual(["2026-01-01T00:20", "2026-01-01T01:20"]);
  });
});

describe("rules", () => {
  it.each([
    // The last working day of the month.
    [
      "DTSTART:20260101T090000\nRRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
      ["01-30", "02-27", "03-31"],
    ],
    ["DTSTART:20260101T090000\nRRULE:FREQ=MONTHLY;BYMONTHDAY=-1,15", ["01-15", "01-31", "02-15"]],
    ["DTSTART:20260131T090000\nRRULE:FREQ=MONTHLY", ["01-31", "03-31", "05-31"]],
    ["DTSTART:20260101T090000\nRRULE:FREQ=YEARLY;BYEASTER=-2,1", ["04-03", "04-06", "03-26"]],
    ["DTSTART:20260101T090000\nRRULE:FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO", ["01-04", "01-03", "01-01"]],
    ["DTSTART:20260101T090000\nRRULE:FREQ=YEARLY;BYYEARDAY=60,-1", ["03-01", "12-31", "03-01"]],
    ["DTSTART:20260101T090000\nRRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO", ["01-04", "01-12", "01-18"]],
    [
      "DTSTART:20260101T090000\nRRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU",
      ["01-11", "01-12", "01-25"],
    ],
    ["DTSTART:20260101T090000\nRRULE:FREQ=YEARLY;BYDAY=20MO", ["05-18", "05-17", "05-15"]],
    ["DTSTART:20260101T090000\nRRULE:FREQ=DAILY;UNTIL=20260103T090000", ["01-01", "01-02", "01-03"]],
    [
      "DTSTART:20260101T090000\nRRULE:FREQ=DAILY\nEXRULE:FREQ=DAILY;INTERVAL=2;COUNT=2\nEXDATE:20260102T090000",
      ["01-04", "01-05", "01-06"],
    ],
    [
      "DTSTART:20260101T090000\nRRULE:FREQ=DAILY;COUNT=2\nRRULE:FREQ=WEEKLY\nRDATE:20260105T090000",
      ["01-01", "01-02", "01-05", "01-08"],
    ],
  ])("%s", (rrule, expected) => {
    const dates = instants({ rrule }, "2025-12-01T00:00:00Z", expected.length);
    expect(dates.map((date) => date.slice(5, 10))).toEqual(expected);
    expect(dates.every((date) => date.endsWith("T09:00"))).toBe(true);
  });

  it("COUNT counts from DTSTART, also where dates are left out", () => {
    const rrule = "DTSTART:20260101T090000\nRRULE:FREQ=DAILY;COUNT=5\nEXDATE:20260104T090000";
    expect(instants({ rrule }, "2026-01-03T12:00:00Z", 9)).toEqual(["2026-01-05T09:00"]);
  });

  it("hours, minutes and seconds keep their beat from DTSTART on", () => {
    const rrule = "DTSTART:20200101T000000\nRRULE:FREQ=MINUTELY;INTERVAL=7;BYHOUR=9";
    const beat = instants({ rrule }, "2026-01-01T00:00:00Z", 3).map(
      (date) => ((Date.parse(`${date}Z`) - Date.UTC(2020, 0, 1)) / 60_000) % 7,
    );
    expect(beat).toEqual([0, 0, 0]);
    expect(instants({ rrule: "FREQ=HOURLY;BYMINUTE=10,50;BYSETPOS=-1" }, "2026-01-01T00:00:00Z", 2)).toEqual([
      "2026-01-01T00:50",
      "2026-01-01T01:50",
    ]);
  });

  it("Z and TZID are dropped: the schedule's time zone holds", () => {
    const timezone = "America/New_York";
    for (const start of ["DTSTART:20260101T090000Z", "DTSTART;TZID=Europe/Berlin:20260101T090000"]) {
      expect(instants({ rrule: `${start}\nRRULE:FREQ=DAILY`, timezone }, "2026-01-02T00:00:00Z", 1)).toEqual([
        "2026-01-02T14:00",
      ]);
    }
  });
});
