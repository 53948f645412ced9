import { ScheduleError } from "./error.ts";
import { readTime } from "./date-time.ts";

export type Frequency = "YEARLY" | "MONTHLY" | "WEEKLY" | "DAILY" | "HOURLY" | "MINUTELY" | "SECONDLY";

/** A weekday, 0 for Monday; with `nth` the n-th of the month or year, counted from its end when negative. */
export interface RuleWeekday {
  readonly weekday: number;
  readonly nth: number | undefined;
}

/** One recurrence rule (RFC 5545 §3.3.10, and dateutil's BYEASTER). A list that is absent restricts nothing. */
export interface Rule {
  readonly frequency: Frequency;
  readonly interval: number;
  readonly count: number | undefined;
  /** On the wall clock, as if it were UTC; itself included. */
  readonly untilMs: number | undefined;
  /** 0 for Monday. */
  readonly weekStart: number;
  readonly weekdays: readonly RuleWeekday[] | undefined;
  readonly lists: Readonly<Partial<Record<ListName, readonly number[]>>>;
}

/** What the text of a schedule says; times are those of the wall clock, as if they were UTC. */
export interface RuleSet {
  /** Undefined when the text has none. */
  readonly dtstartMs: number | undefined;
  readonly rules: readonly Rule[];
  readonly exrules: readonly Rule[];
  readonly rdates: readonly number[];
  readonly exdates: readonly number[];
}

const WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
const FREQUENCIES: readonly string[] = [
  "YEARLY",
  "MONTHLY",
  "WEEKLY",
  "DAILY",
  "HOURLY",
  "MINUTELY",
  "SECONDLY",
];
/** The lists of numbers, with the largest value; the first four may be negative, and none of them 0. */
const LISTS = {
  BYSETPOS: 366,
  BYMONTHDAY: 31,
  BYYEARDAY: 366,
  BYWEEKNO: 53,
  BYMONTH: 12,
  BYEASTER: 366,
  BYHOUR: 23,
  BYMINUTE: 59,
  BYSECOND: 59,
} as const;
type ListName = keyof typeof LISTS;

const MAX_LENGTH = 6500;
const HINT =
  'A rule looks like "FREQ=WEEKLY;BYDAY=MO,WE;BYHOUR=9;BYMINUTE=30" (RFC 5545); lines DTSTART, RRULE, EXRULE, RDATE and EXDATE may stand together.';

type Fail = (why: string, hint?: string) => never;

interface WrittenDate {
  readonly wallMs: number;
  readonly hasZone: boolean;
}

/**
 * Reads what dateutil's `rrulestr` reads: one rule, with or without `RRULE:`, or lines. All times are meant on the clock of the
 * schedule's zone, so a Z or TZID is dropped, as in Prefect. Throws a {@link ScheduleError}.
 */
export function readRules(text: string): RuleSet {
  const shown = text.length > 200 ? `${text.slice(0, 40)}…` : text;
  const fail: Fail = (why, hint = HINT) => {
    throw new ScheduleError("rrule", `Invalid RRule string "${shown}": ${why}`, text, hint);
  };
  if (text.length > MAX_LENGTH)
    fail(
      `it is ${text.length} characters long`,
      `At most ${MAX_LENGTH} are kept: use rules instead of single dates.`,
    );
  const lines = text
    .toUpperCase()
    .split(/\s+/)
    .filter((line) => line !== "");
  if (lines.length === 0) fail("it is empty");
  let dtstart: WrittenDate | undefined;
  const texts: { readonly rules: string[]; readonly exrules: string[] } = { rules: [], exrules: [] };
  const rdates: number[] = [];
  const exdates: number[] = [];
  for (const line of lines) {
    const colon = line.indexOf(":");
    const [name = "", ...parameters] = colon === -1 ? ["RRULE"] : line.slice(0, colon).split(";");
    const value = line.slice(colon + 1);
    const [allowed, take] = lineKinds(name);
    for (const parameter of parameters)
      if (!allowed.test(parameter)) fail(`${name} does not take ${parameter}`);
    take(value, parameters);
  }
  if (texts.rules.length === 0 && rdates.length === 0) fail("it has neither a rule with FREQ= nor an RDATE");
  const read = (rule: string): Rule => readRule(rule, dtstart, fail);
  return {
    dtstartMs: dtstart?.wallMs,
    rules: texts.rules.map(read),
    exrules: texts.exrules.map(read),
    rdates,
    exdates,
  };

  function lineKinds(name: string): [allowed: RegExp, take: (value: string, parameters: string[]) => void] {
    const dates = (value: string): WrittenDate[] =>
      value.split(",").map((date) => readDate(date, name, fail));
    switch (name) {
      case "RRULE":
        return [/^$/, (value) => texts.rules.push(value)];
      case "EXRULE":
        return [/^$/, (value) => texts.exrules.push(value)];
      case "RDATE":
        return [/^VALUE=DATE-TIME$/, (value) => rdates.push(...dates(value).map(({ wallMs }) => wallMs))];
      case "EXDATE":
        return [ZONED, (value) => exdates.push(...dates(value).map(({ wallMs }) => wallMs))];
      case "DTSTART":
        return [
          ZONED,
          (value, parameters) => {
            const [first, ...more] = dates(value);
            if (more.length > 0) fail("DTSTART takes one date");
            const hasZone = parameters.some((parameter) => parameter.startsWith("TZID="));
            if (first !== undefined) dtstart = { ...first, hasZone: first.hasZone || hasZone };
          },
        ];
      default:
        return fail(`there are no lines of the kind ${name}`);
    }
  }
}

const ZONED = /^(?:VALUE=DATE(?:-TIME)?|TZID=.+)$/;

function readDate(text: string, where: string, fail: Fail): WrittenDate {
  const time = readTime(text);
  if (time === undefined)
    return fail(`${where} has no date in "${text}"`, "Write dates as 20260131T093000 or 20260131.");
  return { wallMs: Math.floor(time.wallMs / 1000) * 1000, hasZone: time.offsetMs !== undefined };
}

function readRule(text: string, dtstart: WrittenDate | undefined, fail: Fail): Rule {
  let [frequency, interval, weekStart]: [Frequency | undefined, number, number] = [undefined, 1, 0];
  let [count, until, weekdays]: [number?, WrittenDate?, RuleWeekday[]?] = [];
  const lists: Partial<Record<ListName, readonly number[]>> = {};
  for (const part of text.split(";")) {
    const [name = "", value, ...more] = part.split("=");
    if (value === undefined || more.length > 0) fail(`"${part}" is not of the form NAME=VALUE`);
    const given = value ?? "";
    if (isListName(name)) {
      lists[name] = given.split(",").map((item) => readListItem(name, item, fail));
      continue;
    }
    switch (name) {
      case "FREQ":
        if (!FREQUENCIES.includes(given)) fail(`FREQ=${given} is none of ${FREQUENCIES.join(", ")}`);
        frequency = given as Frequency;
        break;
      case "INTERVAL":
        interval = positive(name, given, fail);
        break;
      case "COUNT":
        count = positive(name, given, fail);
        break;
      case "UNTIL":
        until = readDate(given, name, fail);
        break;
      case "WKST":
        weekStart = WEEKDAYS.indexOf(given);
        if (weekStart === -1) fail(`WKST=${given} is none of ${WEEKDAYS.join(", ")}`);
        break;
      case "BYDAY":
      case "BYWEEKDAY":
        weekdays = given.split(",").map((item) => readWeekday(item, fail));
        break;
      default:
        fail(`there is no part ${name}`);
    }
  }
  if (frequency === undefined) return fail("FREQ= is missing");
  if (until !== undefined && until.hasZone !== (dtstart?.hasZone ?? false)) {
    fail(
      until.hasZone ? "UNTIL has a Z, DTSTART has none" : "DTSTART has a Z or TZID, UNTIL has none",
      "Write both without: they are local times of the schedule's timezone.",
    );
  }
  return { frequency, interval, count, untilMs: until?.wallMs, weekStart, weekdays, lists };
}

function isListName(name: string): name is ListName {
  return Object.hasOwn(LISTS, name);
}

function readListItem(name: ListName, item: string, fail: Fail): number {
  const max = LISTS[name];
  const isSigned = ["BYSETPOS", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO"].includes(name);
  const min = isSigned || name === "BYEASTER" ? -max : name === "BYMONTH" ? 1 : 0;
  const number = /^[+-]?\d+$/.test(item) ? Number(item) : NaN;
  if (!(number >= min && number <= max) || (isSigned && number === 0)) {
    fail(`${name}=${item} is outside ${isSigned ? `1 to ${max} and -${max} to -1` : `${min} to ${max}`}`);
  }
  return number;
}

function positive(name: string, text: string, fail: Fail): number {
  const number = /^\+?\d+$/.test(text) ? Number(text) : NaN;
  if (!(number >= 1 && Number.isSafeInteger(number))) fail(`${name}=${text} is no whole number from 1 on`);
  return number;
}

/** `MO`, `-1FR`, `FR(-1)`. */
function readWeekday(item: string, fail: Fail): RuleWeekday {
  const [, before, day = "", after] = /^([+-]?\d+)?([A-Z]{2})(?:\(([+-]?\d+)\))?$/.exec(item) ?? [];
  const weekday = WEEKDAYS.indexOf(day);
  const nth = before ?? after;
  const number = nth === undefined ? undefined : Number(nth);
  const isWrong = number !== undefined && (number === 0 || Math.abs(number) > 53);
  if (weekday === -1 || isWrong || (before !== undefined && after !== undefined))
    fail(`BYDAY=${item} is no weekday such as MO, 2TU or -1FR`);
  return { weekday, nth: number };
}
