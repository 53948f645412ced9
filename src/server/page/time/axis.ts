const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const STEPS: readonly number[] = [
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR),
  ...[1, 2, 7, 14, 28].map((days) => days * DAY),
];

/** A span of time that is shown from left to right, in milliseconds. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface Tick {
  readonly at: number;
  readonly label: string;
}

/** Where an instant stands on the span, in percent; beyond 0 and 100 when it lies outside. */
export function percentAt({ from, to }: Span, instant: number): number {
  return ((instant - from) / Math.max(1, to - from)) * 100;
}

/** Left edge and width of a part of the span in percent, cut at its ends; undefined when nothing of it is inside. */
export function percentOf(
  span: Span,
  from: number,
  to: number,
): { readonly left: number; readonly width: number } | undefined {
  const left = Math.max(0, percentAt(span, from));
  const right = Math.min(100, percentAt(span, to));
  return left > 100 || right < 0 || right < left ? undefined : { left, width: right - left };
}

/** Marks at round local times, `atMost` of them. */
export function ticksOf({ from, to }: Span, atMost: number): Tick[] {
  const step = STEPS.find((candidate) => (to - from) / candidate <= atMost) ?? 28 * DAY;
  const ticks: Tick[] = [];
  for (let at = firstTick(from, step); at <= to && ticks.length <= atMost; at = nextTick(at, step)) {
    ticks.push({ at, label: labelOf(at, step) });
  }
  return ticks;
}

function firstTick(from: number, step: number): number {
  const midnight = new Date(from);
  midnight.setHours(0, 0, 0, 0);
  if (step >= DAY) {
    if (midnight.getTime() < from) midnight.setDate(midnight.getDate() + 1);
    return midnight.getTime();
  }
  return midnight.getTime() + Math.ceil((from - midnight.getTime()) / step) * step;
}

// Days are not always 24 hours long.
function nextTick(at: number, step: number): number {
  if (step < DAY) return at + step;
  const next = new Date(at);
  next.setDate(next.getDate() + Math.round(step / DAY));
  return next.getTime();
}

const WITH_SECONDS = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const WITHOUT_SECONDS = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const DAY_NAME = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric" });

function labelOf(at: number, step: number): string {
  const instant = new Date(at);
  const isMidnight = instant.getHours() === 0 && instant.getMinutes() === 0 && instant.getSeconds() === 0;
  if (step >= DAY || isMidnight) return DAY_NAME.format(at);
  return step < MINUTE ? WITH_SECONDS.format(at) : WITHOUT_SECONDS.format(at);
}
