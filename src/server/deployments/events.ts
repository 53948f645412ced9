import { parseJson } from "../../json/parse.ts";
import { emitEvent } from "../events/event.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { Resource } from "../events/event.ts";
import type { Reader, Transaction } from "../store/database.ts";
import type { DeploymentRow } from "./row.ts";

interface AnnouncedRow extends DeploymentRow {
  readonly flow_name: string;
  readonly queue_name: string | null;
  readonly pool_id: string | null;
  readonly pool_name: string | null;
  readonly pool_type: string | null;
}

type Kind = "created" | "updated" | "deleted" | "ready" | "not-ready";

/** Emits `prefect.deployment.<kind>`, with the flow, queue, pool, blocks and limit of the deployment (prefect/server/models/events.py). */
export function announceDeployment(
  context: ServerContext,
  tx: Transaction,
  id: string,
  kind: Kind,
  payload: JsonObject = {},
): void {
  const row = findAnnounced(tx, id);
  if (row === undefined) return;
  emitEvent(context, tx, {
    event: `prefect.deployment.${kind}`,
    resource: { "prefect.resource.id": `prefect.deployment.${row.id}`, "prefect.resource.name": row.name },
    related: relatedOf(row),
    payload,
  });
}

const TEXT_FIELDS = [
  "description",
  "entrypoint",
  "path",
  "work_queue_id",
  "version",
  "concurrency_limit_id",
] as const;
const JSON_FIELDS = [
  "tags",
  "parameters",
  "parameter_openapi_schema",
  "pull_steps",
  "job_variables",
  "labels",
  "concurrency_options",
] as const;
const FLAG_FIELDS = ["enforce_parameter_schema", "paused"] as const;

/** Emits `prefect.deployment.updated` with what is other than it was, should anything be. */
export function announceChanges(context: ServerContext, tx: Transaction, before: DeploymentRow): void {
  const after = findAnnounced(tx, before.id);
  if (after === undefined) return;
  const updates: Record<string, Json> = {};
  const compare = (field: keyof DeploymentRow, shown: (row: DeploymentRow) => Json): void => {
    if (before[field] === after[field]) return;
    // Prefect's own name for them in its store.
    const name = field === "job_variables" ? "infra_overrides" : field;
    updates[name] = { from: shown(before), to: shown(after) };
  };
  for (const field of TEXT_FIELDS) compare(field, (row) => row[field]);
  for (const field of FLAG_FIELDS) compare(field, (row) => row[field] === 1);
  for (const field of JSON_FIELDS) compare(field, (row) => parseJson(row[field] ?? "null"));
  const fields = Object.keys(updates);
  if (fields.length === 0) return;
  announceDeployment(context, tx, before.id, "updated", { updated_fields: fields, updates });
}

function findAnnounced(reader: Reader, id: string): AnnouncedRow | undefined {
  return reader.get<AnnouncedRow>(
    `SELECT deployment.*, flow.name AS flow_name, q.name AS queue_name, p.id AS pool_id, p.name AS pool_name, p.type AS pool_type
     FROM deployment JOIN flow ON flow.id = deployment.flow_id LEFT JOIN work_queue q ON q.id = deployment.work_queue_id
       LEFT JOIN work_pool p ON p.id = q.work_pool_id
     WHERE deployment.id = ?`,
    id,
  );
}

function relatedOf(row: AnnouncedRow): Resource[] {
  const related: Resource[] = [resource("flow", "flow", row.flow_id, row.flow_name)];
  if (row.work_queue_id !== null && row.queue_name !== null)
    related.push(resource("work-queue", "work-queue", row.work_queue_id, row.queue_name));
  if (row.pool_id !== null && row.pool_name !== null) {
    related.push({
      ...resource("work-pool", "work-pool", row.pool_id, row.pool_name),
      "prefect.work-pool.type": row.pool_type ?? "",
    });
  }
  if (row.storage_document_id !== null)
    related.push(resource("block-document", "storage", row.storage_document_id));
  if (row.infrastructure_document_id !== null)
    related.push(resource("block-document", "infrastructure", row.infrastructure_document_id));
  if (row.concurrency_limit_id !== null)
    related.push(resource("concurrency-limit", "concurrency-limit", row.concurrency_limit_id));
  return related;
}

function resource(kind: string, role: string, id: string, name?: string): Resource {
  return {
    "prefect.resource.id": `prefect.${kind}.${id}`,
    ...(name === undefined ? {} : { "prefect.resource.name": name }),
    "prefect.resource.role": role,
  };
}
