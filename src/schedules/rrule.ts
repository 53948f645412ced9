import { DAY_MS } from "./calendar.ts";
import { ScheduleError } from "./error.ts";
import { isEmpty, isIn, periodsOf, timesIn } from "./rrule-periods.ts";
import { LAST_WALL_MS, instantsOnWall, wallOf } from "./zone.ts";

import type { Period, Periods } from "./rrule-periods.ts";
import type { Frequency, Rule, RuleSet } from "./rrule-text.ts";

const DEFAULT_START_MS = Date.UTC(2020, 0, 1);

// The calendar comes back after so long: what has not come by then never will.
const DAYS_OF_400_YEARS = 146_097;
const PERIODS_OF_400_YEARS: Readonly<Partial<Record<Frequency, number>>> = {
  YEARLY: 400,
  MONTHLY: 4800,
  WEEKLY: DAYS_OF_400_YEARS / 7,
};

// The seconds of a long weekend: who excludes more in a row than that excludes all.
const MAX_EXCLUDED_IN_A_ROW = 3 * 86_400;

/** A rule from where it begins, ready to be asked. */
interface Recurrence {
  readonly rule: Rule;
  readonly dtstartMs: number;
  readonly periods: Periods;
}

/** Rules and dates that are ready to be asked. */
export interface Recurrences {
  readonly included: readonly Recurrence[];
  readonly excluded: readonly Recurrence[];
  readonly rdates: readonly number[];
  readonly exdates: ReadonlySet<number>;
}

/** Rules that begin at `dtstartMs`. Throws a {@link ScheduleError} for one that never comes. */
export function prepareRules(text: string, set: RuleSet, dtstartMs: number): Recurrences {
  const prepare = (rule: Rule): Recurrence => {
    try {
      return { rule, dtstartMs, periods: periodsOf(rule, dtstartMs) };
    } catch (thrown) {
      if (!(thrown instanceof RangeError)) throw thrown;
      throw new ScheduleError(
        "rrule",
        `Invalid RRule string "${text}": ${thrown.message}`,
        text,
        "Change INTERVAL, or the times, so that some date is left.",
      );
    }
  };
  return {
    included: set.rules.map(prepare),
    excluded: set.exrules.map(prepare),
    rdates: set.rdates.toSorted((a, b) => a - b),
    exdates: new Set(set.exdates),
  };
}

/**
 * Instants of rules from `startMs` on, looked for no further than `endMs`. As dateutil, they are followed on the wall clock of the
 * zone, COUNT from DTSTART on. Rules without COUNT are entered where the start lies, however long ago they began.
 */
export function ruleInstants(
  recurrences: Recurrences,
  zone: string,
  startMs: number,
  endMs: number,
): Iterable<number> {
  // The clock may be set back before the end.
  const untilMs = endMs > LAST_WALL_MS - DAY_MS ? LAST_WALL_MS : wallOf(zone, endMs) + DAY_MS;
  return instantsOnWall(zone, startMs, (fromMs) => wallTimes(recurrences, fromMs, untilMs));
}

function* wallTimes(
  { included, excluded, rdates, exdates }: Recurrences,
  fromMs: number,
  untilMs: number,
): Generator<number> {
  const ends = new Map([...included, ...excluded].map((each) => [each, endOf(each, untilMs)]));
  const exceptions = excluded.map((each) => memberTest(each, ends.get(each) ?? untilMs));
  const times = merged([
    ...included.map((each) => timesOf(each, fromMs, ends.get(each) ?? untilMs)),
    rdates.filter((date) => date >= fromMs && date <= untilMs).values(),
  ]);
  let excludedInARow = 0;
  for (const time of times) {
    if (exdates.has(time) || exceptions.some((isMember) => isMember(time))) {
      if (++excludedInARow > MAX_EXCLUDED_IN_A_ROW) return;
    } else {
      excludedInARow = 0;
      yield time;
    }
  }
}

/** The numbers of iterators that are each in order, in order, each once. */
function* merged(iterators: readonly Iterator<number>[]): Generator<number> {
  const heads = iterators.map((iterator) => ({ iterator, next: iterator.next() }));
  let last = -Infinity;
  for (;;) {
    let least: (typeof heads)[number] | undefined;
    for (const head of heads) {
      if (head.next.done === true) continue;
      if (least === undefined || head.next.value < (least.next.value as number)) least = head;
    }
    if (least === undefined) return;
    const value = least.next.value as number;
    if (value > last) yield (last = value);
    least.next = least.iterator.next();
  }
}

/** The last moment of a rule, as far as `untilMs`: by UNTIL, and by COUNT, which counts from DTSTART on. */
function endOf(recurrence: Recurrence, untilMs: number): number {
  const { rule, dtstartMs } = recurrence;
  const endMs = Math.min(rule.untilMs ?? Infinity, untilMs);
  if (rule.count === undefined) return endMs;
  let left = rule.count;
  let isFirst = true;
  for (const period of periodsFrom(recurrence, dtstartMs, endMs)) {
    const size = period.days.length * period.seconds.length;
    // Most periods need only be counted; the first may hold times before DTSTART.
    if (!isFirst && period.positions === undefined && size < left) left -= size;
    else for (const time of timesIn(period, dtstartMs)) if (--left === 0) return Math.min(time, endMs);
    isFirst = false;
  }
  return endMs;
}

/** Wall times of one rule within a span, in order. */
function* timesOf(recurrence: Recurrence, fromMs: number, endMs: number): Generator<number> {
  const startMs = Math.max(fromMs, recurrence.dtstartMs);
  for (const period of periodsFrom(recurrence, startMs, endMs)) {
    for (const time of timesIn(period, startMs)) {
      if (time > endMs) return;
      yield time;
    }
  }
}

/** The periods of a rule that have dates, from the one in which `startMs` lies. Ends when there are none any more. */
function* periodsFrom({ rule, periods }: Recurrence, startMs: number, endMs: number): Generator<Period> {
  const most = PERIODS_OF_400_YEARS[rule.frequency] ?? DAYS_OF_400_YEARS;
  let index = Math.max(0, periods.indexOf(Math.floor(startMs / DAY_MS)));
  for (let empty = 0; empty <= most && periods.startOf(index) * DAY_MS <= endMs; index++) {
    const period = periods.at(index);
    if (isEmpty(period)) {
      empty += 1;
      continue;
    }
    empty = 0;
    yield period;
  }
}

/** Whether a wall time is one of a rule's. */
function memberTest({ dtstartMs, periods }: Recurrence, endMs: number): (time: number) => boolean {
  let known: { readonly index: number; readonly period: Period } | undefined;
  return (time) => {
    if (time < dtstartMs || time > endMs) return false;
    const index = periods.indexOf(Math.floor(time / DAY_MS));
    if (known?.index !== index) known = { index, period: periods.at(index) };
    return isIn(known.period, time);
  };
}

/**
 * Where rules without DTSTART begin (prefect/_internal/schemas/validators.py, normalize_rrule_string): a single rule of minutes or
 * seconds without COUNT shortly before now, on the beat that it has had since 2020; anything else in 2020.
 */
export function implicitStart(
  { rules, exrules, rdates, exdates }: RuleSet,
  zone: string,
  nowMs: number,
): number {
  const [rule] = rules;
  const isSingle = rules.length === 1 && exrules.length + rdates.length + exdates.length === 0;
  const unitMs = rule?.frequency === "MINUTELY" ? 60_000 : rule?.frequency === "SECONDLY" ? 1000 : undefined;
  if (!isSingle || rule === undefined || unitMs === undefined || rule.count !== undefined)
    return DEFAULT_START_MS;
  const periodMs = unitMs * rule.interval;
  const elapsed = Math.max(0, wallOf(zone, nowMs) - DEFAULT_START_MS);
  return DEFAULT_START_MS + Math.floor(elapsed / periodMs) * periodMs;
}
