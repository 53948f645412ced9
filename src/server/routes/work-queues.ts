import { condition, joined } from "../filters/conditions.ts";
import { compileFilters, limitOf, pageOf, pageReply } from "../filters/index.ts";
import {
  booleanOf,
  integerOf,
  objectBody,
  pathUuid,
  requiredBody,
  requiredName,
  textOf,
  timeOf,
} from "../http/body.ts";
import { ApiError, unknownObject } from "../http/errors.ts";
import { changeQueue } from "../pools/change.ts";
import { ensureAgentPool, findAgentPool } from "../pools/create.ts";
import { pollQueue } from "../pools/poll.ts";
import { getPool, getQueue, insertQueue } from "../pools/queues.ts";
import { busyRuns, workQueueReply } from "../pools/row.ts";
import { slotHolders } from "../pools/slots.ts";
import { addSeconds, timestampOf } from "../store/timestamp.ts";

import type { FastifyInstance } from "fastify";

import type { JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { Reply } from "../http/reply.ts";
import type { Transaction } from "../store/database.ts";
import type { WorkPoolRow, WorkQueueRow } from "../pools/row.ts";

interface QueueParams {
  readonly name: string;
  readonly queue: string;
}

interface IdParams {
  readonly id: string;
}

const HEALTH_SECONDS = 60;

/** The queues of work pools (prefect/server/api/workers.py), and queues as agents knew them (work_queues.py). */
export function addWorkQueueRoutes(app: FastifyInstance, context: ServerContext): void {
  addPoolQueueRoutes(app, context);
  addQueueRoutes(app, context);
}

function addPoolQueueRoutes(app: FastifyInstance, context: ServerContext): void {
  const { database } = context;

  app.post<{ Params: QueueParams }>("/work_pools/:name/queues", async ({ params, body }, reply) => {
    const given = requiredBody(body);
    const taken = `A work queue with this name already exists in work pool '${params.name}'.`;
    const queue = await database.write((tx) => addQueue(context, tx, getPool(tx, params.name), given, taken));
    return reply.status(201).send(workQueueReply(database, queue));
  });

  app.post<{ Params: QueueParams }>("/work_pools/:name/queues/filter", ({ params, body }) =>
    listQueues(context, objectBody(body), getPool(database, params.name)),
  );

  app.get<{ Params: QueueParams }>("/work_pools/:name/queues/:queue", ({ params }) =>
    workQueueReply(database, getQueue(database, params.name, params.queue)),
  );

  app.patch<{ Params: QueueParams }>("/work_pools/:name/queues/:queue", async ({ params, body }, reply) => {
    const change = requiredBody(body);
    await database.write((tx) => changeQueue(context, tx, getQueue(tx, params.name, params.queue), change));
    return reply.status(204).send();
  });

  app.delete<{ Params: QueueParams }>("/work_pools/:name/queues/:queue", async ({ params }, reply) => {
    await database.write((tx) => deleteQueue(tx, getQueue(tx, params.name, params.queue)));
    return reply.status(204).send();
  });
}

function addQueueRoutes(app: FastifyInstance, context: ServerContext): void {
  const { database, clock } = context;

  // Without a pool a queue goes to the pool of agents.
  app.post("/work_queues", async ({ body }, reply) => {
    const given = requiredBody(body);
    const queue = await database.write((tx) =>
      addQueue(
        context,
        tx,
        ensureAgentPool(context, tx),
        given,
        "A work queue with this name already exists.",
      ),
    );
    return reply.status(201).send(workQueueReply(database, queue));
  });

  app.get<{ Params: { name: string } }>("/work_queues/name/:name", ({ params }) => {
    const queue = database.get<WorkQueueRow>(
      "SELECT * FROM work_queue WHERE work_pool_id = ? AND name = ?",
      findAgentPool(database)?.id ?? null,
      params.name,
    );
    if (queue === undefined) throw new ApiError(404, "work queue not found");
    return workQueueReply(database, queue);
  });

  app.get<{ Params: IdParams }>("/work_queues/:id", ({ params }) =>
    workQueueReply(
      database,
      known(params.id, () => new ApiError(404, "work queue not found")),
    ),
  );

  app.patch<{ Params: IdParams }>("/work_queues/:id", async ({ params, body }, reply) => {
    const change = requiredBody(body);
    const queue = known(params.id, (id) => new ApiError(404, `Work Queue ${id} not found`));
    await database.write((tx) => changeQueue(context, tx, queue, change));
    return reply.status(204).send();
  });

  app.delete<{ Params: IdParams }>("/work_queues/:id", async ({ params }, reply) => {
    const queue = known(params.id, () => new ApiError(404, "work queue not found"));
    await database.write((tx) => deleteQueue(tx, queue));
    return reply.status(204).send();
  });

  app.post("/work_queues/filter", ({ body }) => listQueues(context, objectBody(body)));

  app.post<{ Params: IdParams }>("/work_queues/:id/get_runs", ({ params, body, headers }) => {
    const poll = objectBody(body);
    const limit = limitOf(poll);
    const queue = known(
      params.id,
      (id) => new ApiError(404, { exception_message: `Work queue with id ${id} not found.` }),
    );
    return pollQueue(context, queue, {
      scheduledBefore: timeOf(poll, "scheduled_before"),
      limit,
      isNoted: headers["x-prefect-ui"] !== "true",
    });
  });

  app.get<{ Params: IdParams }>("/work_queues/:id/status", ({ params }) => {
    const queue = known(params.id, (id) => unknownObject("Work queue", id));
    const late = database.get<{ n: number }>(
      "SELECT count(*) AS n FROM flow_run WHERE work_queue_id = ? AND state_type = 'SCHEDULED' AND state_name = 'Late'",
      queue.id,
    );
    const lateCount = late?.n ?? 0;
    const oldest = addSeconds(timestampOf(clock.now()), -HEALTH_SECONDS);
    return {
      healthy: lateCount === 0 && queue.last_polled !== null && queue.last_polled >= oldest,
      late_runs_count: lateCount,
      last_polled: queue.last_polled,
      health_check_policy: { maximum_late_runs: 0, maximum_seconds_since_last_polled: HEALTH_SECONDS },
    };
  });

  app.post<{ Params: IdParams }>("/work_queues/:id/concurrency_status", ({ params, body }) => {
    const queue = known(params.id, () => new ApiError(404, "Work queue not found."));
    const count = busyRuns(database, "work_queue_id = ?", queue.id);
    const { results, ...page } = pageReply(objectBody(body), count, (wanted) =>
      slotHolders(database, queue.id, wanted, clock.now()),
    );
    return {
      active_slots: count,
      concurrency_limit: queue.concurrency_limit,
      flow_runs: results,
      ...page,
    };
  });

  function known(text: string, otherwise: (id: string) => ApiError): WorkQueueRow {
    const id = pathUuid(text);
    const queue = database.get<WorkQueueRow>("SELECT * FROM work_queue WHERE id = ?", id);
    if (queue === undefined) throw otherwise(id);
    return queue;
  }
}

function listQueues({ database }: ServerContext, body: JsonObject, pool?: WorkPoolRow): Reply[] {
  const { limit, offset } = pageOf(body);
  const filter = compileFilters("work_queues", body);
  const { sql, values } =
    pool === undefined ? filter : joined([condition("work_pool_id = ?", pool.id), filter]);
  return database
    .all<WorkQueueRow>(
      `SELECT * FROM work_queue WHERE ${sql} ORDER BY ${pool === undefined ? "name" : "priority"} LIMIT ? OFFSET ?`,
      ...values,
      limit,
      offset,
    )
    .map((row) => workQueueReply(database, row));
}

/** Makes the queue that a request describes. Throws a 409 with `taken` when the pool has one of that name. */
function addQueue(
  context: ServerContext,
  tx: Transaction,
  pool: WorkPoolRow,
  given: JsonObject,
  taken: string,
): WorkQueueRow {
  const name = requiredName(given);
  if (tx.get("SELECT 1 FROM work_queue WHERE work_pool_id = ? AND name = ?", pool.id, name) !== undefined)
    throw new ApiError(409, taken);
  return insertQueue(context, tx, pool.id, {
    name,
    description: textOf(given, "description") ?? "",
    isPaused: booleanOf(given, "is_paused") === true,
    concurrencyLimit: integerOf(given, "concurrency_limit", { min: 0 }) ?? null,
    priority: integerOf(given, "priority", { min: 1 }) ?? null,
  });
}

/** Throws a 403 for a pool's default queue. */
function deleteQueue(tx: Transaction, queue: WorkQueueRow): void {
  if (tx.get("SELECT 1 FROM work_pool WHERE default_queue_id = ?", queue.id) !== undefined)
    throw new ApiError(403, "Cannot delete a pool's default queue.");
  tx.run("DELETE FROM work_queue WHERE id = ?", queue.id);
}
