import { randomUUID } from "node:crypto";

import { stringifyJson } from "../../json/stringify.ts";
import { PROCESS_BASE_JOB_TEMPLATE } from "../../templating/default-job-template.ts";
import { ApiError } from "../http/errors.ts";
import { timestampOf } from "../store/timestamp.ts";
import { DEFAULT_QUEUE, getPool, insertQueue } from "./queues.ts";
import { announcePool } from "./status.ts";

import type { JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { Transaction } from "../store/database.ts";
import type { WorkPoolRow } from "./row.ts";

export interface NewPool {
  readonly name: string;
  readonly type: string;
  readonly description?: string | null;
  readonly template?: JsonObject;
  readonly isPaused?: boolean;
  readonly concurrencyLimit?: number | null;
  readonly storage?: JsonObject;
}

/** The type of pools that agents served before there were workers. */
export const AGENT_TYPE = "prefect-agent";
const AGENT_POOL = "default-agent-pool";

const NO_STORAGE: JsonObject = {
  bundle_upload_step: null,
  bundle_execution_step: null,
  default_result_storage_block_id: null,
};

/** Makes a pool with its default queue. Throws a 409 for a name that is taken. */
export function createPool(context: ServerContext, tx: Transaction, pool: NewPool): WorkPoolRow {
  if (tx.get("SELECT 1 FROM work_pool WHERE name = ?", pool.name) !== undefined)
    throw new ApiError(409, "A work pool with this name already exists.");
  const id = randomUUID();
  const now = timestampOf(context.clock.now());
  const template = pool.template ?? {};
  tx.run(
    `INSERT INTO work_pool (id, created, updated, name, description, type, base_job_template, is_paused, concurrency_limit, storage_configuration)
     VALUES (?,?,?,?,?,?,?,?,?,?)`,
    id,
    now,
    now,
    pool.name,
    pool.description ?? null,
    pool.type,
    stringifyJson(
      Object.keys(template).length === 0 && pool.type === "process" ? PROCESS_BASE_JOB_TEMPLATE : template,
    ),
    pool.isPaused === true ? 1 : 0,
    pool.concurrencyLimit ?? null,
    stringifyJson({ ...NO_STORAGE, ...pool.storage }),
  );
  const queue = insertQueue(context, tx, id, {
    name: DEFAULT_QUEUE,
    description: "The work pool's default queue.",
  });
  tx.run("UPDATE work_pool SET default_queue_id = ? WHERE id = ?", queue.id, id);
  const made = getPool(tx, pool.name);
  // Agents' pools have no status.
  if (made.type !== AGENT_TYPE)
    announcePool(context, tx, made, made.is_paused === 1 ? "paused" : "not-ready");
  return made;
}

/** The pool to which queues without a pool belong; made when it is first needed (prefect: DEFAULT_AGENT_WORK_POOL_NAME). */
export function ensureAgentPool(context: ServerContext, tx: Transaction): WorkPoolRow {
  return (
    tx.get<WorkPoolRow>("SELECT * FROM work_pool WHERE name = ?", AGENT_POOL) ??
    createPool(context, tx, { name: AGENT_POOL, type: AGENT_TYPE })
  );
}

/** The pool's row; undefined while nothing has needed it. */
export function findAgentPool(tx: Pick<Transaction, "get">): WorkPoolRow | undefined {
  return tx.get<WorkPoolRow>("SELECT * FROM work_pool WHERE name = ?", AGENT_POOL);
}
