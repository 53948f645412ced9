const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `0.24 s`, `9.3 s`, `42 s`, `3 m 05 s`, `2 h 10 m`, `3 d 4 h`: two parts at most, for a span of milliseconds. */
export function formatDuration(ms: number): string {
  const span = Math.max(0, ms);
  if (span < 10 * SECOND) return `${(span / SECOND).toFixed(span < SECOND ? 2 : 1)} s`;
  if (span < MINUTE - SECOND / 2) return `${Math.round(span / SECOND)} s`;
  if (span < MINUTE) return "1 m 00 s";
  if (span < HOUR) return inParts(span, MINUTE, "m", SECOND, "s");
  if (span < DAY) return inParts(span, HOUR, "h", MINUTE, "m");
  return inParts(span, DAY, "d", HOUR, "h");
}

/** `in 3 m`, `12 s ago`, `now`: one part, as a row of a list has room for. */
export function formatRelative(ms: number, nowMs: number): string {
  const distance = ms - nowMs;
  const span = Math.abs(distance);
  if (span < SECOND) return "now";
  const text =
    span < MINUTE
      ? `${Math.floor(span / SECOND)} s`
      : span < HOUR
        ? `${Math.floor(span / MINUTE)} m`
        : span < 2 * DAY
          ? `${Math.floor(span / HOUR)} h`
          : `${Math.floor(span / DAY)} d`;
  return distance > 0 ? `in ${text}` : `${text} ago`;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hour12: false,
});
const DATE = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });

/** `14:03:09` in the browser's time zone. */
function formatClock(ms: number): string {
  return CLOCK.format(ms);
}

/** `Wed, 25 Nov, 14:03:09`; the time alone when it is today's. */
export function formatMoment(ms: number, nowMs: number): string {
  const isToday = new Date(ms).toDateString() === new Date(nowMs).toDateString();
  return isToday ? formatClock(ms) : `${DATE.format(ms)}, ${formatClock(ms)}`;
}

/** The instant of an ISO timestamp in milliseconds; undefined for none. */
export function instantOf(timestamp: string | null | undefined): number | undefined {
  if (timestamp === null || timestamp === undefined) return undefined;
  const ms = Date.parse(timestamp);
  return Number.isNaN(ms) ? undefined : ms;
}

function inParts(span: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((span % large) / small);
  return `${Math.floor(span / large)} ${largeName} ${String(rest).padStart(2, "0")} ${smallName}`;
}
