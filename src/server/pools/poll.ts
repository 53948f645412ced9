import { setDeploymentStatus } from "../deployments/status.ts";
import { ApiError } from "../http/errors.ts";
import { selectFlowRuns } from "../runs/row.ts";
import { addSeconds, timestampOf } from "../store/timestamp.ts";
import { getPool } from "./queues.ts";
import { busyRuns } from "./row.ts";
import { announceQueue } from "./status.ts";

import type { ServerContext } from "../context.ts";
import type { Reply } from "../http/reply.ts";
import type { WorkPoolRow, WorkQueueRow } from "./row.ts";

export interface Poll {
  readonly poolName: string;
  /** Empty: all queues. */
  readonly queueNames: readonly string[];
  readonly scheduledBefore: string | undefined;
  readonly scheduledAfter: string | undefined;
  readonly limit: number;
}

// A queue that was polled so short a time ago is not written again.
const POLL_NOTE_SECONDS = 5;

/**
 * The runs that workers of a pool may take now: due before an instant, from queues that are not paused, as many as the limits of
 * queues and pool allow, by the queues' priority and then by time (protocol §1.5). Throws a 404 for an unknown pool or queue.
 */
export async function pollRuns(context: ServerContext, poll: Poll): Promise<Reply[]> {
  const { database, clock } = context;
  const pool = getPool(database, poll.poolName);
  const all = database.all<WorkQueueRow>(
    "SELECT * FROM work_queue WHERE work_pool_id = ? ORDER BY priority, name",
    pool.id,
  );
  for (const name of poll.queueNames) {
    if (!all.some((queue) => queue.name === name)) throw new ApiError(404, `Work queue "${name}" not found.`);
  }
  const queues = all.filter(({ name }) => poll.queueNames.length === 0 || poll.queueNames.includes(name));
  await notePoll(context, pool, queues);
  if (pool.is_paused === 1) return [];
  let room = poll.limit;
  if (pool.concurrency_limit !== null) {
    const busy = busyRuns(
      database,
      "work_queue_id IN (SELECT id FROM work_queue WHERE work_pool_id = ?)",
      pool.id,
    );
    room = Math.min(room, pool.concurrency_limit - busy);
  }
  const found: Reply[] = [];
  for (const queue of queues) {
    if (queue.is_paused === 1) continue;
    const free =
      queue.concurrency_limit === null
        ? room
        : queue.concurrency_limit - busyRuns(database, "work_queue_id = ?", queue.id);
    const count = Math.min(room - found.length, free);
    if (count <= 0) continue;
    const runs = selectFlowRuns(
      database,
      `WHERE flow_run.work_queue_id = ? AND flow_run.state_type = 'SCHEDULED' AND flow_run.next_scheduled_start_time <= ?
         AND flow_run.next_scheduled_start_time >= ? AND (flow_run.retry_type IS NULL OR flow_run.retry_type <> 'in_process')
       ORDER BY flow_run.next_scheduled_start_time, flow_run.seq LIMIT ?`,
      [queue.id, poll.scheduledBefore ?? "9999", poll.scheduledAfter ?? "", count],
      clock.now(),
    );
    for (const run of runs) found.push({ work_pool_id: pool.id, work_queue_id: queue.id, flow_run: run });
  }
  return found;
}

/** Marks queues and their deployments as polled, which makes them READY. */
async function notePoll(
  context: ServerContext,
  pool: WorkPoolRow,
  queues: readonly WorkQueueRow[],
): Promise<void> {
  const now = timestampOf(context.clock.now());
  const recently = addSeconds(now, -POLL_NOTE_SECONDS);
  const stale = queues.filter(
    ({ last_polled: at, status }) => at === null || at < recently || status !== "READY",
  );
  if (stale.length === 0) return;
  await context.database.write((tx) => {
    for (const queue of stale) {
      tx.run("UPDATE work_queue SET last_polled = ?, status = 'READY' WHERE id = ?", now, queue.id);
      if (queue.status !== "READY") announceQueue(context, tx, pool, queue, "ready");
      tx.run("UPDATE deployment SET last_polled = ? WHERE work_queue_id = ?", now, queue.id);
      setDeploymentStatus(context, tx, "READY", "work_queue_id = ?", queue.id);
    }
  });
}
