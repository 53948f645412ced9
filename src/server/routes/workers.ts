import { randomUUID } from "node:crypto";

import { condition, filterBy, joined, timeField, wordField } from "../filters/conditions.ts";
import { pageOf } from "../filters/index.ts";
import { integerOf, objectBody, requiredBody, requiredName } from "../http/body.ts";
import { ApiError } from "../http/errors.ts";
import { getPool } from "../pools/queues.ts";
import { workerReply } from "../pools/row.ts";
import { setPoolStatus } from "../pools/status.ts";
import { timestampOf } from "../store/timestamp.ts";

import type { FastifyInstance } from "fastify";

import type { ServerContext } from "../context.ts";
import type { WorkerRow } from "../pools/row.ts";

interface PoolParams {
  readonly name: string;
}

const FILTER = {
  last_heartbeat_time: timeField("last_heartbeat_time"),
  status: wordField("status", ["ONLINE", "OFFLINE"]),
};

/** Workers of a pool (prefect/server/api/workers.py). */
export function addWorkerRoutes(app: FastifyInstance, context: ServerContext): void {
  const { database, clock } = context;

  app.post<{ Params: PoolParams }>("/work_pools/:name/workers/heartbeat", async ({ params, body }, reply) => {
    const given = requiredBody(body);
    const name = requiredName(given);
    const interval = integerOf(given, "heartbeat_interval_seconds") ?? null;
    await database.write((tx) => {
      const pool = getPool(tx, params.name);
      const now = timestampOf(clock.now());
      tx.run(
        `INSERT INTO worker (id, created, updated, name, last_heartbeat_time, heartbeat_interval_seconds, status, work_pool_id) VALUES (?,?,?,?,?,?,'ONLINE',?)
         ON CONFLICT (work_pool_id, name) DO UPDATE SET updated = excluded.updated, last_heartbeat_time = excluded.last_heartbeat_time,
           heartbeat_interval_seconds = coalesce(excluded.heartbeat_interval_seconds, heartbeat_interval_seconds), status = 'ONLINE'`,
        randomUUID(),
        now,
        now,
        name,
        now,
        interval,
        pool.id,
      );
      if (pool.status !== "READY") setPoolStatus(context, tx, pool, "READY");
    });
    return reply.status(204).send();
  });

  app.post<{ Params: PoolParams }>("/work_pools/:name/workers/filter", ({ params, body }) => {
    const given = objectBody(body);
    const { limit, offset } = pageOf(given);
    const { sql, values } = joined([
      condition("work_pool_id = ?", getPool(database, params.name).id),
      ...filterBy(FILTER, given["workers"], ["body", "workers"]),
    ]);
    return database
      .all<WorkerRow>(
        `SELECT * FROM worker WHERE ${sql} ORDER BY last_heartbeat_time DESC LIMIT ? OFFSET ?`,
        ...values,
        limit,
        offset,
      )
      .map((row) => workerReply(row));
  });

  app.delete<{ Params: PoolParams & { worker: string } }>(
    "/work_pools/:name/workers/:worker",
    async ({ params }, reply) => {
      await database.write((tx) => {
        const pool = getPool(tx, params.name);
        const gone = tx.run("DELETE FROM worker WHERE work_pool_id = ? AND name = ?", pool.id, params.worker);
        if (gone === 0) throw new ApiError(404, "Worker not found.");
      });
      return reply.status(204).send();
    },
  );
}
