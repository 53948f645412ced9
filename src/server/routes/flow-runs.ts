import { stringifyJson } from "../../json/stringify.ts";
import { countRows } from "../filters/conditions.ts";
import { bulkLimitOf, clauseOf, compileFilters, pageReply, selectionOf } from "../filters/index.ts";
import {
  booleanOf,
  objectBody,
  objectOf,
  parseUuid,
  pathUuid,
  requiredBody,
  textOf,
  textsOf,
  uuidOf,
} from "../http/body.ts";
import { ApiError, notFound, unknownObject } from "../http/errors.ts";
import { jsonValue } from "../http/reply.ts";
import { ensureQueue, getQueue } from "../pools/queues.ts";
import { apiClientOf } from "../runs/api-client.ts";
import { DEFAULT_POLICY, createFlowRun } from "../runs/create.ts";
import { deleteFlowRun } from "../runs/delete.ts";
import { resumeFlowRun } from "../runs/resume.ts";
import { findFlowRun, findState, flowRunReply, selectFlowRuns } from "../runs/row.ts";
import { orchestrationReply, setFlowRunState } from "../runs/set-state.ts";
import { parseState, stateOf, stateReply } from "../runs/state.ts";
import { objectColumn } from "../store/json-column.ts";
import { timestampOf } from "../store/timestamp.ts";
import { addFlowRunInputRoutes } from "./flow-run-inputs.ts";
import { addRunReportRoutes } from "./run-reports.ts";

import type { IncomingHttpHeaders } from "node:http";

import type { FastifyInstance } from "fastify";

import type { JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { Condition } from "../filters/conditions.ts";
import type { Reply } from "../http/reply.ts";
import type { FlowRunRow } from "../runs/row.ts";
import type { Transaction } from "../store/database.ts";
import type { StateRow } from "../runs/state.ts";

interface IdParams {
  readonly id: string;
}

/** Flow runs and their states (prefect/server/api/flow_runs.py, flow_run_states.py). */
export function addFlowRunRoutes(app: FastifyInstance, context: ServerContext): void {
  const { database, clock } = context;
  const now = (): string => timestampOf(clock.now());

  function getRun(id: string): Reply {
    const run = flowRunReply(database, id, clock.now());
    if (run === undefined) throw notFound("Flow run");
    return run;
  }

  app.post("/flow_runs", async ({ body }, reply) => {
    const given = requiredBody(body);
    const poolName = textOf(given, "work_pool_name");
    const queueName = textOf(given, "work_queue_name");
    const input = {
      flowId: parseUuid(given["flow_id"], ["body", "flow_id"]),
      state:
        (given["state"] ?? null) === null ? stateOf("PENDING") : parseState(given["state"] ?? null, now()),
      name: textOf(given, "name"),
      deploymentId: uuidOf(given, "deployment_id"),
      flowVersion: textOf(given, "flow_version") ?? null,
      parameters: objectOf(given, "parameters") ?? {},
      context: objectOf(given, "context") ?? {},
      empiricalPolicy: objectOf(given, "empirical_policy") ?? {},
      tags: textsOf(given, "tags") ?? [],
      jobVariables: objectOf(given, "job_variables"),
      idempotencyKey: textOf(given, "idempotency_key") ?? null,
      parentTaskRunId: uuidOf(given, "parent_task_run_id") ?? null,
    };
    const labels = objectOf(given, "labels") ?? {};
    const { id, isNew } = await database.write((tx) => {
      const queue =
        poolName === undefined
          ? undefined
          : queueName === undefined
            ? ensureQueue(context, tx, poolName, null)
            : getQueue(tx, poolName, queueName);
      const flow = tx.get<{ labels: string }>("SELECT labels FROM flow WHERE id = ?", input.flowId);
      return createFlowRun(context, tx, {
        ...input,
        workQueueId: queue?.id ?? null,
        workQueueName: queue?.name ?? null,
        labels: { ...objectColumn(flow?.labels ?? "{}"), ...labels },
      });
    });
    return reply.status(isNew ? 201 : 200).send(getRun(id));
  });

  app.get<{ Params: IdParams }>("/flow_runs/:id", ({ params }) => getRun(pathUuid(params.id)));

  app.patch<{ Params: IdParams }>("/flow_runs/:id", async ({ params, body }, reply) => {
    const change = requiredBody(body);
    const [name, version, pid] = [
      textOf(change, "name"),
      textOf(change, "flow_version"),
      textOf(change, "infrastructure_pid"),
    ];
    const [parameters, policy, jobVariables] = [
      objectOf(change, "parameters"),
      objectOf(change, "empirical_policy"),
      objectOf(change, "job_variables"),
    ];
    const tags = textsOf(change, "tags");
    await database.write((tx) => {
      const id = pathUuid(params.id);
      const run = findFlowRun(tx, id);
      if (run === undefined) throw notFound("Flow run");
      if (jobVariables !== undefined) requireChangeable(tx, run);
      // What the rules keep there is theirs.
      const retryType = objectColumn(run.empirical_policy)["retry_type"] ?? null;
      tx.run(
        `UPDATE flow_run SET updated = ?, name = ?, flow_version = ?, parameters = ?, empirical_policy = ?, tags = ?, infrastructure_pid = ?, job_variables = ? WHERE id = ?`,
        now(),
        name ?? run.name,
        version ?? run.flow_version,
        jsonOr(parameters, run.parameters),
        policy === undefined
          ? run.empirical_policy
          : stringifyJson({ ...DEFAULT_POLICY, retry_type: retryType, ...policy }),
        jsonOr(tags, run.tags),
        "infrastructure_pid" in change ? (pid ?? null) : run.infrastructure_pid,
        jsonOr(jobVariables, run.job_variables),
        id,
      );
    });
    return reply.status(204).send();
  });

  app.patch<{ Params: IdParams }>("/flow_runs/:id/labels", async ({ params, body }, reply) => {
    const added = requiredBody(body);
    await database.write((tx) => {
      const id = pathUuid(params.id);
      const run = findFlowRun(tx, id);
      if (run === undefined) throw unknownObject("Flow run", id);
      tx.run(
        "UPDATE flow_run SET updated = ?, labels = ? WHERE id = ?",
        now(),
        stringifyJson({ ...objectColumn(run.labels), ...added }),
        id,
      );
    });
    return reply.status(204).send();
  });

  app.delete<{ Params: IdParams }>("/flow_runs/:id", async ({ params }, reply) => {
    await database.write((tx) => deleteFlowRun(context, tx, pathUuid(params.id)));
    return reply.status(204).send();
  });

  /** The runs that a request about many chooses. */
  function chosen(tx: Transaction, filter: Condition): FlowRunRow[] {
    return tx.all<FlowRunRow>(`SELECT flow_run.* FROM flow_run ${filter.sql}`, ...filter.values);
  }

  app.post("/flow_runs/bulk_delete", ({ body }) => {
    const filter = bulkFilter(objectBody(body));
    return database.write((tx) => {
      const runs = chosen(tx, filter);
      for (const { id } of runs) deleteFlowRun(context, tx, id);
      return { deleted: runs.map(({ id }) => id) };
    });
  });

  app.post("/flow_runs/bulk_set_state", ({ body, headers }) => {
    const given = objectBody(body);
    const state = parseState(given["state"], now());
    const options = proposalOf(given, headers);
    const filter = bulkFilter(given);
    return database.write((tx) => ({
      results: chosen(tx, filter).map(({ id }) => {
        const outcome = orchestrationReply(setFlowRunState(context, tx, id, state, options));
        return { flow_run_id: id, ...outcome };
      }),
    }));
  });

  app.post<{ Params: IdParams }>("/flow_runs/:id/set_state", async ({ params, body, headers }, reply) => {
    const given = objectBody(body);
    const state = parseState(given["state"], now());
    const options = proposalOf(given, headers);
    const outcome = await database.write((tx) =>
      setFlowRunState(context, tx, pathUuid(params.id), state, options),
    );
    return reply.status(outcome.isNew ? 201 : 200).send(orchestrationReply(outcome));
  });

  app.post<{ Params: IdParams }>("/flow_runs/:id/resume", async ({ params, body }, reply) => {
    const id = pathUuid(params.id);
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
    const count = countRows(database, "flow_run", compileFilters("flow_runs", given));
    return pageReply(given, count, (page) => {
      const { sql, values } = selectionOf("flow_runs", given, page);
      return selectFlowRuns(database, sql, values, clock.now());
    });
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
    const state = findState(database, pathUuid(params.id));
    if (state === undefined) throw new ApiError(404, "Flow run state not found");
    return stateReply(state);
  });

  addFlowRunInputRoutes(app, context);
  addRunReportRoutes(app, context);
}

/** How a request proposes a state: by which rules, and as which client. */
function proposalOf(
  body: JsonObject,
  headers: IncomingHttpHeaders,
): Parameters<typeof setFlowRunState>[4] & object {
  return {
    policy: booleanOf(body, "force") === true ? "forced" : "core",
    client: apiClientOf(headers["user-agent"]),
  };
}

/** The condition on the runs of a request about many; only their own filter counts. */
function bulkFilter(body: JsonObject): Condition {
  return selectionOf(
    "flow_runs",
    { flow_runs: body["flow_runs"] ?? null },
    { limit: bulkLimitOf(body), offset: 0 },
  );
}

/** Job variables may be changed only before a worker has read them. Throws a 400 otherwise. */
function requireChangeable(tx: Transaction, run: FlowRunRow): void {
  if (run.state_type !== "SCHEDULED")
    throw new ApiError(400, `Job variables for a flow run in state ${run.state_type} cannot be updated`);
  const isDeployed =
    run.deployment_id !== null &&
    tx.get("SELECT 1 FROM deployment WHERE id = ?", run.deployment_id) !== undefined;
  if (!isDeployed) throw new ApiError(400, "A deployment for the flow run could not be found");
}

function jsonOr(value: JsonObject | readonly string[] | undefined, text: string | null): string | null {
  return value === undefined ? text : stringifyJson(value);
}
