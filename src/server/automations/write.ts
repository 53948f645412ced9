import { randomUUID } from "node:crypto";

import { textIn } from "../../json/object.ts";
import { stringifyJson } from "../../json/stringify.ts";
import { isJsonObject } from "../../json/value.ts";
import { findDeployment } from "../deployments/row.ts";
import { emitEvent } from "../events/event.ts";
import { ApiError } from "../http/errors.ts";
import { timestampOf } from "../store/timestamp.ts";
import { actionVariablesFailure } from "../pools/job-variables.ts";
import { checkAutomation } from "./read.ts";
import { automationJson, findAutomation, selectAutomations } from "./row.ts";
import { withNewIds } from "./trigger-models.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { SchemaTools } from "../schema-tools/tools.ts";
import type { Reader, SqlValue, Transaction } from "../store/database.ts";
import type { AutomationRow } from "./row.ts";

/** Fields that are kept as JSON text. */
const JSON_FIELDS = ["tags", "trigger", "actions", "actions_on_trigger", "actions_on_resolve"] as const;
const TEXT_FIELDS = ["name", "description"] as const;

/** Makes an automation of what `readNewAutomation` gave. */
export function createAutomation(
  context: ServerContext,
  tx: Transaction,
  automation: JsonObject,
): AutomationRow {
  const id = randomUUID();
  const now = timestampOf(context.clock.now());
  tx.run(
    "INSERT INTO automation (id, created, updated, name, trigger, actions) VALUES (?,?,?,?,'{}','[]')",
    id,
    now,
    now,
    textIn(automation, "name") ?? "",
  );
  const row = writeFields(context, tx, id, automation);
  const owner = automation["owner_resource"];
  if (typeof owner === "string" && owner !== "") relate(tx, id, owner, true);
  announce(context, tx, row, "created");
  return row;
}

/** Sets the fields that are given. Throws a 404. */
export function updateAutomation(
  context: ServerContext,
  tx: Transaction,
  id: string,
  change: JsonObject,
): void {
  const known = getAutomation(tx, id);
  if (!("trigger" in change)) checkAutomation({ ...automationJson(known), enabled: true, ...change });
  forgetPast(context, tx, known, change);
  const row = writeFields(context, tx, id, change);
  announce(context, tx, row, "updated");
}

/**
 * Checks the job variables that actions give to the runs of their deployments against the pools
 * (prefect: validate_job_variables_for_run_deployment_action). Throws a 404 for an unknown deployment, a 422.
 */
export function checkActionVariables(
  context: ServerContext,
  reader: Reader,
  tools: SchemaTools,
  automation: JsonObject,
): void {
  const failures = actionsIn(automation["actions"] ?? null).flatMap((action) => {
    const { type, deployment_id: id, job_variables: variables } = action;
    if (type !== "run-deployment" || typeof id !== "string") return [];
    if (!isJsonObject(variables) || Object.keys(variables).length === 0) return [];
    if (findDeployment(reader, id) === undefined) throw new ApiError(404, "Deployment not found.");
    const pool = reader.get<{ id: string; updated: string }>(
      "SELECT p.id, p.updated FROM deployment d JOIN work_queue q ON q.id = d.work_queue_id JOIN work_pool p ON p.id = q.work_pool_id WHERE d.id = ?",
      id,
    );
    const failure =
      pool === undefined ? undefined : actionVariablesFailure(context, reader, tools, pool, variables);
    return failure === undefined ? [] : [failure];
  });
  if (failures.length > 0) throw new ApiError(422, `Error creating automation: ${failures.join(" ")}`);
}

/** Throws a 404. */
export function deleteAutomation(context: ServerContext, tx: Transaction, id: string): void {
  const row = getAutomation(tx, id);
  tx.run("DELETE FROM automation WHERE id = ?", id);
  announce(context, tx, row, "deleted");
}

/** Deletes what a resource owns, as a new deployment does before it makes its automations. Like Prefect it says nothing of it. */
export function deleteOwnedAutomations(context: ServerContext, tx: Transaction, resourceId: string): void {
  const gone = tx.run(
    "DELETE FROM automation WHERE id IN (SELECT automation_id FROM automation_owner WHERE resource_id = ? AND owner = 1)",
    resourceId,
  );
  if (gone > 0) context.automations.changed(tx);
}

/** Those that a resource owns, or whose actions run it. */
export function automationsRelatedTo(
  tx: Pick<Transaction, "all" | "get">,
  resourceId: string,
): AutomationRow[] {
  return selectAutomations(
    tx,
    "JOIN automation_owner o ON o.automation_id = automation.id WHERE o.resource_id = ? ORDER BY automation.rowid",
    resourceId,
  );
}

/** Throws a 404. */
export function getAutomation(reader: Pick<Transaction, "all" | "get">, id: string): AutomationRow {
  const row = findAutomation(reader, id);
  if (row === undefined) throw new ApiError(404, { exception_message: "Automation not found" });
  return row;
}

function writeFields(context: ServerContext, tx: Transaction, id: string, fields: JsonObject): AutomationRow {
  const columns = new Map<string, SqlValue>([["updated", timestampOf(context.clock.now())]]);
  for (const field of TEXT_FIELDS) {
    const text = textIn(fields, field);
    if (text !== undefined) columns.set(field, text);
  }
  for (const field of JSON_FIELDS) {
    const value = fields[field];
    if (value === undefined) continue;
    columns.set(field, stringifyJson(field === "trigger" && isJsonObject(value) ? withNewIds(value) : value));
  }
  if ("enabled" in fields) columns.set("enabled", fields["enabled"] === false ? 0 : 1);
  const assignments = [...columns.keys()].map((column) => `${column} = ?`).join(", ");
  tx.run(`UPDATE automation SET ${assignments} WHERE id = ?`, ...columns.values(), id);
  if (fields["actions"] !== undefined) relateToDeployments(tx, id, fields["actions"]);
  return getAutomation(tx, id);
}

/** A new trigger begins anew; one that is switched on again does not fire for what ran out while it was off. */
function forgetPast(context: ServerContext, tx: Transaction, known: AutomationRow, change: JsonObject): void {
  if ("trigger" in change) {
    tx.run("DELETE FROM automation_bucket WHERE automation_id = ?", known.id);
    tx.run("DELETE FROM automation_child_firing WHERE automation_id = ?", known.id);
  } else if (known.enabled === 0) {
    tx.run(
      'DELETE FROM automation_bucket WHERE automation_id = ? AND "end" <= ?',
      known.id,
      timestampOf(context.clock.now()),
    );
  }
}

function announce(
  context: ServerContext,
  tx: Transaction,
  row: AutomationRow,
  what: "created" | "updated" | "deleted",
): void {
  context.automations.changed(tx);
  emitEvent(context, tx, {
    event: `prefect.automation.${what}`,
    resource: { "prefect.resource.id": `prefect.automation.${row.id}`, "prefect.resource.name": row.name },
    payload: automationJson(row),
  });
}

/** Keeps the automation findable by the deployments that it runs. */
function relateToDeployments(tx: Transaction, id: string, actions: Json): void {
  tx.run(
    "DELETE FROM automation_owner WHERE automation_id = ? AND owner = 0 AND resource_id LIKE 'prefect.deployment.%'",
    id,
  );
  for (const action of actionsIn(actions)) {
    if (action["type"] !== "run-deployment" || action["source"] !== "selected") continue;
    relate(tx, id, `prefect.deployment.${textIn(action, "deployment_id") ?? ""}`, false);
  }
}

function actionsIn(json: Json): JsonObject[] {
  return (Array.isArray(json) ? (json as readonly Json[]) : []).filter((action) => isJsonObject(action));
}

function relate(tx: Transaction, id: string, resourceId: string, isOwner: boolean): void {
  tx.run(
    `INSERT INTO automation_owner (automation_id, resource_id, owner) VALUES (?,?,?)
     ON CONFLICT (automation_id, resource_id) DO UPDATE SET owner = max(owner, excluded.owner)`,
    id,
    resourceId,
    isOwner ? 1 : 0,
  );
}
