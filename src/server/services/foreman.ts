import { setDeploymentStatus } from "../deployments/status.ts";
import { announceQueue, setPoolStatus } from "../pools/status.ts";
import { addSeconds, timestampOf } from "../store/timestamp.ts";

import type { WorkPoolRow } from "../pools/row.ts";
import type { Transaction } from "../store/database.ts";
import type { ServerContext } from "../context.ts";
import type { Service } from "./service.ts";

interface QueueOfPool {
  readonly id: string;
  readonly name: string;
  readonly pool_id: string;
  readonly pool_name: string;
  readonly pool_type: string;
}

/** Notices workers that have gone and queues that nobody polls (protocol §1.3; prefect/server/services/foreman.py). */
export const foreman: Service = {
  name: "foreman",
  intervalSeconds: ({ settings }) => settings.foreman.loopSeconds,
  async tick(context) {
    const { settings } = context;
    const now = timestampOf(context.clock.now());
    await context.database.write((tx) => {
      markWorkers(context, tx, now);
      markQueues(context, tx, addSeconds(now, -settings.foreman.workQueueLastPolledTimeoutSeconds));
      setDeploymentStatus(
        context,
        tx,
        "NOT_READY",
        "last_polled < ?",
        addSeconds(now, -settings.foreman.deploymentLastPolledTimeoutSeconds),
      );
    });
  },
};

function markWorkers(context: ServerContext, tx: Transaction, now: string): void {
  const { inactivityHeartbeatMultiple: multiple, fallbackHeartbeatIntervalSeconds: fallback } =
    context.settings.foreman;
  const workers = tx.all<{ id: string; last_heartbeat_time: string | null; seconds: number }>(
    "SELECT id, last_heartbeat_time, coalesce(heartbeat_interval_seconds, ?) AS seconds FROM worker WHERE status = 'ONLINE'",
    fallback,
  );
  for (const { id, last_heartbeat_time: last, seconds } of workers) {
    if (last !== null && last >= addSeconds(now, -seconds * multiple)) continue;
    tx.run("UPDATE worker SET status = 'OFFLINE', updated = ? WHERE id = ?", now, id);
  }
  const deserted = tx.all<WorkPoolRow>(
    "SELECT * FROM work_pool WHERE status = 'READY' AND NOT EXISTS (SELECT 1 FROM worker WHERE work_pool_id = work_pool.id AND status = 'ONLINE')",
  );
  for (const pool of deserted) setPoolStatus(context, tx, pool, "NOT_READY");
}

function markQueues(context: ServerContext, tx: Transaction, since: string): void {
  const queues = tx.all<QueueOfPool>(
    `SELECT q.id, q.name, p.id AS pool_id, p.name AS pool_name, p.type AS pool_type FROM work_queue q JOIN work_pool p ON p.id = q.work_pool_id
     WHERE q.status = 'READY' AND coalesce(q.last_polled, '') < ?`,
    since,
  );
  for (const { id, name, pool_id, pool_name, pool_type } of queues) {
    tx.run("UPDATE work_queue SET status = 'NOT_READY' WHERE id = ?", id);
    announceQueue(context, tx, { id: pool_id, name: pool_name, type: pool_type }, { id, name }, "not-ready");
  }
}
