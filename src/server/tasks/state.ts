import { epochMsOf, timestampOf } from "../store/timestamp.ts";
import { isTerminal, storedData } from "../runs/state.ts";
import { objectColumn } from "../store/json-column.ts";

import type { ServerContext } from "../context.ts";
import type { Transaction } from "../store/database.ts";
import type { StateRow } from "../runs/state.ts";
import type { TaskRunRow } from "./row.ts";

/** Writes a state of a task run and what follows from it; nothing when there is no such task run. */
export function writeTaskRunState(
  context: ServerContext,
  tx: Transaction,
  taskRunId: string,
  state: StateRow,
): void {
  const run = tx.get<TaskRunRow>("SELECT * FROM task_run WHERE id = ?", taskRunId);
  if (run === undefined) return;
  const now = timestampOf(context.clock.now());
  tx.run(
    "INSERT OR IGNORE INTO task_run_state (id, created, task_run_id, type, name, timestamp, message, state_details, data) VALUES (?,?,?,?,?,?,?,?,?)",
    state.id,
    now,
    taskRunId,
    state.type,
    state.name,
    state.timestamp,
    state.message,
    state.state_details,
    storedData(state),
  );
  // An event that comes late is history, not news.
  if (run.state_timestamp !== null && run.state_timestamp > state.timestamp) return;
  const isEnd = isTerminal(state.type);
  const isRunning = state.type === "RUNNING";
  const ranSeconds =
    run.state_type === "RUNNING" && run.state_timestamp !== null
      ? (epochMsOf(state.timestamp) - epochMsOf(run.state_timestamp)) / 1000
      : 0;
  const scheduled =
    state.type === "SCHEDULED" ? (objectColumn(state.state_details)["scheduled_time"] ?? null) : null;
  const due = typeof scheduled === "string" ? scheduled : null;
  tx.run(
    `UPDATE task_run SET updated = ?, state_id = ?, state_type = ?, state_name = ?, state_timestamp = ?, run_count = ?, expected_start_time = ?,
       next_scheduled_start_time = ?, start_time = ?, end_time = ?, total_run_time = ? WHERE id = ?`,
    now,
    state.id,
    state.type,
    state.name,
    state.timestamp,
    run.run_count + (isRunning ? 1 : 0),
    run.expected_start_time ?? due ?? state.timestamp,
    due,
    run.start_time ?? (isRunning || isEnd ? state.timestamp : null),
    isEnd ? (run.end_time ?? state.timestamp) : null,
    run.total_run_time + Math.max(0, ranSeconds),
    taskRunId,
  );
}
