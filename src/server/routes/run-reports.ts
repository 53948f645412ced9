import { compileFilters } from "../filters/index.ts";
import { numberOf, objectBody, parseTime, pathUuid, timeOf } from "../http/body.ts";
import { ApiError, invalidRequest, notFound } from "../http/errors.ts";
import { jsonValue } from "../http/reply.ts";
import { logsAsCsv } from "../logs/csv.ts";
import { runDependencies, runGraph } from "../runs/graph.ts";
import { averageLateness, runHistory } from "../runs/history.ts";
import { findFlowRun } from "../runs/row.ts";

import type { FastifyInstance } from "fastify";

import type { JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";

interface IdParams {
  readonly id: string;
}

/** What pages draw from runs: histories, graphs, lateness, and a run's log as a file. */
export function addRunReportRoutes(app: FastifyInstance, { database, clock }: ServerContext): void {
  for (const [target, table] of [
    ["flow_runs", "flow_run"],
    ["task_runs", "task_run"],
  ] as const) {
    app.post(`/${target}/history`, ({ body }) => {
      const given = objectBody(body);
      const span = {
        start: required(timeOf(given, "history_start"), "history_start"),
        end: required(timeOf(given, "history_end"), "history_end"),
        intervalSeconds: required(numberOf(given, "history_interval_seconds"), "history_interval_seconds"),
      };
      if (span.intervalSeconds < 1)
        throw new ApiError(422, "History interval must not be less than 1 second.");
      return runHistory(database, table, compileFilters(target, given), span, clock.now());
    });
  }

  app.post("/flow_runs/lateness", ({ body }) =>
    jsonValue(averageLateness(database, compileFilters("flow_runs", objectBody(body)), clock.now())),
  );

  app.get<{ Params: IdParams }>("/flow_runs/:id/graph", ({ params }) =>
    runDependencies(database, pathUuid(params.id)),
  );

  app.get<{ Params: IdParams; Querystring: { since?: string } }>(
    "/flow_runs/:id/graph-v2",
    ({ params, query }) =>
      runGraph(
        database,
        pathUuid(params.id),
        query.since === undefined ? "" : parseTime(query.since, ["query", "since"]),
      ),
  );

  app.get<{ Params: IdParams }>("/flow_runs/:id/logs/download", async ({ params }, reply) => {
    const run = findFlowRun(database, pathUuid(params.id));
    if (run === undefined) throw notFound("Flow run");
    const filename = encodeURIComponent(`${run.name}-logs.csv`);
    return reply
      .type("text/csv; charset=utf-8")
      .header("content-disposition", `attachment; filename="flow-run-logs.csv"; filename*=UTF-8''${filename}`)
      .send(logsAsCsv(database, run.id));
  });
}

function required<T>(value: T | undefined, key: keyof JsonObject & string): T {
  if (value === undefined) throw invalidRequest(["body", key], "Field required");
  return value;
}
