import { readSchedule } from "../../../src/schedules/schedule.ts";
import { offsetAt, wallOf } from "../../../src/schedules/zone.ts";
import type { Answer, Case } from "./comparison.ts";

/** A way in which our dates differ from Prefect's on purpose; the README lists each. */
interface Difference {
  readonly name: string;
  /** Whether it, and nothing else, makes these answers differ. */
  explains(one: Case, ours: Answer, theirs: Answer): boolean;
}

const HOUR_MS = 3_600_000;

export const DIFFERENCES: readonly Difference[] = [
  {
    name: "an interval of a day or more keeps the local time when the clocks change",
    explains({ schedule, start }, ours) {
      const stepMs = Number(schedule["interval"]) * 1000;
      if (!(stepMs >= 24 * HOUR_MS)) return false;
      const zone = zoneOf(schedule);
      const anchor = wallOf(zone, Date.parse(textOf(schedule, "anchor_date")));
      const [first = NaN] = ours.dates;
      const isFirst = first >= Date.parse(start) && first - stepMs - HOUR_MS < Date.parse(start);
      const walls = ours.dates.map((date) => wallOf(zone, date));
      const areSteps = walls.every(
        (wall, at) => (wall - anchor) % stepMs === 0 && wall === Number(walls[0]) + at * stepMs,
      );
      const offsets = new Set(
        Array.from({ length: 36 }, (_, month) => offsetAt(zone, Date.UTC(2025, month))),
      );
      return isFirst && areSteps && offsets.size > 1;
    },
  },
  {
    name: "a shorter interval goes through both passes where the clocks are set back",
    explains({ schedule }, ours, theirs) {
      if (!(Number(schedule["interval"]) < 86_400)) return false;
      const seen = new Set<number>();
      const firstPasses = ours.dates.filter((date) => {
        const wall = wallOf(zoneOf(schedule), date);
        return !seen.has(wall) && seen.add(wall);
      });
      return firstPasses.length < ours.dates.length && areSame(firstPasses, theirs.dates);
    },
  },
  {
    name: "a time that the clocks skip comes later by what they skip",
    explains({ schedule }, ours, theirs) {
      const zone = zoneOf(schedule);
      const isFar = (date: number): boolean =>
        offsetAt(zone, date + 2 * HOUR_MS) <= offsetAt(zone, date - 2 * HOUR_MS);
      return areSameBut(isFar, ours, theirs);
    },
  },
  {
    name: "no date lies before the start, also in a repeated hour",
    explains({ start }, ours, theirs) {
      return areSameBut((date) => date >= Date.parse(start), ours, theirs);
    },
  },
  {
    name: "a cron line with days finds the first days of March",
    explains({ schedule }, ours, theirs) {
      if (!isDayRestricted(schedule)) return false;
      const isElsewhere = (date: number): boolean =>
        !/-03-0[1-4]T/.test(new Date(wallOf(zoneOf(schedule), date)).toISOString());
      return areSameBut(isElsewhere, ours, theirs);
    },
  },
  {
    name: "of two day fields either counts, also with # or L, or when one of them never comes",
    explains({ schedule, start }, ours, theirs) {
      if (!isDayRestricted(schedule) || schedule["day_or"] === false) return false;
      const isNth = /#|l\d/i.test(textOf(schedule, "cron").split(" ")[4] ?? "");
      if (!isNth && theirs.error !== "CroniterBadDateError") return false;
      const last = theirs.dates.at(-1);
      if (last === undefined) return ours.dates.length > 0;
      // They have some of ours.
      const all = new Set(readSchedule(schedule, { nowMs: 0 }).instants(Date.parse(start), last));
      return theirs.dates.every((date) => all.has(date));
    },
  },
];

function textOf(schedule: Case["schedule"], field: string): string {
  const value = schedule[field];
  return typeof value === "string" ? value : "";
}

function zoneOf(schedule: Case["schedule"]): string {
  return textOf(schedule, "timezone");
}

function isDayRestricted(schedule: Case["schedule"]): boolean {
  return /^\S+ \S+ (?![*?] )/.test(textOf(schedule, "cron"));
}

/** The same dates but for those that are left out, as far as both go. */
function areSameBut(isKept: (date: number) => boolean, ours: Answer, theirs: Answer): boolean {
  const [mine, their] = [ours.dates.filter(isKept), theirs.dates.filter(isKept)];
  const isLess = mine.length + their.length < ours.dates.length + theirs.dates.length;
  return isLess && areSame(mine, their);
}

function areSame(ours: readonly number[], theirs: readonly number[]): boolean {
  const length = Math.min(ours.length, theirs.length);
  return JSON.stringify(ours.slice(0, length)) === JSON.stringify(theirs.slice(0, length));
}
