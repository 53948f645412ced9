import { jsonText } from "../http/reply.ts";

import type { Reply } from "../http/reply.ts";
import type { Reader } from "../store/database.ts";

export interface WorkPoolRow {
  readonly id: string;
  readonly created: string;
  readonly updated: string;
  readonly name: string;
  readonly description: string | null;
  readonly type: string;
  readonly base_job_template: string;
  readonly is_paused: number;
  readonly concurrency_limit: number | null;
  readonly default_queue_id: string | null;
  readonly status: string;
  readonly storage_configuration: string;
}

export interface WorkQueueRow {
  readonly id: string;
  readonly created: string;
  readonly updated: string;
  readonly name: string;
  readonly description: string;
  readonly filter: string | null;
  readonly is_paused: number;
  readonly concurrency_limit: number | null;
  readonly priority: number;
  readonly last_polled: string | null;
  readonly status: string;
  readonly work_pool_id: string;
}

export interface WorkerRow {
  readonly id: string;
  readonly created: string;
  readonly updated: string;
  readonly name: string;
  readonly last_heartbeat_time: string | null;
  readonly heartbeat_interval_seconds: number | null;
  readonly status: string;
  readonly work_pool_id: string;
}

export function workPoolReply(reader: Reader, row: WorkPoolRow): Reply {
  return {
    id: row.id,
    created: row.created,
    updated: row.updated,
    name: row.name,
    description: row.description,
    type: row.type,
    base_job_template: jsonText(row.base_job_template),
    is_paused: row.is_paused === 1,
    concurrency_limit: row.concurrency_limit,
    // Counted only against a limit, as in Prefect.
    active_slots: row.concurrency_limit === null ? null : busyRunsOfPool(reader, row.id),
    status: row.type === "prefect-agent" ? null : row.is_paused === 1 ? "PAUSED" : row.status,
    default_queue_id: row.default_queue_id,
    storage_configuration: jsonText(row.storage_configuration),
  };
}

export function workQueueReply(reader: Reader, row: WorkQueueRow): Reply {
  const pool = reader.get<{ name: string }>("SELECT name FROM work_pool WHERE id = ?", row.work_pool_id);
  return {
    id: row.id,
    created: row.created,
    updated: row.updated,
    name: row.name,
    description: row.description,
    is_paused: row.is_paused === 1,
    concurrency_limit: row.concurrency_limit,
    priority: row.priority,
    work_pool_id: row.work_pool_id,
    filter: jsonText(row.filter),
    last_polled: row.last_polled,
    active_slots: row.concurrency_limit === null ? null : busyRuns(reader, "work_queue_id = ?", row.id),
    status: row.is_paused === 1 ? "PAUSED" : row.status,
    work_pool_name: pool?.name ?? null,
  };
}

export function workerReply(row: WorkerRow): Reply {
  return {
    id: row.id,
    created: row.created,
    updated: row.updated,
    name: row.name,
    work_pool_id: row.work_pool_id,
    last_heartbeat_time: row.last_heartbeat_time,
    heartbeat_interval_seconds: row.heartbeat_interval_seconds,
    status: row.status,
  };
}

/** Runs that hold a slot, PENDING or RUNNING; the condition is spelled as that of the partial index. */
export function busyRuns(reader: Reader, where: string, id: string): number {
  const row = reader.get<{ n: number }>(
    `SELECT count(*) AS n FROM flow_run WHERE state_type IN ('PENDING', 'RUNNING') AND ${where}`,
    id,
  );
  return row?.n ?? 0;
}

/** As {@link busyRuns}, of all queues of a pool. */
export function busyRunsOfPool(reader: Reader, poolId: string): number {
  return busyRuns(reader, "work_queue_id IN (SELECT id FROM work_queue WHERE work_pool_id = ?)", poolId);
}
