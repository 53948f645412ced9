import { randomUUID } from "node:crypto";

import { stringifyJson } from "../../json/stringify.ts";
import { isJsonObject } from "../../json/value.ts";
import { objectOf, parseUuid, requiredPlainName, textOf, textsOf, uuidOf } from "../http/body.ts";
import { ApiError, invalidRequest } from "../http/errors.ts";
import { checkChangedVariables, checkDeploymentVariables } from "../pools/job-variables.ts";
import { ensureQueue, getPool } from "../pools/queues.ts";
import { objectColumn } from "../store/json-column.ts";
import { timestampOf } from "../store/timestamp.ts";
import { checkDeploymentBody, concurrencyOptionsOf, labelsOf } from "./body.ts";
import { announceChanges, announceDeployment } from "./events.ts";
import { deleteOwnLimit, limitAfter } from "./limit.ts";
import { checkChangedParameters, hydrateParameters, newParametersFailure } from "./parameters.ts";
import { findDeployment } from "./row.ts";
import { changeSchedules, replaceSchedules } from "./schedules.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { SchemaTools } from "../schema-tools/tools.ts";
import type { SqlValue, Transaction } from "../store/database.ts";
import type { DeploymentRow } from "./row.ts";

/** Columns of a deployment that hold a field of a request as JSON text. */
const JSON_FIELDS = ["parameters", "parameter_openapi_schema", "job_variables", "pull_steps"] as const;
const TEXT_FIELDS = ["version", "description", "path", "entrypoint"] as const;
const DOCUMENT_FIELDS = ["storage_document_id", "infrastructure_document_id"] as const;
const FLAG_FIELDS = ["paused", "enforce_parameter_schema"] as const;

/**
 * Creates a deployment, or changes the one of the same flow and name (POST is an upsert, protocol §8.1), which loses the schedules
 * that are not given. Throws a 404 for an unknown pool or limit, a 409 for an unknown flow or block, a 422 for what is not valid.
 */
export function upsertDeployment(
  context: ServerContext,
  tx: Transaction,
  tools: SchemaTools,
  body: JsonObject,
): { readonly id: string; readonly isNew: boolean } {
  const name = requiredPlainName(body);
  const flowId = parseUuid(body["flow_id"], ["body", "flow_id"]);
  checkDeploymentBody(body, "create");
  // Prefect looks at the parameters here only when the request itself says so; each run is checked in any case.
  if (body["enforce_parameter_schema"] === true) {
    const parameters = objectOf(body, "parameters") ?? {};
    const failure = newParametersFailure(tools, body["parameter_openapi_schema"], parameters);
    if (failure !== undefined) throw invalidRequest(["body"], `Value error, ${failure}`, body);
  }
  const poolName = textOf(body, "work_pool_name");
  if (poolName !== undefined) {
    const variables = objectOf(body, "job_variables") ?? {};
    checkDeploymentVariables(context, tx, tools, getPool(tx, poolName), variables);
  }
  const flow = tx.get<{ labels: string }>("SELECT labels FROM flow WHERE id = ?", flowId);
  if (flow === undefined) {
    throw new ApiError(
      409,
      `The flow ${flowId} does not exist: create it first, then its deployments. Data integrity conflict.`,
    );
  }
  requireBlock(tx, body, "infrastructure_document_id", "infrastructure");
  requireBlock(tx, body, "storage_document_id", "storage");
  const known = tx.get<{ id: string }>(
    "SELECT id FROM deployment WHERE flow_id = ? AND name = ?",
    flowId,
    name,
  );
  const id = known?.id ?? randomUUID();
  if (known === undefined) {
    const now = timestampOf(context.clock.now());
    tx.run(
      "INSERT INTO deployment (id, created, updated, name, flow_id, pull_steps, parameter_openapi_schema) VALUES (?,?,?,?,?,'[]','{}')",
      id,
      now,
      now,
      name,
      flowId,
    );
  }
  const columns = columnsOf(body);
  const labels = { ...objectColumn(flow.labels), "prefect.flow.id": flowId, ...labelsOf(body) };
  columns.set("labels", stringifyJson(labels));
  const schema = body["parameter_openapi_schema"];
  if (schema !== undefined) columns.set("parameter_openapi_schema", schemaColumn(schema));
  const before = getDeployment(tx, id);
  update(context, tx, before, body, columns);
  if (known === undefined) announceDeployment(context, tx, id, "created");
  else announceChanges(context, tx, before);
  const schedules = body["schedules"];
  replaceSchedules(context, tx, id, Array.isArray(schedules) ? (schedules as readonly Json[]) : []);
  return { id, isNew: known === undefined };
}

function requireBlock(tx: Transaction, body: JsonObject, key: string, kind: string): void {
  const id = uuidOf(body, key);
  if (id === undefined || tx.get("SELECT 1 FROM block_document WHERE id = ?", id) !== undefined) return;
  throw new ApiError(
    409,
    `Error creating deployment. Could not find ${kind} block with id: ${id}. This usually occurs when applying a deployment specification that was built against a different Prefect database / workspace.`,
  );
}

/**
 * Sets the fields that the body has; the others stay. Throws a 404 for an unknown deployment, pool or limit, a 409 for parameters and
 * job variables that do not fit, a 422 for what is not valid.
 */
export function changeDeployment(
  context: ServerContext,
  tx: Transaction,
  tools: SchemaTools,
  id: string,
  body: JsonObject,
): void {
  checkDeploymentBody(body, "update");
  const deployment = getDeployment(tx, id);
  const columns = columnsOf(body);
  if (Array.isArray(body["schedules"]))
    changeSchedules(context, tx, id, body["schedules"] as readonly Json[]);
  const poolName = textOf(body, "work_pool_name");
  const variables = objectOf(body, "job_variables");
  if (poolName !== undefined && variables !== undefined)
    checkChangedVariables(tx, tools, getPool(tx, poolName), variables);
  const given = objectOf(body, "parameters");
  const parameters =
    given === undefined
      ? objectColumn(deployment.parameters)
      : hydrateParameters(tx, tools, given, "Error hydrating deployment parameters");
  if (given !== undefined) columns.set("parameters", stringifyJson(parameters));
  const schema = objectOf(body, "parameter_openapi_schema");
  if (schema !== undefined) columns.set("parameter_openapi_schema", schemaColumn(schema));
  const isEnforced =
    typeof body["enforce_parameter_schema"] === "boolean"
      ? body["enforce_parameter_schema"]
      : deployment.enforce_parameter_schema === 1;
  if (isEnforced) {
    checkChangedParameters(
      tools,
      schema === undefined ? deployment.parameter_openapi_schema : schemaColumn(schema),
      parameters,
    );
  }
  update(context, tx, deployment, body, columns);
  announceChanges(context, tx, deployment);
}

/** Pauses a deployment or lets it go on. Throws a 404 for an unknown one. */
export function pauseDeployment(
  context: ServerContext,
  tx: Transaction,
  id: string,
  isPaused: boolean,
): void {
  const now = timestampOf(context.clock.now());
  const changed = tx.run(
    "UPDATE deployment SET updated = ?, paused = ? WHERE id = ?",
    now,
    Number(isPaused),
    id,
  );
  if (changed === 0) throw new ApiError(404, "Deployment not found");
  if (isPaused) dropScheduledRuns(context, tx, id, "automatic");
}

/** Deletes a deployment, its runs that have not begun and its own limit; false when there is none. */
export function deleteDeployment(context: ServerContext, tx: Transaction, id: string): boolean {
  const deployment = findDeployment(tx, id);
  if (deployment === undefined) return false;
  announceDeployment(context, tx, id, "deleted");
  dropScheduledRuns(context, tx, id, "all");
  deleteOwnLimit(tx, deployment);
  tx.run("DELETE FROM deployment WHERE id = ?", id);
  return true;
}

/** Throws a 404. */
function getDeployment(tx: Transaction, id: string): DeploymentRow {
  const deployment = findDeployment(tx, id);
  if (deployment === undefined) throw new ApiError(404, "Deployment not found.");
  return deployment;
}

function columnsOf(body: JsonObject): Map<string, SqlValue> {
  const columns = new Map<string, SqlValue>();
  for (const field of JSON_FIELDS)
    if (body[field] !== undefined) columns.set(field, jsonColumn(field, body[field]));
  for (const field of TEXT_FIELDS)
    if (body[field] !== undefined) columns.set(field, textOf(body, field) ?? null);
  for (const field of FLAG_FIELDS) {
    const flag = body[field];
    if (typeof flag === "boolean") columns.set(field, flag ? 1 : 0);
  }
  const tags = textsOf(body, "tags");
  if (tags !== undefined) columns.set("tags", stringifyJson(tags));
  const options = concurrencyOptionsOf(body);
  if (options !== undefined)
    columns.set("concurrency_options", options === null ? null : stringifyJson(options));
  return columns;
}

function jsonColumn(field: (typeof JSON_FIELDS)[number], value: Json): string | null {
  if (value === null) return field === "parameters" || field === "job_variables" ? "{}" : null;
  return stringifyJson(value);
}

/** A schema that says nothing is one of an object without properties. */
function schemaColumn(schema: Json): string {
  const isEmpty = !isJsonObject(schema) || Object.keys(schema).length === 0;
  return stringifyJson(isEmpty ? { type: "object", properties: {} } : schema);
}

/** Writes the columns, and what of a request refers to other objects. */
function update(
  context: ServerContext,
  tx: Transaction,
  deployment: DeploymentRow,
  body: JsonObject,
  columns: Map<string, SqlValue>,
): void {
  const { id } = deployment;
  for (const field of DOCUMENT_FIELDS)
    if (body[field] !== undefined) columns.set(field, documentColumn(tx, body, field));
  setQueue(context, tx, body, columns);
  const limitId = limitAfter(context, tx, deployment, body);
  if (limitId !== undefined) columns.set("concurrency_limit_id", limitId);
  columns.set("updated", timestampOf(context.clock.now()));
  dropScheduledRuns(context, tx, id, "coming");
  const assignments = [...columns.keys()].map((column) => `${column} = ?`).join(", ");
  tx.run(`UPDATE deployment SET ${assignments} WHERE id = ?`, ...columns.values(), id);
}

function setQueue(
  context: ServerContext,
  tx: Transaction,
  body: JsonObject,
  columns: Map<string, SqlValue>,
): void {
  const queueName = textOf(body, "work_queue_name") ?? null;
  const poolName = textOf(body, "work_pool_name");
  if (poolName !== undefined) {
    const queue = ensureQueue(context, tx, poolName, queueName);
    columns.set("work_queue_id", queue.id);
    columns.set("work_queue_name", queue.name);
    return;
  }
  // A pool of null takes the deployment out of its pool.
  if (body["work_pool_name"] === null) {
    columns.set("work_queue_id", null);
    columns.set("work_queue_name", queueName);
  } else if (body["work_queue_name"] !== undefined) columns.set("work_queue_name", queueName);
}

function documentColumn(
  tx: Transaction,
  body: JsonObject,
  field: (typeof DOCUMENT_FIELDS)[number],
): string | null {
  if (body[field] === null) return null;
  const id = parseUuid(body[field], ["body", field]);
  if (tx.get("SELECT 1 FROM block_document WHERE id = ?", id) !== undefined) return id;
  const kind = field === "storage_document_id" ? "storage" : "infrastructure";
  throw new ApiError(409, `Error creating deployment. Could not find ${kind} block with id: ${id}.`);
}

/**
 * Deletes runs of a deployment that have not begun: those from its schedules whose time comes yet (`coming`: they are made anew from
 * what holds now), all of them (`automatic`), or those that somebody asked for too (`all`). A run that waits for a slot stays.
 */
export function dropScheduledRuns(
  context: ServerContext,
  tx: Transaction,
  deploymentId: string,
  which: "coming" | "automatic" | "all",
): void {
  tx.run(
    `DELETE FROM flow_run WHERE deployment_id = ? AND state_type = 'SCHEDULED' AND state_name <> 'AwaitingConcurrencySlot' AND run_count = 0
       ${which === "all" ? "" : "AND auto_scheduled = 1"} AND next_scheduled_start_time > ?`,
    deploymentId,
    which === "coming" ? timestampOf(context.clock.now()) : "",
  );
}
