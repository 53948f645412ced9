import { randomUUID } from "node:crypto";

import { stringifyJson } from "../../json/stringify.ts";
import { isJsonObject } from "../../json/value.ts";
import { booleanOf, integerOf, objectOf, textOf } from "../http/body.ts";
import { ApiError, invalidRequest } from "../http/errors.ts";
import { scheduleOf } from "../schedules/given.ts";
import { isConflict } from "../store/database.ts";
import { timestampOf } from "../store/timestamp.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { SqlValue, Transaction } from "../store/database.ts";

const MAX_SCHEDULED_RUNS = 50;
const FIELDS: ReadonlySet<string> = new Set([
  "active",
  "schedule",
  "max_scheduled_runs",
  "parameters",
  "slug",
  "replaces",
]);

/** A schedule of a request; what is not given is undefined. */
interface GivenSchedule {
  readonly when: JsonObject | undefined;
  readonly active: boolean | undefined;
  readonly maxScheduledRuns: number | undefined;
  readonly parameters: JsonObject | undefined;
  readonly slug: string | undefined;
  /** The slug of the schedule that this one takes the place of. */
  readonly replaces: string | undefined;
}

/** Reads a schedule of a request, which stands at `location`. Throws a 422. */
function readGiven(
  context: ServerContext,
  json: Json,
  location: readonly (string | number)[],
): GivenSchedule {
  if (!isJsonObject(json)) throw invalidRequest(location, "Input should be a valid dictionary", json);
  const unknown = Object.keys(json).find((field) => !FIELDS.has(field));
  if (unknown !== undefined)
    throw invalidRequest([...location, unknown], "Extra inputs are not permitted", json[unknown] ?? null);
  const maxScheduledRuns = integerOf(json, "max_scheduled_runs");
  const at = [...location, "max_scheduled_runs"];
  if (maxScheduledRuns !== undefined && maxScheduledRuns < 1)
    throw invalidRequest(at, "Input should be greater than 0", maxScheduledRuns);
  if (maxScheduledRuns !== undefined && maxScheduledRuns > MAX_SCHEDULED_RUNS) {
    throw invalidRequest(
      at,
      `Value error, \`max_scheduled_runs\` must be less than or equal to ${MAX_SCHEDULED_RUNS}.`,
      maxScheduledRuns,
    );
  }
  const when = json["schedule"] ?? null;
  return {
    when: when === null ? undefined : scheduleOf(when, context.clock.now(), [...location, "schedule"]).json,
    active: booleanOf(json, "active", location),
    maxScheduledRuns,
    parameters: objectOf(json, "parameters"),
    slug: textOf(json, "slug"),
    replaces: textOf(json, "replaces"),
  };
}

function readAllGiven(context: ServerContext, schedules: readonly Json[]): GivenSchedule[] {
  return schedules.map((schedule, index) => readGiven(context, schedule, ["body", "schedules", index]));
}

/** Gives a deployment these schedules and no others. Throws a 422. */
export function replaceSchedules(
  context: ServerContext,
  tx: Transaction,
  deploymentId: string,
  schedules: readonly Json[],
): void {
  const given = readAllGiven(context, schedules);
  for (const [index, { when }] of given.entries())
    if (when === undefined) throw invalidRequest(["body", "schedules", index, "schedule"], "Field required");
  tx.run("DELETE FROM deployment_schedule WHERE deployment_id = ?", deploymentId);
  for (const schedule of given) insertSchedule(context, tx, deploymentId, schedule);
}

/** Adds a schedule to a deployment; returns its id. Throws a 422. */
export function addSchedule(
  context: ServerContext,
  tx: Transaction,
  deploymentId: string,
  json: Json,
  location: readonly (string | number)[] = ["body"],
): string {
  const schedule = readGiven(context, json, location);
  if (schedule.when === undefined) throw invalidRequest([...location, "schedule"], "Field required", json);
  return insertSchedule(context, tx, deploymentId, schedule);
}

/**
 * Changes a deployment's schedules to those of a PATCH. Where all schedules have slugs each is found by its own, or by the one that
 * it `replaces`, and changed; new ones are added and the others stay. Where some have none all are replaced. Throws a 422.
 */
export function changeSchedules(
  context: ServerContext,
  tx: Transaction,
  deploymentId: string,
  schedules: readonly Json[],
): void {
  const given = readAllGiven(context, schedules);
  const existing = tx.all<{ id: string; slug: string | null }>(
    "SELECT id, slug FROM deployment_schedule WHERE deployment_id = ?",
    deploymentId,
  );
  if (existing.length === 0 || existing.some(({ slug }) => slug === null)) {
    tx.run("DELETE FROM deployment_schedule WHERE deployment_id = ?", deploymentId);
    for (const schedule of given)
      if (schedule.when !== undefined) insertSchedule(context, tx, deploymentId, schedule);
    return;
  }
  if (given.some(({ slug }) => slug === undefined)) {
    throw new ApiError(
      422,
      "Please provide a slug for each schedule in your request to ensure schedules are updated correctly.",
    );
  }
  const ids = new Map(existing.map(({ id, slug }) => [slug, id]));
  refuseClashes(given, ids);
  const changes = given.map((schedule) => ({
    schedule,
    id: ids.get(schedule.replaces ?? schedule.slug ?? null),
  }));
  // Slugs that move stand in each other's way otherwise.
  for (const { schedule, id } of changes) {
    if (schedule.replaces !== undefined && id !== undefined)
      tx.run("UPDATE deployment_schedule SET slug = NULL WHERE id = ?", id);
  }
  for (const { schedule, id } of changes) {
    if (id !== undefined) {
      // What prefect.yaml says of a schedule is all of it: parameters that it does not have go.
      changeSchedule(context, tx, id, { ...schedule, parameters: schedule.parameters ?? {} });
      continue;
    }
    if (schedule.when === undefined) {
      throw new ApiError(422, "Unable to create new deployment schedules without a schedule configuration.");
    }
    if (schedule.replaces !== undefined) {
      context.logger.warn(
        { deployment: deploymentId, slug: schedule.slug, replaces: schedule.replaces },
        "A schedule was added: the one that it should replace does not exist",
      );
    }
    insertSchedule(context, tx, deploymentId, schedule);
  }
}

function refuseClashes(given: readonly GivenSchedule[], ids: ReadonlyMap<string | null, string>): void {
  const replaced = new Set<string>();
  for (const { replaces } of given) {
    if (replaces === undefined) continue;
    if (replaced.has(replaces))
      throw new ApiError(422, `Multiple schedules have 'replaces' targeting the same slug: ${replaces}`);
    replaced.add(replaces);
  }
  for (const { slug, replaces } of given) {
    if (slug === undefined || replaces === undefined || !ids.has(slug) || replaced.has(slug)) continue;
    throw new ApiError(
      422,
      `Cannot rename schedule from '${replaces}' to '${slug}': a schedule with slug '${slug}' already exists.`,
    );
  }
}

/** Changes one schedule as the body of a PATCH says; false when the deployment has none of that id. Throws a 422. */
export function changeScheduleBy(
  context: ServerContext,
  tx: Transaction,
  ids: { readonly deploymentId: string; readonly scheduleId: string },
  json: Json,
): boolean {
  const schedule = readGiven(context, json, ["body"]);
  const known = tx.get(
    "SELECT 1 FROM deployment_schedule WHERE id = ? AND deployment_id = ?",
    ids.scheduleId,
    ids.deploymentId,
  );
  if (known === undefined) return false;
  changeSchedule(context, tx, ids.scheduleId, schedule);
  return true;
}

function changeSchedule(
  context: ServerContext,
  tx: Transaction,
  id: string,
  { when, active, maxScheduledRuns, parameters, slug }: GivenSchedule,
): void {
  runUnique(
    tx,
    `UPDATE deployment_schedule SET updated = ?, schedule = coalesce(?, schedule), active = coalesce(?, active),
       max_scheduled_runs = coalesce(?, max_scheduled_runs), parameters = coalesce(?, parameters), slug = coalesce(?, slug) WHERE id = ?`,
    timestampOf(context.clock.now()),
    when === undefined ? null : stringifyJson(when),
    active === undefined ? null : Number(active),
    maxScheduledRuns ?? null,
    parameters === undefined ? null : stringifyJson(parameters),
    slug ?? null,
    id,
  );
}

function insertSchedule(
  context: ServerContext,
  tx: Transaction,
  deploymentId: string,
  { when, active, maxScheduledRuns, parameters, slug }: GivenSchedule,
): string {
  const id = randomUUID();
  const now = timestampOf(context.clock.now());
  runUnique(
    tx,
    "INSERT INTO deployment_schedule (id, created, updated, deployment_id, schedule, active, max_scheduled_runs, parameters, slug) VALUES (?,?,?,?,?,?,?,?,?)",
    id,
    now,
    now,
    deploymentId,
    stringifyJson(when ?? {}),
    active === false ? 0 : 1,
    maxScheduledRuns ?? null,
    stringifyJson(parameters ?? {}),
    slug ?? null,
  );
  return id;
}

function runUnique(tx: Transaction, sql: string, ...values: readonly SqlValue[]): void {
  try {
    tx.run(sql, ...values);
  } catch (thrown) {
    if (!isConflict(thrown)) throw thrown;
    throw new ApiError(409, "Schedule slugs must be unique within a deployment.");
  }
}
