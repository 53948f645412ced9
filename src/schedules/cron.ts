import { DAY_MS, dayNumberOf, dayOf, daysInMonth, weekdayOf } from "./calendar.ts";
import { instantsOnWall } from "./zone.ts";

import type { CalendarDay } from "./calendar.ts";
import type { CronFields } from "./cron-fields.ts";

// As croniter: a date that does not come within so many years is given up.
const MAX_YEARS_BETWEEN = 50;

/**
 * Instants of a cron line from `startMs` on. It is followed on the wall clock, and each time is then looked up in the zone. Ends
 * when the next date is more than 50 years away or never comes, as 30 February.
 */
export function cronInstants(
  fields: CronFields,
  zone: string,
  dayOr: boolean,
  startMs: number,
): Iterable<number> {
  // A time that equals the start counts.
  return instantsOnWall(zone, startMs, (fromMs) => wallTimes(fields, dayOr, Math.ceil(fromMs / 1000) * 1000));
}

function* wallTimes(fields: CronFields, dayOr: boolean, fromMs: number): Generator<number> {
  const matches = dayMatcher(fields, dayOr);
  let day = dayOf(Math.floor(fromMs / DAY_MS));
  let lastYear = day.year + MAX_YEARS_BETWEEN;
  while (day.year <= lastYear) {
    if (fields.years?.has(day.year) === false) {
      day = dayOf(dayNumberOf(day.year + 1, 1, 1));
    } else if (fields.months?.has(day.month) === false) {
      day = dayOf(dayNumberOf(day.year, day.month + 1, 1));
    } else {
      if (matches(day)) {
        const midnight = day.number * DAY_MS;
        for (const second of secondsOfDay(fields, (fromMs - midnight) / 1000)) {
          lastYear = day.year + MAX_YEARS_BETWEEN;
          yield midnight + second * 1000;
        }
      }
      day = dayOf(day.number + 1);
    }
  }
}

const upTo = (end: number): readonly number[] => Array.from({ length: end }, (_, value) => value);
const [ALL_OF_60, ALL_HOURS] = [upTo(60), upTo(24)];

function* secondsOfDay(
  { hours = ALL_HOURS, minutes = ALL_OF_60, seconds = ALL_OF_60 }: CronFields,
  from: number,
): Generator<number> {
  for (const hour of hours) {
    if (hour * 3600 + 3599 < from) continue;
    for (const minute of minutes) {
      const start = hour * 3600 + minute * 60;
      if (start + 59 < from) continue;
      for (const second of seconds) if (start + second >= from) yield start + second;
    }
  }
}

/** Both day fields restricted: a day that matches either counts (`dayOr`), or only one that matches both. */
function dayMatcher(fields: CronFields, dayOr: boolean): (day: CalendarDay) => boolean {
  const { days, isLastDay, weekdays, nthWeekdays } = fields;
  const byDay = ({ year, month, day }: CalendarDay): boolean =>
    days === undefined || days.has(day) || (isLastDay && day === daysInMonth(year, month));
  const byWeekday =
    nthWeekdays.size > 0
      ? (day: CalendarDay) => isNthWeekday(nthWeekdays, day)
      : ({ number }: CalendarDay) => weekdays?.has((weekdayOf(number) + 1) % 7) !== false;
  const areBoth = days !== undefined && (weekdays !== undefined || nthWeekdays.size > 0);
  return areBoth && dayOr ? (day) => byDay(day) || byWeekday(day) : (day) => byDay(day) && byWeekday(day);
}

function isNthWeekday(
  nthWeekdays: CronFields["nthWeekdays"],
  { number, year, month, day }: CalendarDay,
): boolean {
  const nths = nthWeekdays.get((weekdayOf(number) + 1) % 7);
  if (nths === undefined) return false;
  return nths.has(Math.ceil(day / 7)) || (nths.has("last") && day + 7 > daysInMonth(year, month));
}
