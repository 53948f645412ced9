import { epochMsOf, timestampOf } from "../store/timestamp.ts";

import type { Condition } from "../filters/conditions.ts";
import type { Reply } from "../http/reply.ts";
import type { Reader } from "../store/database.ts";

type RunTable = "flow_run" | "task_run";

interface BucketRow {
  readonly bucket: number;
  readonly state_type: string | null;
  readonly state_name: string | null;
  readonly count_runs: number;
  readonly sum_estimated_run_time: number;
  readonly sum_estimated_lateness: number;
}

const MAX_INTERVALS = 500;
const TERMINAL = "('COMPLETED', 'FAILED', 'CANCELLED', 'CRASHED')";

/** SQL: seconds since the epoch of a column. */
function seconds(column: string): string {
  return `unixepoch(${column}, 'subsec')`;
}

/** SQL: by how many seconds a run began, or is by now, later than expected; `?` stands for now. */
function lateness(table: RunTable): string {
  const [start, expected] = [`${table}.start_time`, `${table}.expected_start_time`];
  return `CASE WHEN ${start} > ${expected} THEN ${seconds(start)} - ${seconds(expected)}
    WHEN ${start} IS NULL AND ${table}.state_type NOT IN ${TERMINAL} AND ${seconds(expected)} < ? THEN ? - ${seconds(expected)} ELSE 0 END`;
}

/**
 * How many runs were expected in each interval of a time, by their state, with the sums of their seconds of running and of
 * lateness (prefect/server/api/run_history.py). At most 500 intervals from `start`.
 */
export function runHistory(
  reader: Reader,
  table: RunTable,
  filter: Condition,
  span: { readonly start: string; readonly end: string; readonly intervalSeconds: number },
  nowMs: number,
): Reply[] {
  const [startMs, intervalMs] = [epochMsOf(span.start), span.intervalSeconds * 1000];
  const count = Math.min(MAX_INTERVALS, Math.ceil((epochMsOf(span.end) - startMs) / intervalMs));
  if (count <= 0) return [];
  const now = nowMs / 1000;
  const rows = reader.all<BucketRow>(
    `SELECT CAST((${seconds(`${table}.expected_start_time`)} - ?) / ? AS INTEGER) AS bucket, ${table}.state_type, ${table}.state_name,
       count(*) AS count_runs,
       sum(${table}.total_run_time + CASE WHEN ${table}.state_type = 'RUNNING' THEN max(0, ? - ${seconds(`${table}.state_timestamp`)}) ELSE 0 END)
         AS sum_estimated_run_time,
       sum(${lateness(table)}) AS sum_estimated_lateness
     FROM ${table} WHERE ${table}.expected_start_time >= ? AND ${table}.expected_start_time < ? AND (${filter.sql})
     GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`,
    startMs / 1000,
    span.intervalSeconds,
    now,
    now,
    now,
    span.start,
    timestampOf(startMs + count * intervalMs),
    ...filter.values,
  );
  return Array.from({ length: count }, (_, index) => ({
    interval_start: timestampOf(startMs + index * intervalMs),
    interval_end: timestampOf(startMs + (index + 1) * intervalMs),
    states: rows.filter(({ bucket }) => bucket === index).map(({ bucket: _bucket, ...state }) => state),
  }));
}

/** By how many seconds the flow runs are late on average; null without any. */
export function averageLateness(reader: Reader, filter: Condition, nowMs: number): number | null {
  const now = Math.floor(nowMs / 1000);
  const row = reader.get<{ average: number | null }>(
    `SELECT avg(${lateness("flow_run")}) AS average FROM flow_run WHERE ${filter.sql}`,
    now,
    now,
    ...filter.values,
  );
  return row?.average ?? null;
}
