import { countRows } from "../filters/conditions.ts";
import { bulkLimitOf, clauseOf, compileFilters, limitOf, pageReply, selectionOf } from "../filters/index.ts";
import {
  listBody,
  objectBody,
  parseObject,
  parseUuids,
  pathUuid,
  requiredBody,
  timeOf,
} from "../http/body.ts";
import { ApiError, invalidRequest, notFound } from "../http/errors.ts";
import { jsonValue } from "../http/reply.ts";
import { pollDeployments } from "../deployments/poll.ts";
import { findDeployment, schedulesOf, selectDeployments } from "../deployments/row.ts";
import { runDeployment, runDeploymentOften } from "../deployments/run.ts";
import { addSchedule, changeScheduleBy } from "../deployments/schedules.ts";
import {
  changeDeployment,
  deleteDeployment,
  dropScheduledRuns,
  pauseDeployment,
  upsertDeployment,
} from "../deployments/write.ts";
import { flowRunReply } from "../runs/row.ts";
import { windowOf } from "../schedules/given.ts";
import { scheduleDeployment } from "../schedules/runs.ts";
import { timestampOf } from "../store/timestamp.ts";

import type { FastifyInstance } from "fastify";

import type { ServerContext } from "../context.ts";
import type { Reply } from "../http/reply.ts";
import type { Reader, Transaction } from "../store/database.ts";

interface IdParams {
  readonly id: string;
}

interface ScheduleParams extends IdParams {
  readonly schedule: string;
}

/** Deployments (prefect/server/api/deployments.py; protocol §8.1). */
export function addDeploymentRoutes(app: FastifyInstance, context: ServerContext): void {
  const { database, clock } = context;

  function getDeployment(id: string): Reply {
    const [deployment] = selectDeployments(database, "WHERE deployment.id = ?", [id]);
    if (deployment === undefined) throw notFound("Deployment");
    return deployment;
  }

  app.post("/deployments", async ({ body }, reply) => {
    const given = requiredBody(body);
    const tools = await context.schemaTools();
    const { id, isNew } = await database.write((tx) => upsertDeployment(context, tx, tools, given));
    return reply.status(isNew ? 201 : 200).send(getDeployment(id));
  });

  app.get<{ Params: IdParams }>("/deployments/:id", ({ params }) => getDeployment(pathUuid(params.id)));

  app.get<{ Params: { flow: string; name: string } }>("/deployments/name/:flow/:name", ({ params }) => {
    const [deployment] = selectDeployments(
      database,
      "WHERE deployment.name = ? AND deployment.flow_id = (SELECT id FROM flow WHERE name = ?)",
      [params.name, params.flow],
    );
    if (deployment === undefined) throw notFound("Deployment");
    return deployment;
  });

  app.patch<{ Params: IdParams }>("/deployments/:id", async ({ params, body }, reply) => {
    const change = requiredBody(body);
    const tools = await context.schemaTools();
    await database.write((tx) => changeDeployment(context, tx, tools, pathUuid(params.id), change));
    return reply.status(204).send();
  });

  app.delete<{ Params: IdParams }>("/deployments/:id", async ({ params }, reply) => {
    const id = pathUuid(params.id);
    const gone = await database.write((tx) => deleteDeployment(context, tx, id));
    if (!gone) throw notFound("Deployment");
    return reply.status(204).send();
  });

  app.post("/deployments/bulk_delete", async ({ body }) => {
    const { deployments = null, ...given } = objectBody(body);
    const page = { limit: bulkLimitOf(given), offset: 0 };
    const { sql, values } = selectionOf("deployments", { deployments }, page);
    const deleted = await database.write((tx) => {
      const ids = tx.all<{ id: string }>(`SELECT deployment.id FROM deployment ${sql}`, ...values);
      for (const { id } of ids) deleteDeployment(context, tx, id);
      return ids.map(({ id }) => id);
    });
    return { deleted };
  });

  app.post("/deployments/filter", ({ body }) => {
    const { sql, values } = clauseOf("deployments", objectBody(body));
    return selectDeployments(database, sql, values);
  });

  app.post("/deployments/count", ({ body }) =>
    jsonValue(countRows(database, "deployment", compileFilters("deployments", objectBody(body)))),
  );

  app.post("/deployments/paginate", ({ body }) => {
    const given = objectBody(body);
    const count = countRows(database, "deployment", compileFilters("deployments", given));
    return pageReply(given, count, (page) => {
      const { sql, values } = selectionOf("deployments", given, page);
      return selectDeployments(database, sql, values);
    });
  });

  app.post("/deployments/get_scheduled_flow_runs", ({ body }) => {
    const given = objectBody(body);
    const ids = given["deployment_ids"];
    if (ids === undefined) throw invalidRequest(["body", "deployment_ids"], "Field required");
    return pollDeployments(context, {
      deploymentIds: parseUuids(ids, ["body", "deployment_ids"]),
      scheduledBefore: timeOf(given, "scheduled_before"),
      limit: limitOf(given),
    });
  });

  app.post<{ Params: IdParams }>("/deployments/:id/create_flow_run", async ({ params, body }, reply) => {
    const tools = await context.schemaTools();
    const { id, isNew } = await database.write((tx) =>
      runDeployment(context, tx, tools, pathUuid(params.id), objectBody(body)),
    );
    const run = flowRunReply(database, id, clock.now());
    if (run === undefined) throw notFound("Flow run");
    return reply.status(isNew ? 201 : 200).send(run);
  });

  app.post<{ Params: IdParams }>("/deployments/:id/create_flow_run/bulk", async ({ params, body }) => {
    const bodies = listBody(body).map((run, index) => parseObject(run, ["body", index]));
    const tools = await context.schemaTools();
    const results = await database.write((tx) =>
      runDeploymentOften(context, tx, tools, pathUuid(params.id), bodies),
    );
    return { results };
  });

  app.post<{ Params: IdParams }>("/deployments/:id/schedule", async ({ params, body }) => {
    const id = pathUuid(params.id);
    const window = windowOf(context, objectBody(body));
    await database.write((tx) => scheduleDeployment(context, tx, id, window));
    return jsonValue(null);
  });

  for (const [action, isPaused] of [
    ["pause_deployment", true],
    ["resume_deployment", false],
  ] as const) {
    app.post<{ Params: IdParams }>(`/deployments/:id/${action}`, async ({ params }) => {
      await database.write((tx) => pauseDeployment(context, tx, pathUuid(params.id), isPaused));
      return jsonValue(null);
    });
  }

  addScheduleRoutes(app, context);
}

function addScheduleRoutes(app: FastifyInstance, context: ServerContext): void {
  const { database } = context;

  app.get<{ Params: IdParams }>("/deployments/:id/schedules", ({ params }) => {
    const id = pathUuid(params.id);
    requireDeployment(database, id);
    return schedulesOf(database, id);
  });

  app.post<{ Params: IdParams }>("/deployments/:id/schedules", async ({ params, body }, reply) => {
    const id = pathUuid(params.id);
    const schedules = listBody(body);
    const added = await database.write((tx) => {
      requireDeployment(tx, id);
      return schedules.map((schedule, index) => addSchedule(context, tx, id, schedule, ["body", index]));
    });
    const known = new Map(
      schedulesOf(database, id).map((schedule) => [(schedule as { id: string }).id, schedule]),
    );
    return reply.status(201).send(added.map((scheduleId) => known.get(scheduleId)));
  });

  app.patch<{ Params: ScheduleParams }>(
    "/deployments/:id/schedules/:schedule",
    async ({ params, body }, reply) => {
      const change = requiredBody(body);
      await changeOne(params, "coming", (tx, ids) => changeScheduleBy(context, tx, ids, change));
      return reply.status(204).send();
    },
  );

  app.delete<{ Params: ScheduleParams }>(
    "/deployments/:id/schedules/:schedule",
    async ({ params }, reply) => {
      await changeOne(
        params,
        "automatic",
        (tx, { deploymentId, scheduleId }) =>
          tx.run(
            "DELETE FROM deployment_schedule WHERE id = ? AND deployment_id = ?",
            scheduleId,
            deploymentId,
          ) > 0,
      );
      return reply.status(204).send();
    },
  );

  /** Changes one schedule; the runs of the deployment's schedules are made anew. */
  async function changeOne(
    params: ScheduleParams,
    dropped: "coming" | "automatic",
    change: (tx: Transaction, ids: { readonly deploymentId: string; readonly scheduleId: string }) => boolean,
  ): Promise<void> {
    const ids = { deploymentId: pathUuid(params.id), scheduleId: pathUuid(params.schedule) };
    await database.write((tx) => {
      requireDeployment(tx, ids.deploymentId);
      if (!change(tx, ids)) throw new ApiError(404, "Schedule not found.");
      dropScheduledRuns(context, tx, ids.deploymentId, dropped);
      const now = timestampOf(context.clock.now());
      tx.run("UPDATE deployment SET updated = ? WHERE id = ?", now, ids.deploymentId);
    });
  }
}

function requireDeployment(reader: Reader, id: string): void {
  if (findDeployment(reader, id) === undefined) throw new ApiError(404, "Deployment not found.");
}
