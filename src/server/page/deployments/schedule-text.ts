import type { Schedule } from "../api/types.ts";

const UNITS: readonly (readonly [seconds: number, name: string])[] = [
  [604_800, "week"],
  [86_400, "day"],
  [3600, "hour"],
  [60, "minute"],
  [1, "second"],
];
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** A schedule in words where they are sure to be right: `every 15 minutes`, `Monday to Friday at 09:00`, else as it was written. */
export function scheduleText(schedule: Schedule): string {
  const zone =
    schedule.timezone === undefined || schedule.timezone === null || schedule.timezone === "UTC"
      ? ""
      : ` (${schedule.timezone})`;
  if (schedule.interval !== undefined) return intervalText(schedule.interval) + zone;
  if (schedule.cron !== undefined) return (cronText(schedule.cron) ?? `cron ${schedule.cron}`) + zone;
  if (schedule.rrule !== undefined) return `rule ${schedule.rrule.replaceAll(/\s+/g, " ")}` + zone;
  return "unknown schedule";
}

function intervalText(seconds: number): string {
  const [size, name] = UNITS.find(([size]) => seconds % size === 0) ?? [1, "second"];
  const count = seconds / size;
  return count === 1 ? `every ${name}` : `every ${count} ${name}s`;
}

/** The usual forms only; undefined for all others. */
function cronText(cron: string): string | undefined {
  const fields = cron.trim().split(/\s+/);
  const [minute = "", hour = "", day = "", month = "", weekday = ""] = fields;
  if (fields.length !== 5 || month !== "*") return undefined;
  if (day === "*" && weekday === "*" && hour === "*") {
    if (minute === "*") return "every minute";
    const step = /^\*\/(\d+)$/.exec(minute)?.[1];
    if (step !== undefined && 60 % Number(step) === 0) return `every ${step} minutes`;
    if (isNumber(minute)) return `every hour at :${minute.padStart(2, "0")}`;
    return undefined;
  }
  if (!isNumber(minute) || !isNumber(hour)) return undefined;
  const time = `${hour.padStart(2, "0")}:${minute.padStart(2, "0")}`;
  if (day === "*" && weekday === "*") return `every day at ${time}`;
  if (day === "*" && weekday === "1-5") return `Monday to Friday at ${time}`;
  if (day === "*" && isNumber(weekday)) return `${DAYS[Number(weekday) % 7] ?? ""}s at ${time}`;
  if (isNumber(day) && weekday === "*") return `on day ${day} of the month at ${time}`;
  return undefined;
}

function isNumber(text: string): boolean {
  return /^\d{1,2}$/.test(text);
}
