import { instantOf, wallOf } from "../schedules/zone.ts";
import { parseDuration } from "./duration.ts";

const DAY_MS = 86_400_000;
const DATE = /^(\d{4})-(\d{1,2})-(\d{1,2})$/;
const CLOCK = /^(\d{1,2})(?::(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?)?\s*(am|pm)?$/;
const OFFSET = /^(.*\d)\s*([+-])(\d{2}):?(\d{2})?$/;
const WEEKDAYS: readonly string[] = [
  "sunday",
  "monday",
  "tuesday",
  "wednesday",
  "thursday",
  "friday",
  "saturday",
];
const WORDS: Readonly<Record<string, string>> = { noon: "12:00", midnight: "00:00" };

/**
 * The instant that people write: ISO 8601, `2026-12-01 17:30`, `5:30pm`, `tomorrow at 9am`, `friday 18:00`, `in 2 hours`; a time of
 * day alone is the next one. `Z`, an offset or the name of a zone may stand behind it, else it is the time of `zone`. Returns epoch
 * milliseconds; undefined for anything else.
 */
export function parseStartTime(text: string, nowMs: number, zone: string): number | undefined {
  const said = text.trim().replace(/^at\s+/i, "");
  const words = said.toLowerCase();
  if (words === "now") return nowMs;
  const duration = words.startsWith("in ") ? parseDuration(words.slice(3)) : undefined;
  if (duration !== undefined) return nowMs + duration;

  const offset = offsetIn(said);
  if (offset !== undefined) {
    const wall = wallIn(offset.rest, nowMs + offset.ms);
    return wall === undefined ? undefined : wall - offset.ms;
  }
  const { rest, name } = zoneIn(said);
  const wall = wallIn(rest, wallOf(name ?? zone, nowMs));
  return wall === undefined ? undefined : instantOf(name ?? zone, wall);
}

/** What the clock on the wall shall show, as if it were UTC. */
function wallIn(text: string, wallNow: number): number | undefined {
  const [, day = "", clock = ""] =
    /^(\S+?)(?:\s+at\s+|\s+|(?<=\d)t(?=\d)|$)(.*)$/.exec(text.trim().toLowerCase()) ?? [];
  const midnight = dayIn(day, wallNow);
  if (midnight !== undefined) {
    const ms = clock === "" ? 0 : clockIn(clock);
    return ms === undefined ? undefined : midnight + ms;
  }
  const ms = clockIn(text.trim().toLowerCase());
  if (ms === undefined) return undefined;
  const today = startOfDay(wallNow) + ms;
  return today > wallNow ? today : today + DAY_MS;
}

/** The beginning of a day; undefined when the word is none. */
function dayIn(word: string, wallNow: number): number | undefined {
  if (word === "today") return startOfDay(wallNow);
  if (word === "tomorrow") return startOfDay(wallNow) + DAY_MS;
  const weekday = word.length < 3 ? -1 : WEEKDAYS.findIndex((name) => name.startsWith(word));
  if (weekday !== -1) {
    const ahead = (weekday - new Date(wallNow).getUTCDay() + 7) % 7;
    return startOfDay(wallNow) + (ahead === 0 ? 7 : ahead) * DAY_MS;
  }
  const [, year, month, day] = (DATE.exec(word) ?? []).map(Number);
  if (year === undefined || month === undefined || day === undefined) return undefined;
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date.getTime() : undefined;
}

/** Milliseconds since midnight. */
function clockIn(text: string): number | undefined {
  const [matched, hourText = "", minute = "0", second = "0", fraction = "0", half] =
    CLOCK.exec(WORDS[text] ?? text) ?? [];
  // A mere number is no time of day.
  if (matched === undefined || matched === hourText) return undefined;
  const hour = Number(hourText);
  if (half !== undefined && (hour < 1 || hour > 12)) return undefined;
  const hours = half === undefined ? hour : (hour % 12) + (half === "pm" ? 12 : 0);
  if (hours > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  return (
    ((hours * 60 + Number(minute)) * 60 + Number(second)) * 1000 + Math.floor(Number(`0.${fraction}`) * 1000)
  );
}

function offsetIn(text: string): { readonly rest: string; readonly ms: number } | undefined {
  const [, rest, sign, hours, minutes = "0"] = OFFSET.exec(text) ?? [];
  // The last numbers of a date look like an offset.
  if (rest === undefined || !rest.includes(":")) return undefined;
  const ms = (Number(hours) * 60 + Number(minutes)) * 60_000;
  return { rest, ms: sign === "-" ? -ms : ms };
}

function zoneIn(text: string): { readonly rest: string; readonly name: string | undefined } {
  const [, rest, name] = /^(.*?\S)\s*(?<=\d|\s|m)(Z|UTC|GMT|[A-Z]\w+\/[\w/+-]+)$/i.exec(text) ?? [];
  if (rest === undefined || name === undefined) return { rest: text, name: undefined };
  const zone = name.toUpperCase() === "Z" ? "UTC" : name;
  try {
    return { rest, name: new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone };
  } catch {
    return { rest: text, name: undefined };
  }
}

function startOfDay(wallMs: number): number {
  return Math.floor(wallMs / DAY_MS) * DAY_MS;
}
