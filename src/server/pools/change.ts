import { stringifyJson } from "../../json/stringify.ts";
import { booleanOf, integerOf, objectOf, textOf } from "../http/body.ts";
import { timestampOf } from "../store/timestamp.ts";
import { checkTemplateShape } from "./job-variables.ts";
import { makeRoom } from "./queues.ts";
import { announcePool, announceQueue } from "./status.ts";

import type { JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { Transaction } from "../store/database.ts";
import type { WorkPoolRow, WorkQueueRow } from "./row.ts";

/** Sets the fields of a pool that are given; the others stay. Says so when it is paused or goes on. */
export function changePool(
  context: ServerContext,
  tx: Transaction,
  pool: WorkPoolRow,
  change: JsonObject,
): void {
  const template = objectOf(change, "base_job_template");
  if (template !== undefined) checkTemplateShape(template);
  const limit = integerOf(change, "concurrency_limit", { min: 0 }) ?? null;
  const paused = booleanOf(change, "is_paused");
  const storage = objectOf(change, "storage_configuration");
  tx.run(
    "UPDATE work_pool SET updated = ?, description = ?, is_paused = ?, base_job_template = ?, concurrency_limit = ?, storage_configuration = ? WHERE id = ?",
    timestampOf(context.clock.now()),
    "description" in change ? (textOf(change, "description") ?? null) : pool.description,
    paused === undefined ? pool.is_paused : Number(paused),
    template === undefined ? pool.base_job_template : stringifyJson(template),
    "concurrency_limit" in change ? limit : pool.concurrency_limit,
    storage === undefined ? pool.storage_configuration : stringifyJson(storage),
    pool.id,
  );
  if (paused === undefined || paused === (pool.is_paused === 1)) return;
  announcePool(context, tx, pool, paused ? "paused" : pool.status === "READY" ? "ready" : "not-ready");
}

/** Sets the fields of a queue that are given; the others stay. Says so when it is paused or goes on. */
export function changeQueue(
  context: ServerContext,
  tx: Transaction,
  queue: WorkQueueRow,
  change: JsonObject,
): void {
  const priority = integerOf(change, "priority", { min: 1 }) ?? queue.priority;
  const limit = integerOf(change, "concurrency_limit", { min: 0 }) ?? null;
  const paused = booleanOf(change, "is_paused");
  if (priority !== queue.priority) makeRoom(tx, queue.work_pool_id, priority, queue.id);
  tx.run(
    "UPDATE work_queue SET updated = ?, name = ?, description = ?, is_paused = ?, concurrency_limit = ?, priority = ? WHERE id = ?",
    timestampOf(context.clock.now()),
    textOf(change, "name") ?? queue.name,
    textOf(change, "description") ?? queue.description,
    paused === undefined ? queue.is_paused : Number(paused),
    "concurrency_limit" in change ? limit : queue.concurrency_limit,
    priority,
    queue.id,
  );
  if (paused === undefined || paused === (queue.is_paused === 1)) return;
  const pool = tx.get<WorkPoolRow>("SELECT * FROM work_pool WHERE id = ?", queue.work_pool_id);
  if (pool === undefined) return;
  announceQueue(
    context,
    tx,
    pool,
    queue,
    paused ? "paused" : queue.status === "READY" ? "ready" : "not-ready",
  );
}
