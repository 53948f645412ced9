import { Float } from "../../json/value.ts";
import { ScheduleError } from "../../schedules/error.ts";
import { SCHEDULE_CLASSES, readSchedule } from "../../schedules/schedule.ts";
import { integerOf, textOf } from "../http/body.ts";
import { invalidRequest } from "../http/errors.ts";
import { epochMsOf, parseTimestamp } from "../store/timestamp.ts";
import { defaultWindow } from "./runs.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { Schedule } from "../../schedules/schedule.ts";
import type { ServerContext } from "../context.ts";
import type { RunWindow } from "./runs.ts";

/** The schedule that stands at `location` of a request. Throws a 422 that says what is wrong with it and what would be right. */
export function scheduleOf(json: Json, nowMs: number, location: readonly (string | number)[]): Schedule {
  try {
    return readSchedule(json, { nowMs });
  } catch (thrown) {
    if (!(thrown instanceof ScheduleError)) throw thrown;
    const { kind, field, message, hint = "", input } = thrown;
    const within = [kind === undefined ? undefined : SCHEDULE_CLASSES[kind], field].filter(
      (part) => part !== undefined,
    );
    throw invalidRequest([...location, ...within], `Value error, ${message}. ${hint}`, input);
  }
}

/** Of which span, and how many, runs a request wants (prefect/server/api/deployments.py, schedule_deployment). Throws a 422. */
export function windowOf({ settings, clock }: ServerContext, body: JsonObject): RunWindow {
  const startMs = timeOf(body, "start_time") ?? clock.now();
  const usual = defaultWindow(settings, startMs);
  const minTime = body["min_time"] ?? null;
  const seconds = minTime instanceof Float ? minTime.value : minTime;
  if (seconds !== null && typeof seconds !== "number")
    throw invalidRequest(["body", "min_time"], "Input should be a valid number", minTime);
  return {
    startMs,
    endMs: timeOf(body, "end_time") ?? usual.endMs,
    minMs: seconds === null ? usual.minMs : seconds * 1000,
    minRuns: integerOf(body, "min_runs") ?? usual.minRuns,
    maxRuns: integerOf(body, "max_runs") ?? usual.maxRuns,
  };
}

function timeOf(body: JsonObject, key: string): number | undefined {
  const text = textOf(body, key);
  return text === undefined ? undefined : epochMsOf(parseTimestamp(text));
}
