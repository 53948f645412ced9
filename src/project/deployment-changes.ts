import { isDeepStrictEqual } from "node:util";

import { Float, isJsonObject } from "../json/value.ts";
import { changeBody, creationBody } from "./deployment-body.ts";

import type { Json, JsonObject } from "../json/value.ts";
import type { DeploymentPlan } from "./deployment-body.ts";

/** One field of a deployment that would be set or changed. */
export interface Change {
  readonly field: string;
  /** Undefined for a deployment that does not exist yet. */
  readonly from: Json | undefined;
  readonly to: Json;
}

// What the server adds to, or changes in, a schedule.
const OF_THE_SERVER: ReadonlySet<string> = new Set([
  "id",
  "created",
  "updated",
  "deployment_id",
  "replaces",
  // Of 2.x.
  "catchup",
  "max_active_runs",
]);

/** What registering the plan would change in a deployment as the server has it (null: it would be made), field by field. */
export function changesTo(existing: JsonObject | null, plan: DeploymentPlan): readonly Change[] {
  if (existing === null) {
    return Object.entries(creationBody(plan, ""))
      .filter(([field, value]) => field !== "flow_id" && field !== "name" && !isEmpty(value))
      .map(([field, to]) => ({ field, from: undefined, to }));
  }
  return Object.entries(changeBody(plan)).flatMap(([field, to]) => {
    const from = currentOf(field, existing);
    return isSame(field, from, to) ? [] : [{ field, from, to }];
  });
}

function currentOf(field: string, existing: JsonObject): Json {
  if (field !== "concurrency_limit") return existing[field] ?? null;
  const limit = existing["global_concurrency_limit"];
  return (isJsonObject(limit) ? limit["limit"] : existing["concurrency_limit"]) ?? null;
}

function isSame(field: string, from: Json, to: Json): boolean {
  // Not every server keeps all of it.
  if (field === "version_info") return isPartOf(from, to);
  // Null means the pool's default queue.
  if (field === "work_queue_name" && to === null) return from === null || from === "default";
  if (field === "schedules") return isDeepStrictEqual(schedulesIn(from), schedulesIn(to));
  return isEmpty(from) && isEmpty(to) ? true : isDeepStrictEqual(plain(from), plain(to));
}

function schedulesIn(value: Json): unknown {
  const items = Array.isArray(value) ? value.filter((item: Json) => isJsonObject(item)) : [];
  return items
    .map((item) => {
      const times = isJsonObject(item["schedule"]) ? item["schedule"] : {};
      const isInterval = times["interval"] !== undefined;
      const own = Object.entries(item).filter(([key, field]) => !OF_THE_SERVER.has(key) && !isEmpty(field));
      const fallback = isInterval || times["rrule"] !== undefined ? "UTC" : null;
      // The server anchors what names no instant itself.
      const rrule =
        typeof times["rrule"] === "string" ? { rrule: times["rrule"].replace(/^DTSTART:\S+\n/, "") } : {};
      const { anchor_date: _, ...rest } = times;
      return plain({
        active: true,
        ...Object.fromEntries(own),
        schedule: { ...rest, ...rrule, timezone: times["timezone"] ?? fallback },
      });
    })
    .toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));
}

function isPartOf(part: Json, whole: Json): boolean {
  if (!isJsonObject(part) || !isJsonObject(whole)) return part === null;
  return Object.entries(part).every(([key, value]) => isEmpty(value) || isDeepStrictEqual(value, whole[key]));
}

function isEmpty(value: Json | undefined): boolean {
  if (value === undefined || value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  return isJsonObject(value) && Object.keys(value).length === 0;
}

/** Numbers without the difference of 1 and 1.0, keys in one order. */
function plain(value: Json): unknown {
  if (value instanceof Float) return value.value;
  if (Array.isArray(value)) return value.map((item: Json) => plain(item));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .toSorted()
      .map((key) => [key, plain(value[key] ?? null)]),
  );
}
