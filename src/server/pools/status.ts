import { emitEvent } from "../events/event.ts";
import { timestampOf } from "../store/timestamp.ts";

import type { ServerContext } from "../context.ts";
import type { Transaction } from "../store/database.ts";
import type { WorkPoolRow, WorkQueueRow } from "./row.ts";

/** Emits `prefect.work-queue.ready` or `.not-ready`. */
export function announceQueue(
  context: ServerContext,
  tx: Transaction,
  pool: Pick<WorkPoolRow, "id" | "name" | "type">,
  queue: Pick<WorkQueueRow, "id" | "name">,
  status: "ready" | "not-ready",
): void {
  emitEvent(context, tx, {
    event: `prefect.work-queue.${status}`,
    resource: {
      "prefect.resource.id": `prefect.work-queue.${queue.id}`,
      "prefect.resource.name": queue.name,
      "prefect.resource.role": "work-queue",
    },
    related: [
      {
        "prefect.resource.id": `prefect.work-pool.${pool.id}`,
        "prefect.resource.name": pool.name,
        "prefect.work-pool.type": pool.type,
        "prefect.resource.role": "work-pool",
      },
    ],
  });
}

/** Sets a pool's status and emits `prefect.work-pool.ready` or `.not-ready`. */
export function setPoolStatus(
  context: ServerContext,
  tx: Transaction,
  pool: Pick<WorkPoolRow, "id" | "name" | "type">,
  status: "READY" | "NOT_READY",
): void {
  const now = timestampOf(context.clock.now());
  tx.run(
    "UPDATE work_pool SET status = ?, last_transitioned_status_at = ? WHERE id = ?",
    status,
    now,
    pool.id,
  );
  emitEvent(context, tx, {
    event: `prefect.work-pool.${status === "READY" ? "ready" : "not-ready"}`,
    resource: {
      "prefect.resource.id": `prefect.work-pool.${pool.id}`,
      "prefect.resource.name": pool.name,
      "prefect.work-pool.type": pool.type,
    },
  });
}
