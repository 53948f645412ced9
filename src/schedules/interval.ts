import { LAST_WALL_MS, instantOf, wallOf } from "./zone.ts";

const DAY_MS = 86_400_000;

export interface Interval {
  readonly seconds: number;
  readonly anchorMs: number;
  readonly zone: string;
}

/**
 * Instants of an interval, counted from its anchor. One of a day or more is counted on the wall clock: 09:00 stays 09:00 when the
 * clocks change (in Prefect it drifts by an hour, against its documentation). A shorter one is counted in elapsed time
 * (prefect/server/schemas/schedules.py, IntervalSchedule).
 */
export function* intervalInstants({ seconds, anchorMs, zone }: Interval, startMs: number): Generator<number> {
  const stepMs = seconds * 1000;
  const isOnWall = stepMs >= DAY_MS;
  const firstMs = isOnWall ? wallOf(zone, anchorMs) : anchorMs;
  // One step early, for the clock may have been changed and the division rounded.
  for (let step = Math.floor((startMs - anchorMs) / stepMs) - 1; ; step++) {
    const time = firstMs + step * stepMs;
    if (time > LAST_WALL_MS) return;
    const instant = isOnWall ? instantOf(zone, time) : time;
    if (instant >= startMs) yield instant;
  }
}
