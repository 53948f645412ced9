import { isJsonObject } from "../../json/value.ts";
import { epochMsOf, parseTimestamp } from "../store/timestamp.ts";
import { cronInstants } from "./cron.ts";
import { intervalInstants } from "./interval.ts";

import type { Json } from "../../json/value.ts";

/** A schedule that runs can be made from. */
export interface Schedule {
  readonly kind: "interval" | "cron";
  /** Instants from `startMs` on (inclusive), in order, without end; milliseconds since the epoch. */
  instants(startMs: number): Iterable<number>;
}

/**
 * Reads a schedule of a deployment: `{interval, anchor_date, timezone}` or `{cron, timezone, day_or}`. Undefined for an rrule,
 * which this server cannot run. Throws a RangeError with what is wrong.
 */
export async function readSchedule(json: Json): Promise<Schedule | undefined> {
  if (!isJsonObject(json)) throw new RangeError("A schedule must be an object");
  const zone = typeof json["timezone"] === "string" ? json["timezone"] : "UTC";
  const { interval, anchor_date: anchor, cron, day_or: dayOr } = json;
  if (typeof cron === "string") {
    const instants = await cronInstants(cron, zone, dayOr !== false);
    return { kind: "cron", instants };
  }
  if (interval === undefined || interval === null) return undefined;
  const seconds = Number(interval);
  if (!(seconds > 0)) throw new RangeError("The interval must be positive");
  const anchorMs = typeof anchor === "string" ? epochMsOf(parseTimestamp(anchor)) : Date.UTC(2020, 0, 1);
  return { kind: "interval", instants: (startMs) => intervalInstants({ seconds, anchorMs, zone }, startMs) };
}
