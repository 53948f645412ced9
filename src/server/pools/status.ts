import { v7 as uuidv7 } from "uuid";

import { emitEvent } from "../events/event.ts";
import { addSeconds, timestampOf } from "../store/timestamp.ts";

import type { Resource } from "../events/event.ts";
import type { ServerContext } from "../context.ts";
import type { Transaction } from "../store/database.ts";
import type { WorkPoolRow, WorkQueueRow } from "./row.ts";

type Pool = Pick<WorkPoolRow, "id" | "name" | "type">;
type Status = "ready" | "not-ready" | "paused";

/** An event of a pool names the one before it when that is so recent. */
const FOLLOWS_SECONDS = 600;

/** Emits `prefect.work-queue.ready`, `.not-ready` or `.paused`. */
export function announceQueue(
  context: ServerContext,
  tx: Transaction,
  pool: Pool,
  queue: Pick<WorkQueueRow, "id" | "name">,
  status: Status,
): void {
  emitEvent(context, tx, {
    event: `prefect.work-queue.${status}`,
    resource: {
      "prefect.resource.id": `prefect.work-queue.${queue.id}`,
      "prefect.resource.name": queue.name,
      "prefect.resource.role": "work-queue",
    },
    related: [{ ...poolResource(pool), "prefect.resource.role": "work-pool" }],
  });
}

/** Sets a pool's status and says so. */
export function setPoolStatus(
  context: ServerContext,
  tx: Transaction,
  pool: Pool,
  status: "READY" | "NOT_READY",
): void {
  tx.run("UPDATE work_pool SET status = ? WHERE id = ?", status, pool.id);
  announcePool(context, tx, pool, status === "READY" ? "ready" : "not-ready");
}

/** Emits `prefect.work-pool.ready`, `.not-ready` or `.paused`. */
export function announcePool(context: ServerContext, tx: Transaction, pool: Pool, status: Status): void {
  const now = timestampOf(context.clock.now());
  const last = tx.get<{ id: string | null }>(
    "SELECT last_status_event_id AS id FROM work_pool WHERE id = ? AND last_transitioned_status_at > ?",
    pool.id,
    addSeconds(now, -FOLLOWS_SECONDS),
  );
  const id = uuidv7();
  tx.run(
    "UPDATE work_pool SET last_transitioned_status_at = ?, last_status_event_id = ? WHERE id = ?",
    now,
    id,
    pool.id,
  );
  emitEvent(context, tx, {
    id,
    event: `prefect.work-pool.${status}`,
    resource: poolResource(pool),
    follows: last?.id ?? null,
  });
}

function poolResource({ id, name, type }: Pool): Resource {
  return {
    "prefect.resource.id": `prefect.work-pool.${id}`,
    "prefect.resource.name": name,
    "prefect.work-pool.type": type,
  };
}
