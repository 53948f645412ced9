import { isDeepStrictEqual } from "node:util";

import { PROCESS_BASE_JOB_TEMPLATE } from "../../templating/default-job-template.ts";
import { countRows } from "../filters/conditions.ts";
import { clauseOf, compileFilters, limitOf, pageReply } from "../filters/index.ts";
import {
  booleanOf,
  integerOf,
  objectBody,
  objectOf,
  requiredBody,
  requiredPlainName,
  textOf,
  textsOf,
  timeOf,
} from "../http/body.ts";
import { ApiError } from "../http/errors.ts";
import { jsonValue } from "../http/reply.ts";
import { changePool } from "../pools/change.ts";
import { AGENT_TYPE, createPool } from "../pools/create.ts";
import { checkDefaults, checkTemplateShape } from "../pools/job-variables.ts";
import { getPool } from "../pools/queues.ts";
import { pollRuns } from "../pools/poll.ts";
import { queueSlots } from "../pools/slots.ts";
import { busyRunsOfPool, workPoolReply } from "../pools/row.ts";

import type { FastifyInstance } from "fastify";

import type { ServerContext } from "../context.ts";
import type { WorkPoolRow, WorkQueueRow } from "../pools/row.ts";

interface PoolParams {
  readonly name: string;
}

const SHOWN_RUNS = 10;

/** Work pools (prefect/server/api/workers.py). */
export function addWorkPoolRoutes(app: FastifyInstance, context: ServerContext): void {
  const { database, clock } = context;

  app.post("/work_pools", async (request, reply) => {
    const body = requiredBody(request.body);
    const name = requiredPlainName(body);
    if (isReserved(name))
      throw new ApiError(403, "Work pools starting with 'Prefect' are reserved for internal use.");
    const template = objectOf(body, "base_job_template") ?? {};
    checkTemplateShape(template);
    const input = {
      name,
      template,
      type: textOf(body, "type") ?? AGENT_TYPE,
      description: textOf(body, "description") ?? null,
      isPaused: booleanOf(body, "is_paused") === true,
      concurrencyLimit: integerOf(body, "concurrency_limit", { min: 0 }) ?? null,
      storage: objectOf(body, "storage_configuration") ?? {},
    };
    // A worker's own template is good: it does not load the libraries.
    const isKnown =
      Object.keys(template).length === 0 || isDeepStrictEqual(template, PROCESS_BASE_JOB_TEMPLATE);
    const tools = isKnown ? undefined : await context.schemaTools();
    const pool = await database.write((tx) => {
      if (tools !== undefined) checkDefaults(context, tools, template);
      return createPool(context, tx, input);
    });
    return reply.status(201).send(workPoolReply(database, pool));
  });

  app.get<{ Params: PoolParams }>("/work_pools/:name", ({ params }) =>
    workPoolReply(database, getPool(database, params.name)),
  );

  app.patch<{ Params: PoolParams }>("/work_pools/:name", async ({ params, body }, reply) => {
    const change = requiredBody(body);
    const isSmall = Object.keys(change).every((key) => key === "is_paused" || key === "concurrency_limit");
    if (isReserved(params.name) && !isSmall) {
      throw new ApiError(
        403,
        "Work pools starting with 'Prefect' are reserved for internal use and can only be updated to set concurrency limits or pause.",
      );
    }
    await database.write((tx) => changePool(context, tx, getPool(tx, params.name), change));
    return reply.status(204).send();
  });

  app.delete<{ Params: PoolParams }>("/work_pools/:name", async ({ params }, reply) => {
    if (isReserved(params.name)) {
      throw new ApiError(
        403,
        "Work pools starting with 'Prefect' are reserved for internal use and can not be deleted.",
      );
    }
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
    return pollRuns(context, {
      poolName: params.name,
      queueNames: textsOf(poll, "work_queue_names") ?? [],
      scheduledBefore: timeOf(poll, "scheduled_before"),
      scheduledAfter: timeOf(poll, "scheduled_after"),
      limit: limitOf(poll),
    });
  });

  app.post<{ Params: PoolParams }>("/work_pools/:name/concurrency_status", ({ params, body }) => {
    const given = objectBody(body);
    const shown = integerOf(given, "flow_run_limit", { min: 0, max: 200 }) ?? SHOWN_RUNS;
    const pool = database.get<WorkPoolRow>("SELECT * FROM work_pool WHERE name = ?", params.name);
    if (pool === undefined) throw new ApiError(404, `Work pool '${params.name}' not found.`);
    const count = countRows(database, "work_queue", { sql: "work_pool_id = ?", values: [pool.id] });
    const { results, ...page } = pageReply(given, count, ({ limit, offset }) =>
      database
        .all<WorkQueueRow>(
          "SELECT * FROM work_queue WHERE work_pool_id = ? ORDER BY priority LIMIT ? OFFSET ?",
          pool.id,
          limit,
          offset,
        )
        .map((queue) => queueSlots(database, queue, shown, clock.now())),
    );
    return {
      active_slots: busyRunsOfPool(database, pool.id),
      concurrency_limit: pool.concurrency_limit,
      queues: results,
      ...page,
    };
  });
}

function isReserved(name: string): boolean {
  return name.toLowerCase().startsWith("prefect");
}
