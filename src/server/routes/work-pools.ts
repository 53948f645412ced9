import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";

import { stringifyJson } from "../../json/stringify.ts";
import { isJsonObject } from "../../json/value.ts";
import { PROCESS_BASE_JOB_TEMPLATE } from "../../templating/default-job-template.ts";
import { condition, countRows } from "../filters/conditions.ts";
import { clauseOf, compileFilters } from "../filters/index.ts";
import { integerOf, objectBody, requiredName, requiredPlainName, textOf, textsOf } from "../http/body.ts";
import { ApiError, invalidRequest } from "../http/errors.ts";
import { jsonValue } from "../http/reply.ts";
import { changePool, changeQueue } from "../pools/change.ts";
import { checkDefaults, checkTemplateShape } from "../pools/job-variables.ts";
import { DEFAULT_QUEUE, getPool, getQueue, insertQueue } from "../pools/queues.ts";
import { pollRuns } from "../pools/poll.ts";
import { announcePool, setPoolStatus } from "../pools/status.ts";
import { workPoolReply, workQueueReply, workerReply } from "../pools/row.ts";
import { parseTimestamp, timestampOf } from "../store/timestamp.ts";

import type { FastifyInstance } from "fastify";

import type { JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { Condition } from "../filters/conditions.ts";
import type { Reply } from "../http/reply.ts";
import type { WorkPoolRow, WorkQueueRow, WorkerRow } from "../pools/row.ts";

interface PoolParams {
  readonly name: string;
}

interface QueueParams extends PoolParams {
  readonly queue: string;
}

const MAX_POLL = 200;

/** Work pools, their queues and workers (prefect/server/api/workers.py). */
export function addWorkPoolRoutes(app: FastifyInstance, context: ServerContext): void {
  const { database, clock } = context;

  app.post("/work_pools", async (request, reply) => {
    const body = objectBody(request.body);
    const name = requiredPlainName(body);
    if (name.toLowerCase().startsWith("prefect")) {
      throw new ApiError(403, "Worker pools starting with 'Prefect' are reserved for internal use.");
    }
    const type = textOf(body, "type") ?? "prefect-agent";
    const template = isJsonObject(body["base_job_template"]) ? body["base_job_template"] : {};
    checkTemplateShape(template);
    const id = randomUUID();
    // A worker's own template is good: it does not load the libraries.
    const isKnown =
      Object.keys(template).length === 0 || isDeepStrictEqual(template, PROCESS_BASE_JOB_TEMPLATE);
    const tools = isKnown ? undefined : await context.schemaTools();
    const pool = await database.write((tx) => {
      if (tools !== undefined) checkDefaults(context, tools, template);
      if (tx.get("SELECT 1 FROM work_pool WHERE name = ?", name) !== undefined) {
        throw new ApiError(409, "A worker with this name already exists.");
      }
      const now = timestampOf(clock.now());
      tx.run(
        `INSERT INTO work_pool (id, created, updated, name, description, type, base_job_template, is_paused, concurrency_limit, storage_configuration)
         VALUES (?,?,?,?,?,?,?,?,?,?)`,
        id,
        now,
        now,
        name,
        textOf(body, "description") ?? null,
        type,
        stringifyJson(
          Object.keys(template).length === 0 && type === "process" ? PROCESS_BASE_JOB_TEMPLATE : template,
        ),
        body["is_paused"] === true ? 1 : 0,
        integerOf(body, "concurrency_limit") ?? null,
        stringifyJson({
          bundle_upload_step: null,
          bundle_execution_step: null,
          default_result_storage_block_id: null,
          ...(isJsonObject(body["storage_configuration"]) ? body["storage_configuration"] : {}),
        }),
      );
      const queue = insertQueue(context, tx, id, {
        name: DEFAULT_QUEUE,
        description: "The work pool's default queue.",
      });
      tx.run("UPDATE work_pool SET default_queue_id = ? WHERE id = ?", queue.id, id);
      const made = getPool(tx, name);
      announcePool(context, tx, made, made.is_paused === 1 ? "paused" : "not-ready");
      return made;
    });
    return reply.status(201).send(workPoolReply(database, pool));
  });

  app.get<{ Params: PoolParams }>("/work_pools/:name", ({ params }) =>
    workPoolReply(database, getPool(database, params.name)),
  );

  app.patch<{ Params: PoolParams }>("/work_pools/:name", async ({ params, body }, reply) => {
    await database.write((tx) => changePool(context, tx, getPool(tx, params.name), objectBody(body)));
    return reply.status(204).send();
  });

  app.delete<{ Params: PoolParams }>("/work_pools/:name", async ({ params }, reply) => {
    await database.write((tx) => tx.run("DELETE FROM work_pool WHERE id = ?", getPool(tx, params.name).id));
    return reply.status(204).send();
  });

  app.post("/work_pools/filter", ({ body }) => {
    const { sql, values } = clauseOf("work_pools", objectBody(body));
    return database
      .all<WorkPoolRow>(`SELECT work_pool.* FROM work_pool ${sql}`, ...values)
      .map((row) => workPoolReply(database, row));
  });

  app.post("/work_pools/count", ({ body }) =>
    jsonValue(countRows(database, "work_pool", compileFilters("work_pools", objectBody(body)))),
  );

  app.post<{ Params: PoolParams }>("/work_pools/:name/get_scheduled_flow_runs", ({ params, body }) => {
    const poll = objectBody(body);
    const limit = integerOf(poll, "limit") ?? MAX_POLL;
    if (limit < 0 || limit > MAX_POLL)
      throw invalidRequest(["body", "limit"], `Input should be at most ${MAX_POLL}`, limit);
    const before = textOf(poll, "scheduled_before");
    const after = textOf(poll, "scheduled_after");
    return pollRuns(context, {
      poolName: params.name,
      queueNames: textsOf(poll, "work_queue_names") ?? [],
      scheduledBefore: before === undefined ? undefined : parseTimestamp(before),
      scheduledAfter: after === undefined ? undefined : parseTimestamp(after),
      limit,
    });
  });

  addQueueRoutes(app, context);
  addWorkerRoutes(app, context);
}

function addQueueRoutes(app: FastifyInstance, context: ServerContext): void {
  const { database } = context;

  app.post<{ Params: PoolParams }>("/work_pools/:name/queues", async ({ params, body }, reply) => {
    const given = objectBody(body);
    const name = requiredName(given);
    const queue = await database.write((tx) => {
      const pool = getPool(tx, params.name);
      if (
        tx.get("SELECT 1 FROM work_queue WHERE work_pool_id = ? AND name = ?", pool.id, name) !== undefined
      ) {
        throw new ApiError(409, "A worker with this name already exists.");
      }
      return insertQueue(context, tx, pool.id, {
        name,
        description: textOf(given, "description") ?? "",
        isPaused: given["is_paused"] === true,
        concurrencyLimit: integerOf(given, "concurrency_limit") ?? null,
        priority: integerOf(given, "priority") ?? null,
      });
    });
    return reply.status(201).send(workQueueReply(database, queue));
  });

  app.post<{ Params: PoolParams }>("/work_pools/:name/queues/filter", ({ params, body }) =>
    listQueues(objectBody(body), condition("work_queue.work_pool_id = ?", getPool(database, params.name).id)),
  );

  app.get<{ Params: QueueParams }>("/work_pools/:name/queues/:queue", ({ params }) =>
    workQueueReply(database, getQueue(database, params.name, params.queue)),
  );

  app.patch<{ Params: QueueParams }>("/work_pools/:name/queues/:queue", async ({ params, body }, reply) => {
    await database.write((tx) =>
      changeQueue(context, tx, getQueue(tx, params.name, params.queue), objectBody(body)),
    );
    return reply.status(204).send();
  });

  app.delete<{ Params: QueueParams }>("/work_pools/:name/queues/:queue", async ({ params }, reply) => {
    await database.write((tx) => {
      const queue = getQueue(tx, params.name, params.queue);
      if (getPool(tx, params.name).default_queue_id === queue.id)
        throw new ApiError(403, "Cannot delete a pool's default queue.");
      tx.run("DELETE FROM work_queue WHERE id = ?", queue.id);
    });
    return reply.status(204).send();
  });

  app.get<{ Params: { id: string } }>("/work_queues/:id", ({ params }) => {
    const queue = database.get<WorkQueueRow>("SELECT * FROM work_queue WHERE id = ?", params.id);
    if (queue === undefined) throw new ApiError(404, "work queue not found");
    return workQueueReply(database, queue);
  });

  app.post("/work_queues/filter", ({ body }) => listQueues(objectBody(body)));

  function listQueues(body: JsonObject, within?: Condition): Reply[] {
    const filter = { ...body, work_pool_queues: body["work_queues"] ?? null };
    const { sql, values } = clauseOf("work_pool_queues", filter, within);
    return database
      .all<WorkQueueRow>(`SELECT work_queue.* FROM work_queue ${sql}`, ...values)
      .map((row) => workQueueReply(database, row));
  }
}

function addWorkerRoutes(app: FastifyInstance, context: ServerContext): void {
  const { database, clock } = context;

  app.post<{ Params: PoolParams }>("/work_pools/:name/workers/heartbeat", async ({ params, body }, reply) => {
    const given = objectBody(body);
    const name = requiredName(given);
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
        integerOf(given, "heartbeat_interval_seconds") ?? null,
        pool.id,
      );
      if (pool.status !== "READY") setPoolStatus(context, tx, pool, "READY");
    });
    return reply.status(204).send();
  });

  app.post<{ Params: PoolParams }>("/work_pools/:name/workers/filter", ({ params, body }) => {
    const given = objectBody(body);
    const pool = getPool(database, params.name);
    const filter = isJsonObject(given["workers"]) ? given["workers"] : {};
    const statuses = isJsonObject(filter["status"]) ? textsOf(filter["status"], "any_") : undefined;
    return database
      .all<WorkerRow>(
        "SELECT * FROM worker WHERE work_pool_id = ? ORDER BY last_heartbeat_time DESC",
        pool.id,
      )
      .filter(({ status }) => statuses === undefined || statuses.includes(status))
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
