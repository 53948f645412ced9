import { stringifyJson } from "../../json/stringify.ts";
import { countRows } from "../filters/conditions.ts";
import { clauseOf, compileFilters } from "../filters/index.ts";
import { objectBody, objectOf, parseUuid, textOf, textsOf } from "../http/body.ts";
import { ApiError, invalidRequest, notFound } from "../http/errors.ts";
import { jsonValue } from "../http/reply.ts";
import { apiClientOf } from "../runs/api-client.ts";
import { createFlowRun } from "../runs/create.ts";
import { deleteFlowRun } from "../runs/delete.ts";
import { resumeFlowRun } from "../runs/resume.ts";
import { findFlowRun, findState, flowRunReply, selectFlowRuns } from "../runs/row.ts";
import { orchestrationReply, setFlowRunState } from "../runs/set-state.ts";
import { parseState, stateOf, stateReply } from "../runs/state.ts";
import { objectColumn } from "../store/json-column.ts";
import { timestampOf } from "../store/timestamp.ts";
import { addFlowRunInputRoutes } from "./flow-run-inputs.ts";

import type { FastifyInstance } from "fastify";

import type { JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { Reply } from "../http/reply.ts";
import type { StateRow } from "../runs/state.ts";

interface IdParams {
  readonly id: string;
}

/** Flow runs and their states (prefect/server/api/flow_runs.py, flow_run_states.py). */
export function addFlowRunRoutes(app: FastifyInstance, context: ServerContext): void {
  const { database, clock } = context;
  const now = (): string => timestampOf(clock.now());

  function getRun(id: string): Reply {
    const run = flowRunReply(database, parseUuid(id), clock.now());
    if (run === undefined) throw notFound("Flow run");
    return run;
  }

  app.post("/flow_runs", async ({ body }, reply) => {
    const given = objectBody(body);
    const flowId = parseUuid(given["flow_id"], ["body", "flow_id"]);
    const parent = textOf(given, "parent_task_run_id");
    const deploymentId = textOf(given, "deployment_id");
    const state =
      given["state"] === undefined || given["state"] === null
        ? stateOf("PENDING")
        : parseState(given["state"], now());
    const { id, isNew } = await database.write((tx) => {
      if (tx.get("SELECT 1 FROM flow WHERE id = ?", flowId) === undefined) throw notFound("Flow");
      return createFlowRun(context, tx, {
        flowId,
        state,
        name: textOf(given, "name"),
        deploymentId: deploymentId === undefined ? undefined : parseUuid(deploymentId),
        flowVersion: textOf(given, "flow_version") ?? null,
        parameters: objectOf(given, "parameters") ?? {},
        context: objectOf(given, "context") ?? {},
        empiricalPolicy: objectOf(given, "empirical_policy") ?? {},
        tags: textsOf(given, "tags") ?? [],
        labels: objectOf(given, "labels") ?? {},
        jobVariables: objectOf(given, "job_variables") ?? {},
        idempotencyKey: textOf(given, "idempotency_key") ?? null,
        parentTaskRunId: parent === undefined ? null : parseUuid(parent),
      });
    });
    return reply.status(isNew ? 201 : 200).send(getRun(id));
  });

  app.get<{ Params: IdParams }>("/flow_runs/:id", ({ params }) => getRun(params.id));

  app.patch<{ Params: IdParams }>("/flow_runs/:id", async ({ params, body }, reply) => {
    await database.write((tx) => {
      const id = parseUuid(params.id);
      const run = findFlowRun(tx, id);
      if (run === undefined) throw notFound("Flow run");
      const change = objectBody(body);
      const policy = objectOf(change, "empirical_policy");
      // What the rules keep there is theirs.
      const retryType = objectColumn(run.empirical_policy)["retry_type"] ?? null;
      tx.run(
        `UPDATE flow_run SET updated = ?, name = ?, flow_version = ?, parameters = ?, empirical_policy = ?, tags = ?, infrastructure_pid = ?, job_variables = ? WHERE id = ?`,
        now(),
        textOf(change, "name") ?? run.name,
        textOf(change, "flow_version") ?? run.flow_version,
        jsonOr(objectOf(change, "parameters"), run.parameters),
        policy === undefined
          ? run.empirical_policy
          : stringifyJson({ ...policy, retry_type: policy["retry_type"] ?? retryType }),
        jsonOr(textsOf(change, "tags"), run.tags),
        "infrastructure_pid" in change
          ? (textOf(change, "infrastructure_pid") ?? null)
          : run.infrastructure_pid,
        jsonOr(objectOf(change, "job_variables"), run.job_variables),
        id,
      );
    });
    return reply.status(204).send();
  });

  app.patch<{ Params: IdParams }>("/flow_runs/:id/labels", async ({ params, body }, reply) => {
    await database.write((tx) => {
      const id = parseUuid(params.id);
      const run = findFlowRun(tx, id);
      if (run === undefined) throw notFound("Flow run");
      const labels = objectColumn(run.labels);
      tx.run(
        "UPDATE flow_run SET updated = ?, labels = ? WHERE id = ?",
        now(),
        stringifyJson({ ...labels, ...objectBody(body) }),
        id,
      );
    });
    return reply.status(204).send();
  });

  app.delete<{ Params: IdParams }>("/flow_runs/:id", async ({ params }, reply) => {
    await database.write((tx) => deleteFlowRun(context, tx, parseUuid(params.id)));
    return reply.status(204).send();
  });

  app.post<{ Params: IdParams }>("/flow_runs/:id/set_state", async ({ params, body, headers }, reply) => {
    const given = objectBody(body);
    const state = parseState(given["state"], now());
    const options = {
      policy: given["force"] === true ? "forced" : "core",
      client: apiClientOf(headers["user-agent"]),
    } as const;
    const outcome = await database.write((tx) =>
      setFlowRunState(context, tx, parseUuid(params.id), state, options),
    );
    return reply.status(outcome.isNew ? 201 : 200).send(orchestrationReply(outcome));
  });

  app.post<{ Params: IdParams }>("/flow_runs/:id/resume", async ({ params, body }, reply) => {
    const id = parseUuid(params.id);
    const input = objectOf(objectBody(body), "run_input");
    const tools = await context.schemaTools();
    const outcome = await database.write((tx) => resumeFlowRun(context, tx, tools, id, input));
    return reply.status(outcome.isNew ? 201 : 200).send(orchestrationReply(outcome));
  });

  app.post("/flow_runs/filter", ({ body }) => {
    const { sql, values } = clauseOf("flow_runs", objectBody(body));
    return selectFlowRuns(database, sql, values, clock.now());
  });

  app.post("/flow_runs/count", ({ body }) =>
    jsonValue(countRows(database, "flow_run", compileFilters("flow_runs", objectBody(body)))),
  );

  app.post("/flow_runs/paginate", ({ body }) => {
    const given = objectBody(body);
    const page = Number(given["page"] ?? 1);
    const limit = Number(given["limit"] ?? 200);
    if (!Number.isInteger(page) || page < 1)
      throw invalidRequest(["body", "page"], "Input should be greater than 0", given["page"] ?? null);
    const { sql, values } = clauseOf("flow_runs", { ...given, limit, offset: (page - 1) * limit });
    const count = countRows(database, "flow_run", compileFilters("flow_runs", given));
    return {
      results: selectFlowRuns(database, sql, values, clock.now()),
      count,
      limit,
      pages: Math.ceil(count / Math.max(1, limit)),
      page,
    };
  });

  app.get<{ Querystring: { flow_run_id?: string } }>("/flow_run_states", ({ query }) =>
    database
      .all<StateRow>(
        "SELECT * FROM flow_run_state WHERE flow_run_id = ? ORDER BY seq",
        parseUuid(query.flow_run_id, ["query", "flow_run_id"]),
      )
      .map((state) => stateReply(state)),
  );

  app.get<{ Params: IdParams }>("/flow_run_states/:id", ({ params }) => {
    const state = findState(database, parseUuid(params.id));
    if (state === undefined) throw new ApiError(404, "Flow run state not found");
    return stateReply(state);
  });

  addFlowRunInputRoutes(app, context);
}

function jsonOr(value: JsonObject | readonly string[] | undefined, text: string | null): string | null {
  return value === undefined ? text : stringifyJson(value);
}
