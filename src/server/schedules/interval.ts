import { instantOf, wallOf } from "./zone.ts";

const DAY_SECONDS = 86_400;
const DAY_MS = DAY_SECONDS * 1000;

interface Interval {
  readonly seconds: number;
  readonly anchorMs: number;
  readonly zone: string;
}

/**
 * Instants of an interval. Whole days are days of the calendar: 09:00 stays 09:00 when the clocks change (in Prefect it drifts
 * by an hour, against its documentation). Any other interval is first counted in elapsed time from the anchor and then goes on in
 * days of the calendar and elapsed seconds, as in Prefect (prefect/server/schemas/schedules.py, IntervalSchedule).
 */
export function* intervalInstants({ seconds, anchorMs, zone }: Interval, startMs: number): Generator<number> {
  const days = Math.floor(seconds / DAY_SECONDS);
  const rest = (seconds - days * DAY_SECONDS) * 1000;
  if (rest === 0) {
    const anchorWall = wallOf(zone, anchorMs);
    // One step early, for an hour more or less by the clock.
    let step = Math.floor((startMs - anchorMs) / (days * DAY_MS)) - 1;
    for (;;) {
      const instant = instantOf(zone, anchorWall + step * days * DAY_MS);
      if (instant >= startMs) yield instant;
      step += 1;
    }
  }
  const advance = (instant: number): number =>
    (days === 0 ? instant : instantOf(zone, wallOf(zone, instant) + days * DAY_MS)) + rest;
  let next = anchorMs + Math.trunc((startMs - anchorMs) / (seconds * 1000)) * seconds * 1000;
  while (next < startMs) next = advance(next);
  for (;;) {
    yield next;
    next = advance(next);
  }
}
