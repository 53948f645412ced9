import { countRows } from "../filters/conditions.ts";
import { clauseOf, compileFilters } from "../filters/index.ts";
import { integerOf, objectBody, objectOf, parseUuid } from "../http/body.ts";
import { ApiError, invalidRequest, notFound } from "../http/errors.ts";
import { jsonValue } from "../http/reply.ts";
import { findDeployment, schedulesOf, selectDeployments } from "../deployments/row.ts";
import { runDeployment } from "../deployments/run.ts";
import { addSchedule, changeDeployment, dropScheduledRuns, upsertDeployment } from "../deployments/write.ts";
import { flowRunReply } from "../runs/row.ts";
import { timestampOf } from "../store/timestamp.ts";
import { stringifyJson } from "../../json/stringify.ts";

import type { FastifyInstance } from "fastify";

import type { Json } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { Reply } from "../http/reply.ts";

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
    const [deployment] = selectDeployments(database, "WHERE deployment.id = ?", [parseUuid(id)]);
    if (deployment === undefined) throw notFound("Deployment");
    return deployment;
  }

  app.post("/deployments", async ({ body }, reply) => {
    const { id, isNew } = await database.write((tx) => upsertDeployment(context, tx, objectBody(body)));
    return reply.status(isNew ? 201 : 200).send(getDeployment(id));
  });

  app.get<{ Params: IdParams }>("/deployments/:id", ({ params }) => getDeployment(params.id));

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
    await database.write((tx) => changeDeployment(context, tx, parseUuid(params.id), objectBody(body)));
    return reply.status(204).send();
  });

  app.delete<{ Params: IdParams }>("/deployments/:id", async ({ params }, reply) => {
    await database.write((tx) => {
      const deployment = findDeployment(tx, parseUuid(params.id));
      if (deployment === undefined) throw notFound("Deployment");
      dropScheduledRuns(tx, deployment.id);
      tx.run("DELETE FROM deployment WHERE id = ?", deployment.id);
      if (deployment.concurrency_limit_id !== null)
        tx.run("DELETE FROM concurrency_limit_v2 WHERE id = ?", deployment.concurrency_limit_id);
    });
    return reply.status(204).send();
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
    const page = integerOf(given, "page") ?? 1;
    if (page < 1) throw invalidRequest(["body", "page"], "Input should be greater than 0", page);
    const limit = integerOf(given, "limit") ?? 200;
    const { sql, values } = clauseOf("deployments", { ...given, limit, offset: (page - 1) * limit });
    const count = countRows(database, "deployment", compileFilters("deployments", given));
    return {
      results: selectDeployments(database, sql, values),
      count,
      limit,
      pages: Math.ceil(count / Math.max(1, limit)),
      page,
    };
  });

  app.post<{ Params: IdParams }>("/deployments/:id/create_flow_run", async ({ params, body }, reply) => {
    const { id, isNew } = await database.write((tx) =>
      runDeployment(context, tx, parseUuid(params.id), objectBody(body)),
    );
    const run = flowRunReply(database, id, clock.now());
    if (run === undefined) throw notFound("Flow run");
    return reply.status(isNew ? 201 : 200).send(run);
  });

  for (const [action, paused] of [
    ["pause_deployment", true],
    ["resume_deployment", false],
  ] as const) {
    app.post<{ Params: IdParams }>(`/deployments/:id/${action}`, async ({ params }) => {
      await database.write((tx) => {
        const id = parseUuid(params.id);
        changeDeployment(context, tx, id, { paused });
      });
      return jsonValue(null);
    });
  }

  addScheduleRoutes(app, context);
}

function addScheduleRoutes(app: FastifyInstance, context: ServerContext): void {
  const { database, clock } = context;

  app.get<{ Params: IdParams }>("/deployments/:id/schedules", ({ params }) => {
    const id = parseUuid(params.id);
    if (findDeployment(database, id) === undefined) throw notFound("Deployment");
    return schedulesOf(database, id);
  });

  app.post<{ Params: IdParams }>("/deployments/:id/schedules", async ({ params, body }, reply) => {
    const id = parseUuid(params.id);
    if (!Array.isArray(body)) throw invalidRequest(["body"], "Input should be a valid list");
    const added = await database.write((tx) => {
      if (findDeployment(tx, id) === undefined) throw notFound("Deployment");
      return new Set(
        (body as readonly Json[]).map((schedule) => addSchedule(context, tx, id, objectBody(schedule))),
      );
    });
    return reply
      .status(201)
      .send(schedulesOf(database, id).filter((schedule) => added.has((schedule as { id: string }).id)));
  });

  app.patch<{ Params: ScheduleParams }>(
    "/deployments/:id/schedules/:schedule",
    async ({ params, body }, reply) => {
      const change = objectBody(body);
      const when = objectOf(change, "schedule");
      const parameters = objectOf(change, "parameters");
      const now = timestampOf(clock.now());
      const changed = await database.write((tx) => {
        const id = parseUuid(params.id);
        dropScheduledRuns(tx, id);
        tx.run("UPDATE deployment SET updated = ? WHERE id = ?", now, id);
        return tx.run(
          `UPDATE deployment_schedule SET updated = ?, active = coalesce(?, active), schedule = coalesce(?, schedule), parameters = coalesce(?, parameters)
           WHERE id = ? AND deployment_id = ?`,
          now,
          typeof change["active"] === "boolean" ? Number(change["active"]) : null,
          when === undefined ? null : stringifyJson(when),
          parameters === undefined ? null : stringifyJson(parameters),
          parseUuid(params.schedule),
          id,
        );
      });
      if (changed === 0) throw new ApiError(404, "Schedule not found.");
      return reply.status(204).send();
    },
  );

  app.delete<{ Params: ScheduleParams }>(
    "/deployments/:id/schedules/:schedule",
    async ({ params }, reply) => {
      const gone = await database.write((tx) => {
        const id = parseUuid(params.id);
        dropScheduledRuns(tx, id);
        // The other schedules' runs are made anew.
        tx.run("UPDATE deployment SET updated = ? WHERE id = ?", timestampOf(clock.now()), id);
        return tx.run(
          "DELETE FROM deployment_schedule WHERE id = ? AND deployment_id = ?",
          parseUuid(params.schedule),
          id,
        );
      });
      if (gone === 0) throw new ApiError(404, "Schedule not found.");
      return reply.status(204).send();
    },
  );
}
