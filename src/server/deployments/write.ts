import { randomUUID } from "node:crypto";

import { stringifyJson } from "../../json/stringify.ts";
import { isJsonObject } from "../../json/value.ts";
import { integerOf, objectOf, parseUuid, requiredPlainName, textOf, textsOf } from "../http/body.ts";
import { invalidRequest, notFound } from "../http/errors.ts";
import { ensureQueue } from "../pools/queues.ts";
import { timestampOf } from "../store/timestamp.ts";
import { findDeployment } from "./row.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { SqlValue, Transaction } from "../store/database.ts";
import type { DeploymentRow } from "./row.ts";

/** Columns of a deployment that hold a field of a request as JSON text. */
const JSON_FIELDS = [
  "parameters",
  "parameter_openapi_schema",
  "job_variables",
  "pull_steps",
  "concurrency_options",
  "version_info",
] as const;
const TEXT_FIELDS = [
  "version",
  "description",
  "path",
  "entrypoint",
  "storage_document_id",
  "infrastructure_document_id",
] as const;
const FLAG_FIELDS = ["paused", "enforce_parameter_schema"] as const;

/**
 * Creates a deployment, or changes the one of the same flow and name (POST is an upsert, protocol §8.1). Throws a 404 for an
 * unknown flow or pool.
 */
export function upsertDeployment(
  context: ServerContext,
  tx: Transaction,
  body: JsonObject,
): { readonly id: string; readonly isNew: boolean } {
  const name = requiredPlainName(body);
  const flowId = parseUuid(body["flow_id"], ["body", "flow_id"]);
  if (tx.get("SELECT 1 FROM flow WHERE id = ?", flowId) === undefined) throw notFound("Flow");
  const known = tx.get<{ id: string }>(
    "SELECT id FROM deployment WHERE flow_id = ? AND name = ?",
    flowId,
    name,
  );
  const id = known?.id ?? randomUUID();
  if (known === undefined) {
    const now = timestampOf(context.clock.now());
    tx.run(
      "INSERT INTO deployment (id, created, updated, name, flow_id, labels, concurrency_options) VALUES (?,?,?,?,?,?,NULL)",
      id,
      now,
      now,
      name,
      flowId,
      stringifyJson({ "prefect.flow.id": flowId, ...objectOf(body, "labels") }),
    );
  }
  changeDeployment(context, tx, id, body);
  return { id, isNew: known === undefined };
}

/** Sets the fields that the body has; the others stay. Throws a 404 for an unknown deployment or pool. */
export function changeDeployment(
  context: ServerContext,
  tx: Transaction,
  id: string,
  body: JsonObject,
): void {
  const deployment = findDeployment(tx, id);
  if (deployment === undefined) throw notFound("Deployment");
  const columns = new Map<string, SqlValue>([["updated", timestampOf(context.clock.now())]]);
  for (const field of JSON_FIELDS)
    if (body[field] !== undefined) columns.set(field, jsonColumn(field, body[field]));
  for (const field of TEXT_FIELDS)
    if (body[field] !== undefined) columns.set(field, textOf(body, field) ?? null);
  for (const field of FLAG_FIELDS) {
    const flag = body[field];
    if (typeof flag === "boolean") columns.set(field, flag ? 1 : 0);
  }
  const tags = textsOf(body, "tags");
  if (tags !== undefined) columns.set("tags", stringifyJson([...new Set(tags)]));
  const versionName = objectOf(body, "version_info")?.["version"];
  if (typeof versionName === "string" && textOf(body, "version") === undefined)
    columns.set("version", versionName);
  const poolName = textOf(body, "work_pool_name");
  if (poolName !== undefined) {
    const queue = ensureQueue(context, tx, poolName, textOf(body, "work_queue_name") ?? null);
    columns.set("work_queue_id", queue.id);
    columns.set("work_queue_name", queue.name);
  } else if (body["work_queue_name"] !== undefined) {
    columns.set("work_queue_name", textOf(body, "work_queue_name") ?? null);
  }
  if (body["concurrency_limit"] !== undefined) {
    columns.set(
      "concurrency_limit_id",
      setLimit(context, tx, deployment, integerOf(body, "concurrency_limit") ?? null),
    );
  }
  dropScheduledRuns(tx, id);
  const assignments = [...columns.keys()].map((column) => `${column} = ?`).join(", ");
  tx.run(`UPDATE deployment SET ${assignments} WHERE id = ?`, ...columns.values(), id);
  if (Array.isArray(body["schedules"]))
    replaceSchedules(context, tx, id, body["schedules"] as readonly Json[]);
}

/** The deployment's own limit, `deployment:<id>`: made, changed, or deleted (null). Returns its id. */
function setLimit(
  context: ServerContext,
  tx: Transaction,
  deployment: DeploymentRow,
  limit: number | null,
): string | null {
  const known = deployment.concurrency_limit_id;
  if (limit === null) {
    if (known !== null) tx.run("DELETE FROM concurrency_limit_v2 WHERE id = ?", known);
    return null;
  }
  if (limit < 1) throw invalidRequest(["body", "concurrency_limit"], "Input should be greater than 0", limit);
  if (known !== null) {
    tx.run('UPDATE concurrency_limit_v2 SET "limit" = ? WHERE id = ?', limit, known);
    return known;
  }
  const id = randomUUID();
  const now = timestampOf(context.clock.now());
  tx.run(
    'INSERT INTO concurrency_limit_v2 (id, created, updated, name, "limit") VALUES (?,?,?,?,?)',
    id,
    now,
    now,
    `deployment:${deployment.id}`,
    limit,
  );
  return id;
}

function replaceSchedules(
  context: ServerContext,
  tx: Transaction,
  deploymentId: string,
  schedules: readonly Json[],
): void {
  tx.run("DELETE FROM deployment_schedule WHERE deployment_id = ?", deploymentId);
  for (const schedule of schedules)
    if (isJsonObject(schedule)) addSchedule(context, tx, deploymentId, schedule);
}

/** Adds a schedule to a deployment; returns its id. */
export function addSchedule(
  context: ServerContext,
  tx: Transaction,
  deploymentId: string,
  schedule: JsonObject,
): string {
  const when = objectOf(schedule, "schedule");
  if (when === undefined) throw invalidRequest(["body", "schedule"], "Field required");
  const id = randomUUID();
  const now = timestampOf(context.clock.now());
  tx.run(
    "INSERT INTO deployment_schedule (id, created, updated, deployment_id, schedule, active, max_scheduled_runs, parameters, slug) VALUES (?,?,?,?,?,?,?,?,?)",
    id,
    now,
    now,
    deploymentId,
    stringifyJson(when),
    schedule["active"] === false ? 0 : 1,
    integerOf(schedule, "max_scheduled_runs") ?? null,
    stringifyJson(objectOf(schedule, "parameters") ?? {}),
    textOf(schedule, "slug") ?? null,
  );
  return id;
}

function jsonColumn(field: (typeof JSON_FIELDS)[number], value: Json): string | null {
  if (value === null) return field === "parameters" || field === "job_variables" ? "{}" : null;
  return stringifyJson(value);
}

/** Deletes the runs that were made from schedules and have not begun: they are made anew from what holds now. */
export function dropScheduledRuns(tx: Transaction, deploymentId: string): void {
  tx.run(
    "DELETE FROM flow_run WHERE deployment_id = ? AND auto_scheduled = 1 AND state_type = 'SCHEDULED'",
    deploymentId,
  );
}
