import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { readSchedule } from "../../src/server/schedules/schedule.ts";
import { prefectProgram } from "../support/prefect-server.ts";
import type { JsonObject } from "../../src/json/value.ts";

interface Case {
  readonly schedule: JsonObject;
  /** ISO, UTC. */
  readonly start: string;
}

const COUNT = 8;
const PYTHON = `
import json, sys
from datetime import datetime, timezone
from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule
out = []
for case in json.load(sys.stdin):
    try:
        kind = CronSchedule if "cron" in case["schedule"] else IntervalSchedule
        schedule = kind.model_validate(case["schedule"])
        start = datetime.fromisoformat(case["start"].replace("Z", "+00:00"))
        dates = list(schedule._get_dates_generator(n=${COUNT}, start=start))
        out.append([int(date.timestamp() * 1000) for date in dates])
    except Exception as error:
        out.append(type(error).__name__)
json.dump(out, sys.stdout)
`;

function askPrefect(cases: readonly Case[]): readonly (readonly number[] | string)[] {
  const output = execFileSync(prefectProgram(3, "python"), ["-c", PYTHON], {
    input: JSON.stringify(cases),
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  return JSON.parse(output) as (number[] | string)[];
}

async function ours({ schedule, start }: Case): Promise<readonly number[] | string> {
  try {
    const dates: number[] = [];
    for (const instant of (await readSchedule(schedule))?.instants(Date.parse(start)) ?? []) {
      dates.push(Math.floor(instant));
      if (dates.length === COUNT) break;
    }
    return dates;
  } catch (error) {
    if (error instanceof RangeError) return "refused";
    throw error;
  }
}

async function compare(cases: readonly Case[]): Promise<unknown[]> {
  const theirs = askPrefect(cases);
  const differences: unknown[] = [];
  for (const [at, one] of cases.entries()) {
    const mine = await ours(one);
    const their = theirs[at];
    const same =
      typeof their === "string" ? mine === "refused" : JSON.stringify(mine) === JSON.stringify(their);
    if (!same) differences.push({ ...one, ours: show(mine), prefect: show(their) });
  }
  return differences;
}

function show(dates: readonly number[] | string | undefined): unknown {
  return typeof dates === "string" || dates === undefined
    ? dates
    : dates.map((date) => new Date(date).toISOString());
}

const ZONES = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "Asia/Kolkata",
  "Australia/Lord_Howe",
  "America/St_Johns",
  "America/Sao_Paulo",
];
// Before, within and after changes of the clocks in those zones.
const STARTS = [
  "2026-01-15T10:20:30Z",
  "2026-03-07T12:00:00Z",
  "2026-03-28T20:00:00Z",
  "2026-04-04T06:00:00Z",
  "2026-10-24T22:00:00Z",
  "2026-10-31T12:00:00Z",
  "2028-02-28T23:59:59Z",
];
const CRONS = [
  "* * * * *",
  "*/15 * * * *",
  "0 9 * * *",
  "30 6 * * 1-5",
  "0 12 1 * *",
  "5 4 * * sun",
  "0 22 * jan,jul fri",
  "0 0 29 2 *",
  "15 14 1-7 * mon",
  "0 8-18/2 * * *",
  "0 12 L * *",
  "0 12 * * 1#2",
  "0 12 * * 7",
  "0 6,18 */2 * *",
  "@daily",
  "@weekly",
  "@MONTHLY",
  "0 12 * * * 30",
];

describe("schedules, beside Prefect's own classes", () => {
  it("cron lines give the same instants", async () => {
    const cases = CRONS.flatMap((cron) =>
      ZONES.flatMap((timezone) => STARTS.map((start) => ({ schedule: { cron, timezone }, start }))),
    )
      // Times that the clocks skip or show twice have a test of their own.
      .filter(({ schedule: { cron, timezone }, start }) => timezone === "UTC" || !touchesChange(cron, start));
    expect(cases.length).toBeGreaterThan(300);
    expect(await compare(cases)).toEqual([]);
  });

  it("both day fields match either, or both where it is said", async () => {
    const cases = ["15 14 1-7 * mon", "0 12 13 * fri", "0 8 20-31 6 tue,thu"].flatMap((cron) =>
      [true, false].flatMap((day_or) =>
        STARTS.map((start) => ({ schedule: { cron, timezone: "UTC", day_or }, start })),
      ),
    );
    expect(await compare(cases)).toEqual([]);
  });

  it("intervals give the same instants", async () => {
    const intervals = [1, 60, 900, 3600, 5400, 7200, 43_200, 86_400, 172_800, 604_800];
    const cases = intervals.flatMap((interval) =>
      ZONES.flatMap((timezone) =>
        STARTS.map((start) => ({
          schedule: { interval, timezone, anchor_date: "2026-01-05T09:30:00Z" },
          start,
        })),
      ),
    );
    // Whole days keep the local time here and drift in Prefect; where the clocks are set back, Prefect drops the second pass.
    const comparable = cases.filter(
      ({ schedule: { interval, timezone } }) =>
        timezone === "UTC" || timezone === "Asia/Kolkata" || interval < 900,
    );
    expect(comparable.length).toBeGreaterThan(150);
    expect(await compare(comparable)).toEqual([]);
  });

  it("refuse what Prefect refuses", async () => {
    const crons = [
      "",
      "* * * *",
      "60 * * * *",
      "0 25 * * *",
      "0 0 32 * *",
      "H * * * *",
      "@reboot",
      "x y z * *",
      "* * * * * * * *",
    ];
    const cases: Case[] = crons.map((cron) => ({
      schedule: { cron, timezone: "UTC" },
      start: "2026-01-01T00:00:00Z",
    }));
    const start = "2026-01-01T00:00:00Z";
    cases.push({ schedule: { cron: "0 9 * * *", timezone: "Mars/Base" }, start });
    cases.push(
      { schedule: { interval: 0, timezone: "UTC" }, start },
      { schedule: { interval: -5, timezone: "UTC" }, start },
    );
    expect(askPrefect(cases).filter((answer) => typeof answer !== "string")).toEqual([]);
    expect(await compare(cases)).toEqual([]);
  });
});

describe("deliberate differences of schedules", () => {
  it("an interval of whole days keeps its local time when the clocks change", async () => {
    const dates = await ours({
      schedule: { interval: 86_400, timezone: "Europe/Berlin", anchor_date: "2026-01-05T08:00:00Z" },
      start: "2026-03-27T12:00:00Z",
    });
    expect(show(dates)).toEqual([
      "2026-03-28T08:00:00.000Z",
      "2026-03-29T07:00:00.000Z",
      "2026-03-30T07:00:00.000Z",
      "2026-03-31T07:00:00.000Z",
      "2026-04-01T07:00:00.000Z",
      "2026-04-02T07:00:00.000Z",
      "2026-04-03T07:00:00.000Z",
      "2026-04-04T07:00:00.000Z",
    ]);
  });

  it("a cron time that the clocks skip comes as much later as they skip; one that they show twice comes once", async () => {
    const skipped = await ours({
      schedule: { cron: "30 2 29 3 *", timezone: "Europe/Berlin" },
      start: "2026-03-28T20:00:00Z",
    });
    expect(new Date(Number(skipped[0])).toISOString()).toBe("2026-03-29T01:30:00.000Z");
    const twice = await ours({
      schedule: { cron: "30 2 * * *", timezone: "Europe/Berlin" },
      start: "2026-10-24T20:00:00Z",
    });
    expect((show(twice) as readonly string[]).slice(0, 2)).toEqual([
      "2026-10-25T00:30:00.000Z",
      "2026-10-26T01:30:00.000Z",
    ]);
  });
});

/** Whether one of the first dates may lie in the night in which the clocks change. */
function touchesChange(cron: string, start: string): boolean {
  const everyHour = /^\S+ \*(?:\/\d+)? /.test(cron) || cron.startsWith("@") || cron.startsWith("5 4");
  return everyHour && !start.startsWith("2026-01") && !start.startsWith("2028");
}
