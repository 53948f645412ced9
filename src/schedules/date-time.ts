/** A date and time as written: what the clock shows, and the offset from UTC if one stands behind it. */
export interface WrittenTime {
  /** Milliseconds since the epoch as if the clock showed UTC; microseconds are a fraction. */
  readonly wallMs: number;
  /** Undefined when none was written. */
  readonly offsetMs: number | undefined;
}

const FORM =
  /^([1-9]\d{3})(-?)(\d\d)\2(\d\d)(?:[T ](\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d{1,9}))?)?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?)?$/i;

/**
 * Reads `2026-01-31`, `2026-01-31T09:30:00`, `2026-01-31 09:30+02:00` and the compact `20260131T093000Z`. Undefined for anything
 * else, such as 30 February.
 */
export function readTime(text: string): WrittenTime | undefined {
  const match = FORM.exec(text.trim());
  if (match === null) return undefined;
  const [, year, , month, day, hour = "0", minute = "0", second = "0", fraction = "", offset] = match;
  const [y, mo, d, h, mi, s] = [year, month, day, hour, minute, second].map(Number) as Fields;
  const wallMs = Date.UTC(y, mo - 1, d, h, mi, s);
  const isReal = new Date(Date.UTC(y, mo - 1, d)).getUTCDate() === d && mo >= 1 && mo <= 12;
  if (!isReal || h > 23 || mi > 59 || s > 59) return undefined;
  return {
    wallMs: wallMs + Number(fraction.slice(0, 6).padEnd(6, "0")) / 1000,
    offsetMs: offset === undefined ? undefined : offsetMsOf(offset),
  };
}

type Fields = [y: number, mo: number, d: number, h: number, mi: number, s: number];

function offsetMsOf(text: string): number {
  if (/^z$/i.test(text)) return 0;
  const minutes = Number(text.slice(1, 3)) * 60 + Number(text.slice(3).replace(":", "") || 0);
  return (text.startsWith("-") ? -1 : 1) * minutes * 60_000;
}

/** The form in which Prefect answers times: `2026-01-31T09:30:00Z`, microseconds only when there are some. */
export function timeText({ wallMs, offsetMs = 0 }: WrittenTime): string {
  const micros = Math.round((wallMs - Math.floor(wallMs / 1000) * 1000) * 1000);
  const seconds = new Date(Math.floor(wallMs / 1000) * 1000).toISOString().slice(0, 19);
  return `${seconds}${micros === 0 ? "" : `.${String(micros).padStart(6, "0")}`}${offsetMs === 0 ? "Z" : offsetText(offsetMs)}`;
}

/** What the clock shows at an instant in a zone of that offset: `2026-01-31T09:30:00+01:00`. */
export function localTimeText(epochMs: number, offsetMs: number): string {
  return `${new Date(epochMs + offsetMs)
    .toISOString()
    .slice(0, -1)
    .replace(/\.000$/, "")}${offsetText(offsetMs)}`;
}

/** `+00:00`, `+02:00`, `-03:30`. */
function offsetText(offsetMs: number): string {
  const minutes = Math.abs(Math.round(offsetMs / 60_000));
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${offsetMs < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** `20260131T093000`, as RFC 5545 writes a time of the wall clock. */
export function compactTime(wallMs: number): string {
  return new Date(wallMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, "");
}
