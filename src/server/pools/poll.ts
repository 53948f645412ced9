import { setDeploymentStatus } from "../deployments/status.ts";
import { selectFlowRuns, selectPolledRuns } from "../runs/row.ts";
import { addSeconds, timestampOf } from "../store/timestamp.ts";
import { getPool, unknownQueue } from "./queues.ts";
import { busyRuns, busyRunsOfPool } from "./row.ts";
import { announceQueue } from "./status.ts";

import type { ServerContext } from "../context.ts";
import type { Reply } from "../http/reply.ts";
import type { Reader } from "../store/database.ts";
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
    if (!all.some((queue) => queue.name === name)) throw unknownQueue(pool.name, name);
  }
  const queues = all.filter(({ name }) => poll.queueNames.length === 0 || poll.queueNames.includes(name));
  await notePoll(context, pool, queues);
  if (pool.is_paused === 1) return [];
  const room =
    pool.concurrency_limit === null
      ? poll.limit
      : Math.min(poll.limit, pool.concurrency_limit - busyRunsOfPool(database, pool.id));
  const found: Reply[] = [];
  for (const queue of queues) {
    const count = Math.min(room - found.length, freeSlots(database, queue));
    if (count <= 0) continue;
    const runs = selectPolledRuns(
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

/**
 * The runs of one queue that an agent may take now, as the queues' endpoint of Prefect 2 gives them: by time, as many as the
 * queue's limit allows. `isNoted` marks the queue as polled.
 */
export async function pollQueue(
  context: ServerContext,
  queue: WorkQueueRow,
  poll: { readonly scheduledBefore: string | undefined; readonly limit: number; readonly isNoted: boolean },
): Promise<Reply[]> {
  const { database, clock } = context;
  const pool = database.get<WorkPoolRow>("SELECT * FROM work_pool WHERE id = ?", queue.work_pool_id);
  if (poll.isNoted && pool !== undefined) await notePoll(context, pool, [queue]);
  const count = Math.min(poll.limit, freeSlots(database, queue));
  if (count <= 0) return [];
  return selectFlowRuns(
    database,
    `WHERE flow_run.work_queue_id = ? AND flow_run.state_type = 'SCHEDULED' AND flow_run.next_scheduled_start_time <= ?
     ORDER BY flow_run.next_scheduled_start_time, flow_run.seq LIMIT ?`,
    [queue.id, poll.scheduledBefore ?? "9999", count],
    clock.now(),
  );
}

/** How many more runs the queue's limit allows. */
function freeSlots(reader: Reader, queue: WorkQueueRow): number {
  if (queue.is_paused === 1) return 0;
  if (queue.concurrency_limit === null) return Infinity;
  return queue.concurrency_limit - busyRuns(reader, "work_queue_id = ?", queue.id);
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
