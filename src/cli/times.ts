const UNITS: readonly (readonly [unit: Intl.RelativeTimeFormatUnit, ms: number])[] = [
  ["year", 365 * 86_400_000],
  ["month", 30 * 86_400_000],
  ["week", 7 * 86_400_000],
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000],
];

/** An instant of the API as people say it: "5 minutes ago", "in 2 days"; empty for none. */
export function relativeTime(instant: string | null, nowMs: number): string {
  if (instant === null || Number.isNaN(Date.parse(instant))) return "";
  const difference = Date.parse(instant) - nowMs;
  const [unit, ms] = UNITS.find(([, size]) => Math.abs(difference) >= size) ?? ["second", 1000];
  return new Intl.RelativeTimeFormat("en", { numeric: "always" }).format(Math.trunc(difference / ms), unit);
}

/** An instant as a clock on this machine shows it: `2026-11-25 09:30:00.123`. */
export function localTime(instant: string | Date): string {
  const date = new Date(instant);
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${time}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}
