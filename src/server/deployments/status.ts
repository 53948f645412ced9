import { emitEvent } from "../events/event.ts";

import type { ServerContext } from "../context.ts";
import type { Resource } from "../events/event.ts";
import type { SqlValue, Transaction } from "../store/database.ts";
import type { DeploymentRow } from "./row.ts";

interface StatusRow extends DeploymentRow {
  readonly flow_name: string;
  readonly queue_name: string | null;
  readonly pool_id: string | null;
  readonly pool_name: string | null;
  readonly pool_type: string | null;
}

/** Gives a status to those of some deployments that have another one, and emits `prefect.deployment.ready` or `.not-ready` for each. */
export function setDeploymentStatus(
  context: ServerContext,
  tx: Transaction,
  status: "READY" | "NOT_READY",
  where: string,
  ...values: readonly SqlValue[]
): void {
  const changing = tx.all<StatusRow>(
    `SELECT deployment.*, flow.name AS flow_name, q.name AS queue_name, p.id AS pool_id, p.name AS pool_name, p.type AS pool_type
     FROM deployment JOIN flow ON flow.id = deployment.flow_id LEFT JOIN work_queue q ON q.id = deployment.work_queue_id
       LEFT JOIN work_pool p ON p.id = q.work_pool_id
     WHERE deployment.status <> ? AND deployment.${where}`,
    status,
    ...values,
  );
  for (const row of changing) {
    tx.run("UPDATE deployment SET status = ? WHERE id = ?", status, row.id);
    emitEvent(context, tx, {
      event: `prefect.deployment.${status === "READY" ? "ready" : "not-ready"}`,
      resource: {
        "prefect.resource.id": `prefect.deployment.${row.id}`,
        "prefect.resource.name": row.name,
      },
      related: relatedOf(row),
    });
  }
}

function relatedOf(row: StatusRow): Resource[] {
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
