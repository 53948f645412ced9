import { Float } from "../json/value.ts";

import type { Json } from "../json/value.ts";

/**
 * Seconds of a duration as prefect.yaml has it: a number, a text that is one, `HH:MM:SS` (also `D day(s), HH:MM:SS`), or ISO
 * 8601 (`P1DT2H`, without months and years). Undefined for anything else.
 */
export function parseDuration(value: Json): number | undefined {
  if (typeof value === "number" || typeof value === "bigint" || value instanceof Float) return Number(value);
  if (typeof value !== "string") return undefined;
  const text = value.trim();
  if (/^[-+]?\d+(?:\.\d+)?$/.test(text)) return Number(text);
  const clock = /^(?:(\d+) ?(?:d|days?)?,? ?)?(\d+):(\d\d)(?::(\d\d(?:\.\d+)?))?$/i.exec(text);
  if (clock !== null) {
    const [days, hours, minutes, rest] = clock.slice(1).map((part) => Number(part ?? 0));
    return sum(days, hours, minutes, rest);
  }
  const iso = /^([-+]?)P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i.exec(text);
  if (iso === null || /[PT]$/i.test(text)) return undefined;
  const [weeks = 0, days = 0, hours, minutes, rest] = iso.slice(2).map((part) => Number(part ?? 0));
  return sum(weeks * 7 + days, hours, minutes, rest) * (iso[1] === "-" ? -1 : 1);
}

function sum(days = 0, hours = 0, minutes = 0, seconds = 0): number {
  return ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
}
