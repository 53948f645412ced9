import { stringifyJson } from "../../json/stringify.ts";
import { isJsonObject } from "../../json/value.ts";
import { integerOf, textOf } from "../http/body.ts";
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
  if (isJsonObject(change["base_job_template"])) checkTemplateShape(change["base_job_template"]);
  tx.run(
    "UPDATE work_pool SET updated = ?, description = ?, is_paused = ?, base_job_template = ?, concurrency_limit = ?, storage_configuration = ? WHERE id = ?",
    timestampOf(context.clock.now()),
    "description" in change ? (textOf(change, "description") ?? null) : pool.description,
    typeof change["is_paused"] === "boolean" ? Number(change["is_paused"]) : pool.is_paused,
    isJsonObject(change["base_job_template"])
      ? stringifyJson(change["base_job_template"])
      : pool.base_job_template,
    "concurrency_limit" in change ? (integerOf(change, "concurrency_limit") ?? null) : pool.concurrency_limit,
    isJsonObject(change["storage_configuration"])
      ? stringifyJson(change["storage_configuration"])
      : pool.storage_configuration,
    pool.id,
  );
  const paused = change["is_paused"];
  if (typeof paused !== "boolean" || paused === (pool.is_paused === 1)) return;
  announcePool(context, tx, pool, paused ? "paused" : pool.status === "READY" ? "ready" : "not-ready");
}

/** Sets the fields of a queue that are given; the others stay. Says so when it is paused or goes on. */
export function changeQueue(
  context: ServerContext,
  tx: Transaction,
  queue: WorkQueueRow,
  change: JsonObject,
): void {
  const priority = integerOf(change, "priority") ?? queue.priority;
  if (priority !== queue.priority) makeRoom(tx, queue.work_pool_id, priority, queue.id);
  tx.run(
    "UPDATE work_queue SET updated = ?, name = ?, description = ?, is_paused = ?, concurrency_limit = ?, priority = ? WHERE id = ?",
    timestampOf(context.clock.now()),
    textOf(change, "name") ?? queue.name,
    textOf(change, "description") ?? queue.description,
    typeof change["is_paused"] === "boolean" ? Number(change["is_paused"]) : queue.is_paused,
    "concurrency_limit" in change
      ? (integerOf(change, "concurrency_limit") ?? null)
      : queue.concurrency_limit,
    priority,
    queue.id,
  );
  const paused = change["is_paused"];
  if (typeof paused !== "boolean" || paused === (queue.is_paused === 1)) return;
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
