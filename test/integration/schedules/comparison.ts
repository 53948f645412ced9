import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { ScheduleError } from "../../../src/schedules/error.ts";
import { readSchedule } from "../../../src/schedules/schedule.ts";
import { prefectProgram } from "../../support/prefect-server.ts";
import type { JsonObject } from "../../../src/json/value.ts";
import type { Schedule } from "../../../src/schedules/schedule.ts";

export interface Case {
  readonly schedule: JsonObject;
  /** ISO, UTC. */
  readonly start: string;
}

/** What a schedule gives: its first dates, and why it ended early or was refused. */
export interface Answer {
  readonly dates: readonly number[];
  readonly error: string | null;
}

const COUNT = 8;
/** dateutil knows no changes of clocks after 2037. */
const END = "2037-06-01T00:00:00+00:00";

/** Prefect's answers, all by one Python. */
export function askPrefect(cases: readonly Case[]): readonly Answer[] {
  const oracle = fileURLToPath(new URL("oracle.py", import.meta.url));
  const output = execFileSync(prefectProgram(3, "python"), [oracle, String(COUNT), END], {
    input: JSON.stringify(cases),
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  return JSON.parse(output) as Answer[];
}

/** Our answer; the error is the class's name, as Prefect's is. */
export function ourAnswer({ schedule, start }: Case): Answer {
  try {
    return { dates: firstDates(readSchedule(schedule, { nowMs: Date.now() }), start), error: null };
  } catch (error) {
    if (error instanceof ScheduleError) return { dates: [], error: error.name };
    throw error;
  }
}

export function firstDates(
  schedule: Schedule,
  start: string,
  endMs = Date.parse(END),
  count = COUNT,
): number[] {
  const dates: number[] = [];
  for (const instant of schedule.instants(Date.parse(start), endMs)) {
    dates.push(Math.floor(instant));
    if (dates.length === count) break;
  }
  return dates;
}

export function show({ dates, error }: Answer): string {
  const texts = dates.map((date) => new Date(date).toISOString().slice(0, 19));
  return [...texts, ...(error === null ? [] : [error])].join(" ");
}
