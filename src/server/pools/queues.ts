import { randomUUID } from "node:crypto";

import { ApiError, notFound } from "../http/errors.ts";
import { timestampOf } from "../store/timestamp.ts";

import type { ServerContext } from "../context.ts";
import type { Reader, Transaction } from "../store/database.ts";
import type { WorkPoolRow, WorkQueueRow } from "./row.ts";

export const DEFAULT_QUEUE = "default";

/** Throws a 404. */
export function getPool(reader: Reader, name: string): WorkPoolRow {
  const pool = reader.get<WorkPoolRow>("SELECT * FROM work_pool WHERE name = ?", name);
  if (pool === undefined) throw new ApiError(404, `Work pool "${name}" not found.`);
  return pool;
}

function findQueue(reader: Reader, poolId: string, name: string): WorkQueueRow | undefined {
  return reader.get<WorkQueueRow>(
    "SELECT * FROM work_queue WHERE work_pool_id = ? AND name = ?",
    poolId,
    name,
  );
}

/** Throws a 404 for an unknown pool or queue. */
export function getQueue(reader: Reader, poolName: string, name: string): WorkQueueRow {
  const queue = findQueue(reader, getPool(reader, poolName).id, name);
  if (queue === undefined) throw unknownQueue(poolName, name);
  return queue;
}

/** 404 for a name that no queue of a pool has. */
export function unknownQueue(poolName: string, name: string): ApiError {
  return new ApiError(404, `Work pool queue '${poolName}/${name}' not found.`);
}

/** The pool's queue of that name (default: the default queue); makes a missing one. Throws a 404 for an unknown pool. */
export function ensureQueue(
  context: ServerContext,
  tx: Transaction,
  poolName: string,
  name: string | null,
): WorkQueueRow {
  const pool = getPool(tx, poolName);
  if (name === null || name === "") {
    const queue = tx.get<WorkQueueRow>("SELECT * FROM work_queue WHERE id = ?", pool.default_queue_id);
    if (queue === undefined) throw notFound("Work queue");
    return queue;
  }
  return findQueue(tx, pool.id, name) ?? insertQueue(context, tx, pool.id, { name });
}

export interface NewQueue {
  readonly name: string;
  readonly description?: string;
  readonly isPaused?: boolean;
  readonly concurrencyLimit?: number | null;
  readonly priority?: number | null;
}

/** Makes a queue; with a priority that is taken, the others move down by one. */
export function insertQueue(
  context: ServerContext,
  tx: Transaction,
  poolId: string,
  queue: NewQueue,
): WorkQueueRow {
  const id = randomUUID();
  const now = timestampOf(context.clock.now());
  const priority = queue.priority ?? firstFreePriority(tx, poolId);
  makeRoom(tx, poolId, priority);
  tx.run(
    `INSERT INTO work_queue (id, created, updated, name, description, is_paused, concurrency_limit, priority, work_pool_id) VALUES (?,?,?,?,?,?,?,?,?)`,
    id,
    now,
    now,
    queue.name,
    queue.description ?? "",
    queue.isPaused === true ? 1 : 0,
    queue.concurrencyLimit ?? null,
    priority,
    poolId,
  );
  const row = tx.get<WorkQueueRow>("SELECT * FROM work_queue WHERE id = ?", id);
  if (row === undefined) throw notFound("Work queue");
  return row;
}

function firstFreePriority(reader: Reader, poolId: string): number {
  const taken = reader
    .all<{ priority: number }>(
      "SELECT priority FROM work_queue WHERE work_pool_id = ? ORDER BY priority",
      poolId,
    )
    .map(({ priority }) => priority);
  const gap = taken.findIndex((priority, index) => priority !== index + 1);
  return (gap === -1 ? taken.length : gap) + 1;
}

/** Moves the queues from this priority on down by one when it is taken; no two queues of a pool share one. */
export function makeRoom(tx: Transaction, poolId: string, priority: number, exceptId = ""): void {
  let wanted = priority;
  for (;;) {
    const holder = tx.get<{ id: string }>(
      "SELECT id FROM work_queue WHERE work_pool_id = ? AND priority = ? AND id <> ? LIMIT 1",
      poolId,
      wanted,
      exceptId,
    );
    if (holder === undefined) break;
    wanted += 1;
  }
  tx.run(
    "UPDATE work_queue SET priority = priority + 1 WHERE work_pool_id = ? AND priority >= ? AND priority < ? AND id <> ?",
    poolId,
    priority,
    wanted,
    exceptId,
  );
}
