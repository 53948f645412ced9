import type { Json } from "../json/value.ts";

/** Throws a RangeError for a cron line, rule or time zone that makes no sense. */
export async function checkSchedule(schedule: Json): Promise<void> {
  const { readSchedule } = await import("../server/schedules/schedule.ts");
  await readSchedule(schedule);
}
