import { ScheduleError } from "./error.ts";

/** A cron line as the values that each of its fields takes; undefined takes all. */
export interface CronFields {
  readonly minutes: readonly number[] | undefined;
  readonly hours: readonly number[] | undefined;
  readonly days: ReadonlySet<number> | undefined;
  readonly isLastDay: boolean;
  readonly months: ReadonlySet<number> | undefined;
  /** 0 is Sunday. */
  readonly weekdays: ReadonlySet<number> | undefined;
  /** Of a weekday, the hows-maniest in a month are meant; `last` is the last. Takes the place of `weekdays`. */
  readonly nthWeekdays: ReadonlyMap<number, ReadonlySet<number | "last">>;
  /** `[0]` for a line without seconds. */
  readonly seconds: readonly number[] | undefined;
  readonly years: ReadonlySet<number> | undefined;
}

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const MONTH_NAMES = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAY_NAMES = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const FIELDS: readonly Field[] = [
  { name: "minute", min: 0, max: 59 },
  { name: "hour", min: 0, max: 23 },
  { name: "day", min: 1, max: 31 },
  { name: "month", min: 1, max: 12, names: MONTH_NAMES },
  { name: "weekday", min: 0, max: 6, names: WEEKDAY_NAMES },
  { name: "second", min: 0, max: 59 },
  { name: "year", min: 1970, max: 2099 },
];
const [DAY, WEEKDAY] = [2, 4];
const ALIASES: Readonly<Record<string, string>> = {
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
  "@daily": "0 0 * * *",
  "@weekly": "0 0 * * 0",
  "@monthly": "0 0 1 * *",
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
};
const HINT =
  'A cron line has the fields minute (0-59), hour (0-23), day (1-31 or L), month (1-12 or jan-dec) and weekday (0-7 or sun-sat), as in "30 6 * * mon-fri"; then, if wanted, second and year. Or it is one of @hourly, @daily, @weekly, @monthly and @yearly.';

interface Nth {
  readonly day: number;
  readonly nth: number | "last";
}

/** What one field takes. */
interface Values {
  readonly plain: Set<number>;
  readonly nths: Nth[];
  isAll: boolean;
  isLastDay: boolean;
}

/**
 * Reads a cron line as croniter reads it, which is Prefect's judge of one (prefect/_vendor/croniter). Throws a
 * {@link ScheduleError} that names the field and what is wrong with it.
 */
export function readCron(line: string): CronFields {
  const lower = line.toLowerCase();
  const texts = (ALIASES[lower] ?? lower).split(/\s+/).filter((text) => text !== "");
  const fail = (why: string): never => {
    throw new ScheduleError("cron", `Invalid cron string: "${line}" (${why})`, line, HINT);
  };
  if (lower.startsWith("@") && ALIASES[lower] === undefined) fail(`${line} is not known`);
  if (texts.length < 5 || texts.length > 7) fail(`${texts.length} fields instead of 5, 6 or 7`);
  const read = texts.map((text, at) => readField(text, at, texts.length, fail));
  const [minute, hour, day, month, weekday, second, year] = read as Columns;
  // A list of all days restricts the day only when the other day field restricts it too.
  if (count(day) === 31 && texts[WEEKDAY]?.includes("*") === true) day.isAll = true;
  if (count(weekday) === 7 && texts[DAY]?.includes("*") === true) weekday.isAll = true;
  const nthWeekdays = new Map<number, Set<number | "last">>();
  for (const { day: of, nth } of weekday.nths) {
    nthWeekdays.set(of, (nthWeekdays.get(of) ?? new Set()).add(nth));
  }
  const isMixed = [...weekday.plain].some((plain) => !nthWeekdays.has(plain)) && count(weekday) !== 7;
  if (nthWeekdays.size > 0 && isMixed) fail("weekday: plain days and days with # or L cannot stand together");
  return {
    minutes: listOf(minute),
    hours: listOf(hour),
    days: setOf(day),
    isLastDay: day.isLastDay && !day.isAll,
    months: setOf(month),
    weekdays: setOf(weekday),
    nthWeekdays,
    seconds: second === undefined ? [0] : listOf(second),
    years: year === undefined ? undefined : setOf(year),
  };
}

function count({ plain, nths, isLastDay }: Values): number {
  return new Set([...plain, ...nths.map(({ day }) => day)]).size + (isLastDay ? 1 : 0);
}

function setOf({ plain, isAll }: Values): ReadonlySet<number> | undefined {
  return isAll ? undefined : plain;
}

function listOf(values: Values): readonly number[] | undefined {
  return setOf(values) === undefined ? undefined : [...values.plain].sort((a, b) => a - b);
}

type Fail = (why: string) => never;
type Columns = [Values, Values, Values, Values, Values, Values?, Values?];

function readField(text: string, at: number, fieldCount: number, failLine: Fail): Values {
  const field = FIELDS[at] as Field;
  const fail = (why: string): never => failLine(`${field.name}: ${why}`);
  const values: Values = { plain: new Set(), nths: [], isAll: false, isLastDay: false };
  if (/(?:^|,)[hr](?:$|[(/,])/.test(text)) fail("hashed and random values (H, R) are not supported");
  if (text.includes("?")) {
    if (text !== "?") fail("? must stand alone");
    if (at !== DAY && at !== WEEKDAY) fail("? is only for day and weekday");
    return { ...values, isAll: true };
  }
  for (const item of text.split(",")) readItem(item, at, fieldCount, values, fail);
  return values;
}

function readItem(item: string, at: number, fieldCount: number, values: Values, fail: Fail): void {
  const field = FIELDS[at] as Field;
  if (item === "*") {
    values.isAll = true;
    return;
  }
  if (item === "l" && at === DAY) {
    values.isLastDay = true;
    return;
  }
  const special = at === WEEKDAY ? /^(?:([a-z]{3}-[a-z]{3}|\w+)#|l)(\d+)$/.exec(item) : null;
  if (special !== null) {
    const [, of, number = ""] = special;
    if (of === undefined) {
      values.nths.push({ day: numberOf(number, at, fieldCount, fail), nth: "last" });
      return;
    }
    const nth = Number(number);
    if (nth < 1 || nth > 5) fail(`#${number} is not within 1-5`);
    for (const day of range(of, at, fieldCount, fail)) values.nths.push({ day, nth });
    return;
  }
  for (const value of range(item, at, fieldCount, fail)) {
    if (value < field.min) fail(`${value} is outside ${field.min}-${field.max}`);
    values.plain.add(value);
  }
}

/** The values of `5`, `mon`, `1-5`, `1-59/2`, `10/5` (from 10 to the end) and ranges that wrap, as `22-2`. */
function range(item: string, at: number, fieldCount: number, fail: Fail): readonly number[] {
  const { min, max } = FIELDS[at] as Field;
  const match = /^(?:(\*)|([^-*/]+)(?:-([^-*/]+))?)(?:\/(\d+))?$/.exec(item);
  if (match === null) return fail(`"${item}" is not understood`);
  const [, star, from = "", to, stepText] = match;
  const step = Number(stepText ?? 1);
  if (star !== undefined) return stepped(min, max, step, fail);
  const low = numberOf(from, at, fieldCount, fail);
  if (to === undefined && stepText === undefined) return [low];
  const high =
    to === undefined ? max : numberOf(at === DAY && to === "l" ? String(max) : to, at, fieldCount, fail);
  // mon-mon is the whole week.
  if (low === high) return stepped(min, max, step, fail);
  if (low < high) return stepped(low, high, step, fail);
  const first = stepped(low, max, step, fail);
  const left = max - (first.at(-1) ?? max);
  // croniter's own count of the steps over the end.
  const skipped = left < step && step > left + 1 ? step - left : 0;
  return [...first, ...stepped(min + skipped, high, step, fail)];
}

function stepped(low: number, high: number, step: number, fail: Fail): readonly number[] {
  if (step < 1) return fail("a step of 0 never ends");
  return Array.from({ length: Math.max(0, Math.floor((high - low) / step) + 1) }, (_, at) => low + at * step);
}

function numberOf(text: string, at: number, fieldCount: number, fail: Fail): number {
  const { min, max, names } = FIELDS[at] as Field;
  if (!/^\d+$/.test(text)) {
    const named = names?.indexOf(text) ?? -1;
    return named === -1 ? fail(`"${text}" is not understood`) : named + min;
  }
  const number = Number(text);
  // 7 is Sunday in a line of 5 fields only, day 0 the first one in a line of 6 only.
  if (at === WEEKDAY && number === 7 && fieldCount === 5) return 0;
  if (at === DAY && number === 0 && fieldCount === 6) return 1;
  if (number > max) return fail(`${text} is outside ${min}-${at === WEEKDAY && fieldCount === 5 ? 7 : max}`);
  return number;
}
