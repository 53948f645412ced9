import {
  DAY_MS,
  dayNumberOf,
  dayOf,
  daysInMonth,
  daysInYear,
  easterOf,
  firstWeekOf,
  weekdayOf,
} from "./calendar.ts";

import type { CalendarDay } from "./calendar.ts";
import type { Frequency, Rule, RuleWeekday } from "./rrule-text.ts";

/** The dates of one period of a rule: these days, each at these seconds of the day, both in order. */
export interface Period {
  readonly days: readonly number[];
  readonly seconds: readonly number[];
  /** BYSETPOS: which of them are meant. */
  readonly positions?: readonly number[] | undefined;
}

/** A rule that recurs at most daily has a period for each year, month, week or day; one that recurs more often, for each day. */
export interface Periods {
  /** Index of the period in which a day lies, or of the one before it. */
  indexOf(day: number): number;
  /** First day of a period. */
  startOf(index: number): number;
  at(index: number): Period;
}

type DayTest = (day: number) => boolean;

/** The periods of a rule that begins at `dtstartMs`. Throws a RangeError for a rule in which no time of the day fits. */
export function periodsOf(rule: Rule, dtstartMs: number): Periods {
  const start = dayOf(Math.floor(dtstartMs / DAY_MS));
  const matches = dayTest(rule, start);
  const unitsPerDay = UNITS_PER_DAY[rule.frequency];
  if (unitsPerDay !== undefined) return periodsWithinDays(rule, dtstartMs, matches, unitsPerDay);
  const seconds = product(rule, dtstartMs);
  const bounds = boundsOf(rule, start);
  return {
    ...bounds,
    at(index) {
      const days: number[] = [];
      const end = bounds.endOf(index);
      for (let day = bounds.startOf(index); day < end; day++) if (matches(day)) days.push(day);
      return { days, seconds, positions: rule.lists.BYSETPOS };
    },
  };
}

interface Bounds extends Pick<Periods, "indexOf" | "startOf"> {
  /** The day after the period's last. */
  endOf(index: number): number;
}

function boundsOf({ frequency, interval, weekStart }: Rule, start: CalendarDay): Bounds {
  if (frequency === "YEARLY") {
    const yearOf = (index: number): number => start.year + index * interval;
    return {
      indexOf: (day) => Math.floor((dayOf(day).year - start.year) / interval),
      startOf: (index) => dayNumberOf(yearOf(index), 1, 1),
      endOf: (index) => dayNumberOf(yearOf(index) + 1, 1, 1),
    };
  }
  if (frequency === "MONTHLY") {
    return {
      indexOf(day) {
        const { year, month } = dayOf(day);
        return Math.floor(((year - start.year) * 12 + month - start.month) / interval);
      },
      startOf: (index) => dayNumberOf(start.year, start.month + index * interval, 1),
      endOf: (index) => dayNumberOf(start.year, start.month + index * interval + 1, 1),
    };
  }
  const length = frequency === "WEEKLY" ? 7 : 1;
  const first = start.number - (length === 7 ? (weekdayOf(start.number) - weekStart + 7) % 7 : 0);
  return {
    indexOf: (day) => Math.floor((day - first) / (length * interval)),
    // The first week begins with DTSTART: BYSETPOS counts from there (dateutil).
    startOf: (index) => (index === 0 ? start.number : first + index * length * interval),
    endOf: (index) => first + index * length * interval + length,
  };
}

const UNITS_PER_DAY: Readonly<Partial<Record<Frequency, number>>> = {
  HOURLY: 24,
  MINUTELY: 1440,
  SECONDLY: 86_400,
};

function periodsWithinDays(rule: Rule, dtstartMs: number, matches: DayTest, unitsPerDay: number): Periods {
  const { interval, lists, frequency } = rule;
  const startDay = Math.floor(dtstartMs / DAY_MS);
  const secondsOfUnit = 86_400 / unitsPerDay;
  const startUnit = Math.floor(dtstartMs / 1000 / secondsOfUnit);
  const fits = (unit: number): boolean => {
    const second = unit * secondsOfUnit;
    return (
      lists.BYHOUR?.includes(Math.floor(second / 3600)) !== false &&
      (frequency === "HOURLY" || lists.BYMINUTE?.includes(Math.floor(second / 60) % 60) !== false) &&
      (frequency !== "SECONDLY" || lists.BYSECOND?.includes(second % 60) !== false)
    );
  };
  // BYSETPOS chooses within each hour, minute or second.
  const unit = { days: [0], seconds: product(rule, dtstartMs), positions: lists.BYSETPOS };
  const withinUnit = [...timesIn(unit, 0)].map((ms) => ms / 1000);
  const secondsFrom = (first: number): number[] => {
    const seconds: number[] = [];
    for (let unit = first; unit < unitsPerDay; unit += interval) {
      if (fits(unit)) for (const second of withinUnit) seconds.push(unit * secondsOfUnit + second);
    }
    return seconds;
  };
  // The time of the day at which a day's first unit falls comes back after so many units.
  let left = withinUnit.length === 0 ? 0 : unitsPerDay / greatestCommonDivisor(interval, unitsPerDay);
  for (let unit = startUnit; left > 0 && !fits(modulo(unit, unitsPerDay)); unit += interval) left -= 1;
  if (left === 0) {
    throw new RangeError(
      "no time of the day fits INTERVAL together with BYHOUR, BYMINUTE, BYSECOND and BYSETPOS",
    );
  }
  // All of them together hold no more than the seconds of a day.
  const known = new Map<number, readonly number[]>();
  return {
    indexOf: (day) => day - startDay,
    startOf: (index) => startDay + index,
    at(index) {
      const day = startDay + index;
      if (!matches(day)) return { days: [], seconds: [] };
      const first = modulo(startUnit - day * unitsPerDay, interval);
      const seconds = known.get(first) ?? secondsFrom(first);
      known.set(first, seconds);
      return { days: [day], seconds };
    },
  };
}

/** Seconds of the day, or of the unit that the rule's frequency repeats, that BYHOUR, BYMINUTE and BYSECOND (else DTSTART) name. */
function product({ frequency, lists }: Rule, dtstartMs: number): readonly number[] {
  const start = new Date(dtstartMs);
  const repeated = ["HOURLY", "MINUTELY", "SECONDLY"].indexOf(frequency);
  const hours = repeated >= 0 ? [0] : sorted(lists.BYHOUR ?? [start.getUTCHours()]);
  const minutes = repeated >= 1 ? [0] : sorted(lists.BYMINUTE ?? [start.getUTCMinutes()]);
  const seconds = repeated >= 2 ? [0] : sorted(lists.BYSECOND ?? [start.getUTCSeconds()]);
  return hours.flatMap((hour) =>
    minutes.flatMap((minute) => seconds.map((second) => hour * 3600 + minute * 60 + second)),
  );
}

/** Wall times of a period from one on, in order. */
export function* timesIn({ days, seconds, positions }: Period, fromMs: number): Generator<number> {
  if (positions === undefined) {
    for (const day of days) {
      const fromSecond = (fromMs - day * DAY_MS) / 1000;
      if (fromSecond >= 86_400) continue;
      for (const second of seconds) if (second >= fromSecond) yield day * DAY_MS + second * 1000;
    }
  } else for (const time of chosenTimes(days, seconds, positions)) if (time >= fromMs) yield time;
}

export function isEmpty({ days, seconds, positions }: Period): boolean {
  if (days.length === 0 || seconds.length === 0) return true;
  return positions !== undefined && chosenTimes(days, seconds, positions).length === 0;
}

/** Whether a wall time is one of a period's. */
export function isIn({ days, seconds, positions }: Period, time: number): boolean {
  if (positions !== undefined) return chosenTimes(days, seconds, positions).includes(time);
  const day = Math.floor(time / DAY_MS);
  return days.includes(day) && includesSorted(seconds, (time - day * DAY_MS) / 1000);
}

function includesSorted(sorted: readonly number[], wanted: number): boolean {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? Infinity) < wanted) low = middle + 1;
    else high = middle;
  }
  return sorted[low] === wanted;
}

function chosenTimes(
  days: readonly number[],
  seconds: readonly number[],
  positions: readonly number[],
): readonly number[] {
  const times = positions.flatMap((position) => {
    const at = position > 0 ? position - 1 : days.length * seconds.length + position;
    const day = days[Math.floor(at / seconds.length)];
    const second = seconds[at % seconds.length];
    return day === undefined || second === undefined ? [] : [day * DAY_MS + second * 1000];
  });
  return sorted(times);
}

/** Whether the BY… parts that speak of days hold for a day. */
function dayTest(rule: Rule, start: CalendarDay): DayTest {
  const { lists, weekStart } = rule;
  const tests: ((day: CalendarDay) => boolean)[] = [];
  const { BYMONTH, BYMONTHDAY, BYWEEKDAY } = withStart(rule, start);
  if (BYMONTH !== undefined) tests.push(({ month }) => BYMONTH.includes(month));
  if (BYMONTHDAY !== undefined)
    tests.push(({ year, month, day }) => isAmong(BYMONTHDAY, day, daysInMonth(year, month)));
  if (BYWEEKDAY !== undefined)
    tests.push((day) => BYWEEKDAY.some((weekday) => isWeekday(rule, weekday, day)));
  const { BYYEARDAY, BYWEEKNO, BYEASTER } = lists;
  if (BYYEARDAY !== undefined)
    tests.push(({ number, year }) =>
      isAmong(BYYEARDAY, number - dayNumberOf(year, 1, 1) + 1, daysInYear(year)),
    );
  if (BYWEEKNO !== undefined) tests.push((day) => isInWeek(BYWEEKNO, weekStart, day));
  if (BYEASTER !== undefined) tests.push(({ number, year }) => BYEASTER.includes(number - easterOf(year)));
  if (tests.length === 0) return () => true;
  return (number) => {
    const day = dayOf(number);
    return tests.every((test) => test(day));
  };
}

interface DayLists {
  readonly BYMONTH: readonly number[] | undefined;
  readonly BYMONTHDAY: readonly number[] | undefined;
  readonly BYWEEKDAY: readonly RuleWeekday[] | undefined;
}

/** What a rule leaves open is taken from DTSTART: a yearly rule comes on its day and month. */
function withStart({ frequency, weekdays, lists }: Rule, start: CalendarDay): DayLists {
  const given = { BYMONTH: lists.BYMONTH, BYMONTHDAY: lists.BYMONTHDAY, BYWEEKDAY: weekdays };
  const names = ["BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYEASTER"] as const;
  if (weekdays !== undefined || names.some((name) => lists[name] !== undefined)) return given;
  if (frequency === "YEARLY")
    return { ...given, BYMONTH: lists.BYMONTH ?? [start.month], BYMONTHDAY: [start.day] };
  if (frequency === "MONTHLY") return { ...given, BYMONTHDAY: [start.day] };
  if (frequency === "WEEKLY")
    return { ...given, BYWEEKDAY: [{ weekday: weekdayOf(start.number), nth: undefined }] };
  return given;
}

/** The n-th weekday is one of the month, or of the year in a yearly rule without BYMONTH; more frequent rules know no n-th. */
function isWeekday({ frequency, lists }: Rule, { weekday, nth }: RuleWeekday, day: CalendarDay): boolean {
  if (weekdayOf(day.number) !== weekday) return false;
  if (nth === undefined || (frequency !== "YEARLY" && frequency !== "MONTHLY")) return true;
  const isOfYear = frequency === "YEARLY" && lists.BYMONTH === undefined;
  const at = isOfYear ? day.number - dayNumberOf(day.year, 1, 1) + 1 : day.day;
  const length = isOfYear ? daysInYear(day.year) : daysInMonth(day.year, day.month);
  return nth > 0 ? Math.ceil(at / 7) === nth : Math.ceil((length - at + 1) / 7) === -nth;
}

function isInWeek(weeks: readonly number[], weekStart: number, { number, year }: CalendarDay): boolean {
  const first = firstWeekOf(year, weekStart);
  const next = firstWeekOf(year + 1, weekStart);
  if (number >= next) return weeks.includes(1);
  const [begin, end] = number < first ? [firstWeekOf(year - 1, weekStart), first] : [first, next];
  return isAmong(weeks, Math.floor((number - begin) / 7) + 1, (end - begin) / 7);
}

/** Whether the n-th of `length` is in a list in which negative numbers count from the end. */
function isAmong(list: readonly number[], nth: number, length: number): boolean {
  return list.includes(nth) || list.includes(nth - length - 1);
}

function sorted(numbers: readonly number[]): readonly number[] {
  return [...new Set(numbers)].sort((a, b) => a - b);
}

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
