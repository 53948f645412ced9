import { jsonText } from "../http/reply.ts";
import { STATE_COLUMNS, joinedStateReply } from "../runs/state.ts";

import type { Reply } from "../http/reply.ts";
import type { JoinedState, StateType } from "../runs/state.ts";
import type { Reader, SqlValue } from "../store/database.ts";

/** A row of task_run; JSON columns are texts. */
export interface TaskRunRow {
  readonly id: string;
  readonly created: string;
  readonly updated: string;
  readonly name: string;
  readonly flow_run_id: string | null;
  readonly task_key: string;
  readonly dynamic_key: string;
  readonly cache_key: string | null;
  readonly cache_expiration: string | null;
  readonly task_version: string | null;
  readonly empirical_policy: string;
  readonly tags: string;
  readonly labels: string;
  readonly task_inputs: string;
  readonly state_id: string | null;
  readonly state_type: StateType | null;
  readonly state_name: string | null;
  readonly state_timestamp: string | null;
  readonly run_count: number;
  readonly flow_run_run_count: number;
  readonly expected_start_time: string | null;
  readonly next_scheduled_start_time: string | null;
  readonly start_time: string | null;
  readonly end_time: string | null;
  readonly total_run_time: number;
}

interface JoinedRow extends TaskRunRow, JoinedState {}

const SELECT = `SELECT task_run.*, ${STATE_COLUMNS} FROM task_run LEFT JOIN task_run_state s ON s.id = task_run.state_id`;

/** The answers for the task runs that a clause chooses: `WHERE …` with ORDER BY and LIMIT. */
export function selectTaskRuns(reader: Reader, clause: string, values: readonly SqlValue[]): Reply[] {
  return reader.all<JoinedRow>(`${SELECT} ${clause}`, ...values).map((row) => replyOf(row));
}

/** Of the pages of task runs Prefect leaves these fields out. */
const NOT_IN_PAGES = [
  "dynamic_key",
  "cache_key",
  "cache_expiration",
  "labels",
  "state_type",
  "state_name",
  "run_count",
  "flow_run_run_count",
  "expected_start_time",
  "next_scheduled_start_time",
] as const;

/** As {@link selectTaskRuns}, in the form of `/task_runs/paginate`. */
export function pageOfTaskRuns(reader: Reader, clause: string, values: readonly SqlValue[]): Reply[] {
  const left: ReadonlySet<string> = new Set(NOT_IN_PAGES);
  return reader
    .all<JoinedRow>(`${SELECT} ${clause}`, ...values)
    .map((row) => Object.fromEntries(Object.entries(replyOf(row)).filter(([key]) => !left.has(key))));
}

function replyOf(row: JoinedRow): { readonly [key: string]: Reply } {
  return {
    id: row.id,
    created: row.created,
    updated: row.updated,
    name: row.name,
    flow_run_id: row.flow_run_id,
    task_key: row.task_key,
    dynamic_key: row.dynamic_key,
    cache_key: row.cache_key,
    cache_expiration: row.cache_expiration,
    task_version: row.task_version,
    empirical_policy: jsonText(row.empirical_policy),
    tags: jsonText(row.tags),
    labels: jsonText(row.labels),
    state_id: row.state_id,
    task_inputs: jsonText(row.task_inputs),
    state_type: row.state_type,
    state_name: row.state_name,
    run_count: row.run_count,
    flow_run_run_count: row.flow_run_run_count,
    expected_start_time: row.expected_start_time,
    next_scheduled_start_time: row.next_scheduled_start_time,
    start_time: row.start_time,
    end_time: row.end_time,
    total_run_time: row.total_run_time,
    estimated_run_time: row.total_run_time,
    estimated_start_time_delta: 0,
    state: joinedStateReply(row),
  };
}
