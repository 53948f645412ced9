import { describe, expect, it } from "vitest";
import { ScheduleError } from "../../src/schedules/error.ts";
import { readSchedule } from "../../src/schedules/schedule.ts";
import { askPrefect, firstDates, ourAnswer, show } from "./schedules/comparison.ts";
import { DIFFERENCES } from "./schedules/differences.ts";
import { Generator, STARTS, ZONES } from "./schedules/generated.ts";
import type { JsonObject } from "../../src/json/value.ts";
import type { Answer, Case } from "./schedules/comparison.ts";

const CRONS = [
  "* * * * *",
  "*/15 * * * *",
  "0 9 * * *",
  "30 2 * * *",
  "30 6 * * 1-5",
  "0 12 1 * *",
  "5 4 * * sun",
  "0 22 * jan,jul fri",
  "0 0 29 2 *",
  "15 14 1-7 * mon",
  "0 8-18/2 * * *",
  "0 12 L * *",
  "0 12 * * 1#2",
  "0 12 * * L5",
  "0 12 * * 7",
  "0 22-2 * * fri-mon",
  "0 6,18 */2 * *",
  "*/70 5/7 ? * *",
  "0 0 30 2 *",
  "0 0 1 1 * 0 2025",
  "@daily",
  "@weekly",
  "@MONTHLY",
  "@yearly",
  "0 12 * * * 30",
];
const RULES = [
  "DTSTART:20260101T000000\nFREQ=HOURLY",
  "FREQ=DAILY;BYHOUR=2;BYMINUTE=30",
  "FREQ=WEEKLY;BYDAY=MO,WE;BYHOUR=9",
  "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
  "FREQ=YEARLY;BYEASTER=1",
  "FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO",
  "RRULE:FREQ=DAILY;COUNT=2600",
  "DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY;UNTIL=20260329T090000Z",
  "DTSTART;TZID=America/New_York:20260101T090000\nRRULE:FREQ=DAILY\nEXRULE:FREQ=WEEKLY;BYDAY=SA,SU\nEXDATE:20260330T090000",
  "RDATE:20260329T023000,20261025T023000",
  "DTSTART:20261024T000000\nFREQ=MINUTELY;INTERVAL=20;COUNT=600",
];
const INTERVALS = [600, 3600, 86_400, 129_600];

/** Each case that differs with no named reason; and how often each reason was needed. */
function compare(
  cases: readonly Case[],
  allAnswers: readonly Answer[],
  needed: Map<string, number>,
): string[] {
  return cases.flatMap((one, at) => {
    const theirs = allAnswers[at] ?? { dates: [], error: "no answer" };
    if (theirs.error === "TimeoutError") return [];
    const ours = ourAnswer(one);
    const isRefused = theirs.error !== null && theirs.error !== "CroniterBadDateError";
    if (isRefused ? ours.error !== null : ours.error === null && areEqual(ours.dates, theirs.dates))
      return [];
    const difference = DIFFERENCES.find((each) => !isRefused && each.explains(one, ours, theirs));
    if (difference === undefined)
      return [`${JSON.stringify(one)}\n  ours    ${show(ours)}\n  prefect ${show(theirs)}`];
    needed.set(difference.name, (needed.get(difference.name) ?? 0) + 1);
    return [];
  });
}

function areEqual(ours: readonly number[], theirs: readonly number[]): boolean {
  return JSON.stringify(ours) === JSON.stringify(theirs);
}

/** Each in all zones, from three starts. */
function everywhere(schedules: readonly JsonObject[]): readonly Case[] {
  return schedules.flatMap((schedule, at) =>
    ZONES.flatMap((timezone, zone) =>
      [0, 4, 8].map((step) => ({
        schedule: { ...schedule, timezone },
        start: STARTS[(at + zone + step) % STARTS.length] ?? "",
      })),
    ),
  );
}

describe("schedules, beside Prefect's own classes", () => {
  it("give the same dates, but for the differences that the README lists", { timeout: 240_000 }, () => {
    const generator = new Generator(20_261_125);
    const some = (count: number, make: () => Case): readonly Case[] => Array.from({ length: count }, make);
    const cases = [
      ...everywhere(CRONS.map((cron) => ({ cron }))),
      ...everywhere(RULES.map((rrule) => ({ rrule }))),
      ...everywhere(INTERVALS.map((interval) => ({ interval, anchor_date: "2026-01-05T09:30:00Z" }))),
      ...some(250, () => generator.cron()),
      ...some(120, () => generator.interval()),
      ...some(200, () => generator.rule()),
    ];
    const theirs = askPrefect(cases);
    const needed = new Map<string, number>();
    expect(compare(cases, theirs, needed)).toEqual([]);
    // None of them is a mere excuse, and what Prefect has no time for is the exception.
    expect([...needed.keys()].toSorted()).toEqual(DIFFERENCES.map(({ name }) => name).toSorted());
    expect(theirs.filter(({ error }) => error === "TimeoutError").length).toBeLessThan(cases.length / 50);
  });

  it("refuse what Prefect refuses", () => {
    const crons =
      `* * * *|60 * * * *|0 25 * * *|0 0 32 * *|0 0 0 * *|0 0 * 0 *|0 0 * * 8||H * * * *|R * * * *|h(0-5) * * * *|@reboot|x y z * *
      * * * * * * * *|*/0 * * * *|0 0 5L * *|0 0 15W * *|0 0 L-3 * *|0 0 * * 1#6|0 0 * * 1#2,3|0 0 * * 7 30|0 0 1? * *|1,,2 * * * *|-5 * * * *`
        .split(/\||\n\s*/)
        .map((cron): JsonObject => ({ cron }));
    const rules = [
      "",
      "FREQ=FOO",
      "FREQ=DAILY;FOO=1",
      "FREQ=DAILY;BYHOUR=25",
      "FREQ=DAILY;BYSETPOS=0",
      "FREQ=DAILY;BYDAY=XX",
      "FREQ=DAILY;",
      "FREQ=DAILY\nFOO:1",
      "FREQ=HOURLY;INTERVAL=2;BYHOUR=1",
      "DTSTART:20260101T000000\nRRULE:FREQ=DAILY;UNTIL=20300101T000000Z",
      "DTSTART:20260101T000000Z\nRRULE:FREQ=DAILY;UNTIL=20300101T000000",
      "INTERVAL=2",
      "DTSTART:20260101T000000",
      `FREQ=DAILY\n${"EXDATE:20260101T000000\n".repeat(300)}`,
    ].map((rrule): JsonObject => ({ rrule }));
    const others: readonly JsonObject[] = [
      { interval: 0 },
      { interval: -5 },
      { interval: "1h" },
      { interval: null },
      { interval: 60, anchor_date: "tomorrow" },
      { interval: 60, anchor_date: "2020-13-01" },
      { interval: 60, cron: "* * * * *" },
      { cron: "0 9 * * *", foo: 1 },
      { cron: "0 9 * * *", day_or: 3 },
      { cron: "0 9 * * *", timezone: "Mars/Base" },
      { cron: "0 9 * * *", timezone: "europe/berlin" },
      { interval: 60, timezone: "GMT+1" },
      { rrule: "FREQ=DAILY", timezone: "" },
      { rrule: "FREQ=DAILY", timezone: "Nope" },
    ];
    const cases = [...crons, ...rules, ...others].map((schedule) => ({
      schedule,
      start: "2026-01-01T00:00:00Z",
    }));
    const theirs = askPrefect(cases);
    expect(cases.filter((_, at) => theirs[at]?.error === null)).toEqual([]);
    expect(cases.filter((one) => ourAnswer(one).error !== "ScheduleError")).toEqual([]);
  });
});

describe("deliberate differences of schedules", () => {
  const zone = "Europe/Berlin";
  const dates = (schedule: JsonObject, start: string, count = 2): string[] =>
    firstDates(readSchedule({ timezone: zone, ...schedule }, { nowMs: 0 }), start, Infinity, count).map(
      (date) => new Date(date).toISOString().slice(0, 16),
    );

  it("an interval of whole days keeps its local time when the clocks change", () => {
    const schedule = { interval: 86_400, anchor_date: "2026-01-05T08:00:00Z" };
    expect(dates(schedule, "2026-03-27T12:00:00Z")).toEqual(["2026-03-28T08:00", "2026-03-29T07:00"]);
    expect(dates(schedule, "2026-07-01T00:00:00Z", 1)).toEqual(["2026-07-01T07:00"]);
  });

  it("a cron or rrule time that the clocks skip comes as much later as they skip; one that they show twice comes once", () => {
    for (const schedule of [{ cron: "30 2 * * *" }, { rrule: "FREQ=DAILY;BYHOUR=2;BYMINUTE=30" }]) {
      expect(dates(schedule, "2026-03-28T20:00:00Z")).toEqual(["2026-03-29T01:30", "2026-03-30T00:30"]);
      expect(dates(schedule, "2026-10-24T20:00:00Z")).toEqual(["2026-10-25T00:30", "2026-10-26T01:30"]);
    }
  });

  it("rules follow the clocks also after 2037", () => {
    expect(dates({ rrule: "FREQ=DAILY;BYHOUR=9" }, "2040-07-01T00:00:00Z", 1)).toEqual(["2040-07-01T07:00"]);
  });

  it("BYDAY takes plain and counted weekdays together", () => {
    const rrule = "FREQ=MONTHLY;BYDAY=1MO,FR;BYMONTHDAY=1,2,3,4,5,6,7";
    expect(dates({ rrule }, "2026-06-01T00:00:00Z", 3)).toEqual([
      "2026-06-04T22:00",
      "2026-07-02T22:00",
      "2026-07-05T22:00",
    ]);
  });

  it("what Prefect takes, but never gives a date or never ends, is refused", () => {
    const refused = [
      ...["R/5 * * * *", "R(0-30) * * * *"].map((cron) => ({ cron })),
      ...["INTERVAL=0", "COUNT=0", "BYMONTH=13", "UNTIL=20300101T000000Z", "BYHOUR=24", "UNTIL=JAN5"].map(
        (part) => ({
          rrule: `FREQ=DAILY;${part}`,
        }),
      ),
      { rrule: "FREQ=MINUTELY;BYSETPOS=2" },
      { rrule: "FREQ=DAILY", timezone: "xUTCy" },
    ];
    for (const schedule of refused)
      expect(() => dates(schedule, "2026-01-01T00:00:00Z")).toThrow(ScheduleError);
  });

  it("a rule without a time zone is one of UTC", () => {
    const schedule = readSchedule({ rrule: "FREQ=DAILY;BYHOUR=9", timezone: null }, { nowMs: 0 });
    expect(schedule.zone).toBe("UTC");
    expect(schedule.json["timezone"]).toBe(null);
  });
});
