import { jsonText } from "../http/reply.ts";
import { epochMsOf } from "../store/timestamp.ts";
import { STATE_COLUMNS, isTerminal, joinedStateReply } from "./state.ts";

import type { Reply } from "../http/reply.ts";
import type { Reader, SqlValue } from "../store/database.ts";
import type { JoinedState, StateRow, StateType } from "./state.ts";

/** A row of flow_run; JSON columns are texts. */
export interface FlowRunRow {
  readonly id: string;
  readonly created: string;
  readonly updated: string;
  readonly name: string;
  readonly flow_id: string;
  readonly deployment_id: string | null;
  readonly deployment_version: string | null;
  readonly work_queue_id: string | null;
  readonly work_queue_name: string | null;
  readonly flow_version: string | null;
  readonly idempotency_key: string | null;
  readonly parameters: string;
  readonly context: string;
  readonly empirical_policy: string;
  readonly tags: string;
  readonly labels: string;
  readonly job_variables: string | null;
  readonly parent_task_run_id: string | null;
  readonly auto_scheduled: number;
  readonly infrastructure_document_id: string | null;
  readonly infrastructure_pid: string | null;
  readonly created_by: string | null;
  readonly state_id: string | null;
  readonly state_type: StateType | null;
  readonly state_name: string | null;
  readonly state_timestamp: string | null;
  readonly run_count: number;
  readonly expected_start_time: string | null;
  readonly next_scheduled_start_time: string | null;
  readonly start_time: string | null;
  readonly end_time: string | null;
  readonly total_run_time: number;
}

/** A run with what its answer needs from other tables. */
interface JoinedRow extends FlowRunRow, JoinedState {
  readonly work_pool_id: string | null;
  readonly work_pool_name: string | null;
}

const SELECT = `SELECT flow_run.*, work_pool.id AS work_pool_id, work_pool.name AS work_pool_name,
  ${STATE_COLUMNS}
FROM flow_run LEFT JOIN flow_run_state s ON s.id = flow_run.state_id
LEFT JOIN work_queue ON work_queue.id = flow_run.work_queue_id LEFT JOIN work_pool ON work_pool.id = work_queue.work_pool_id`;

/** The answers for the runs that a clause chooses: `WHERE …` with ORDER BY and LIMIT. */
export function selectFlowRuns(
  reader: Reader,
  clause: string,
  values: readonly SqlValue[],
  nowMs: number,
): Reply[] {
  return reader.all<JoinedRow>(`${SELECT} ${clause}`, ...values).map((row) => replyOf(row, nowMs));
}

/** As {@link selectFlowRuns}, as workers get them when they poll: without the state and the pool. */
export function selectPolledRuns(
  reader: Reader,
  clause: string,
  values: readonly SqlValue[],
  nowMs: number,
): Reply[] {
  return reader
    .all<FlowRunRow>(`SELECT flow_run.* FROM flow_run ${clause}`, ...values)
    .map((row) => ({ ...runReply(row, nowMs), state: null }));
}

/** The answer for one run; undefined when there is none. */
export function flowRunReply(reader: Reader, id: string, nowMs: number): Reply | undefined {
  return selectFlowRuns(reader, "WHERE flow_run.id = ?", [id], nowMs)[0];
}

export function findFlowRun(reader: Reader, id: string): FlowRunRow | undefined {
  return reader.get<FlowRunRow>("SELECT * FROM flow_run WHERE id = ?", id);
}

export function findState(reader: Reader, id: string | null): StateRow | undefined {
  return id === null ? undefined : reader.get<StateRow>("SELECT * FROM flow_run_state WHERE id = ?", id);
}

function replyOf(row: JoinedRow, nowMs: number): Reply {
  return {
    ...runReply(row, nowMs),
    work_pool_id: row.work_pool_id,
    work_pool_name: row.work_pool_name,
    state: joinedStateReply(row),
  };
}

function runReply(row: FlowRunRow, nowMs: number): { readonly [key: string]: Reply } {
  return {
    id: row.id,
    created: row.created,
    updated: row.updated,
    name: row.name,
    flow_id: row.flow_id,
    state_id: row.state_id,
    deployment_id: row.deployment_id,
    deployment_version: row.deployment_version,
    work_queue_id: row.work_queue_id,
    work_queue_name: row.work_queue_name,
    flow_version: row.flow_version,
    parameters: jsonText(row.parameters),
    idempotency_key: row.idempotency_key,
    context: jsonText(row.context),
    empirical_policy: jsonText(row.empirical_policy),
    tags: jsonText(row.tags),
    labels: jsonText(row.labels),
    parent_task_run_id: row.parent_task_run_id,
    state_type: row.state_type,
    state_name: row.state_name,
    run_count: row.run_count,
    expected_start_time: row.expected_start_time,
    next_scheduled_start_time: row.next_scheduled_start_time,
    start_time: row.start_time,
    end_time: row.end_time,
    total_run_time: row.total_run_time,
    estimated_run_time: estimatedRunTime(row, nowMs),
    estimated_start_time_delta: estimatedDelay(row, nowMs),
    auto_scheduled: row.auto_scheduled === 1,
    infrastructure_document_id: row.infrastructure_document_id,
    infrastructure_pid: row.infrastructure_pid,
    created_by: jsonText(row.created_by),
    job_variables: jsonText(row.job_variables),
  };
}

/** Seconds, with those of the present RUNNING state. */
function estimatedRunTime(row: FlowRunRow, nowMs: number): number {
  if (row.state_type !== "RUNNING" || row.state_timestamp === null) return row.total_run_time;
  return row.total_run_time + (nowMs - epochMsOf(row.state_timestamp)) / 1000;
}

/** Seconds by which the run started, or is by now, later than expected. */
function estimatedDelay(row: FlowRunRow, nowMs: number): number {
  if (row.expected_start_time === null) return 0;
  const expectedMs = epochMsOf(row.expected_start_time);
  if (row.start_time !== null && epochMsOf(row.start_time) > expectedMs) {
    return (epochMsOf(row.start_time) - expectedMs) / 1000;
  }
  return row.start_time === null && !isTerminal(row.state_type) && nowMs > expectedMs
    ? (nowMs - expectedMs) / 1000
    : 0;
}
