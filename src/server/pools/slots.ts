import { epochMsOf } from "../store/timestamp.ts";
import { busyRuns } from "./row.ts";

import type { Reply } from "../http/reply.ts";
import type { Reader } from "../store/database.ts";
import type { WorkQueueRow } from "./row.ts";

interface HolderRow {
  readonly id: string;
  readonly name: string;
  readonly state_type: string;
  readonly state_name: string;
  readonly start_time: string | null;
  readonly state_timestamp: string;
}

/** The runs that hold the slots of a queue, PENDING and RUNNING. */
export function slotHolders(
  reader: Reader,
  queueId: string,
  page: { readonly limit: number; readonly offset: number },
  nowMs: number,
): Reply[] {
  return reader
    .all<HolderRow>(
      `SELECT id, name, state_type, state_name, start_time, state_timestamp FROM flow_run
       WHERE state_type IN ('PENDING', 'RUNNING') AND work_queue_id = ? ORDER BY id LIMIT ? OFFSET ?`,
      queueId,
      page.limit,
      page.offset,
    )
    .map((run) => ({
      ...run,
      time_in_current_state: (nowMs - epochMsOf(run.state_timestamp)) / 1000,
    }));
}

/** A queue's part of its pool's concurrency status, with at most so many runs. */
export function queueSlots(reader: Reader, queue: WorkQueueRow, runLimit: number, nowMs: number): Reply {
  const count = busyRuns(reader, "work_queue_id = ?", queue.id);
  return {
    queue_id: queue.id,
    queue_name: queue.name,
    active_slots: count,
    concurrency_limit: queue.concurrency_limit,
    flow_runs: slotHolders(reader, queue.id, { limit: runLimit, offset: 0 }, nowMs),
    flow_run_count: count,
  };
}
