import { randomUUID } from "node:crypto";

import { stringifyJson } from "../../json/stringify.ts";
import { countRows } from "../filters/conditions.ts";
import { clauseOf, compileFilters } from "../filters/index.ts";
import { objectBody, objectOf, parseUuid, textOf, textsOf } from "../http/body.ts";
import { invalidRequest, notFound } from "../http/errors.ts";
import { jsonValue } from "../http/reply.ts";
import { parseState, rowOfState, stateReply } from "../runs/state.ts";
import { timestampOf } from "../store/timestamp.ts";
import { selectTaskRuns } from "../tasks/row.ts";
import { writeTaskRunState } from "../tasks/state.ts";

import type { FastifyInstance } from "fastify";

import type { ServerContext } from "../context.ts";
import type { Reply } from "../http/reply.ts";
import type { StateRow } from "../runs/state.ts";

interface IdParams {
  readonly id: string;
}

/** Task runs: 3.x engines report theirs as events and make one by a call only for a subflow; 2.x engines make all by calls. */
export function addTaskRunRoutes(app: FastifyInstance, context: ServerContext): void {
  const { database, clock } = context;

  function getRun(id: string): Reply {
    const [run] = selectTaskRuns(database, "WHERE task_run.id = ?", [parseUuid(id)]);
    if (run === undefined) throw notFound("Task");
    return run;
  }

  app.post("/task_runs", async ({ body }, reply) => {
    const given = objectBody(body);
    const taskKey = textOf(given, "task_key");
    const dynamicKey = textOf(given, "dynamic_key");
    if (taskKey === undefined || dynamicKey === undefined) {
      throw invalidRequest(["body", taskKey === undefined ? "task_key" : "dynamic_key"], "Field required");
    }
    const flowRun = textOf(given, "flow_run_id");
    const flowRunId = flowRun === undefined ? null : parseUuid(flowRun);
    const now = timestampOf(clock.now());
    const state =
      given["state"] === undefined || given["state"] === null ? undefined : parseState(given["state"], now);
    const { id, isNew } = await database.write((tx) => {
      const known =
        flowRunId === null
          ? undefined
          : tx.get<{ id: string }>(
              "SELECT id FROM task_run WHERE flow_run_id = ? AND task_key = ? AND dynamic_key = ?",
              flowRunId,
              taskKey,
              dynamicKey,
            );
      if (known !== undefined) return { id: known.id, isNew: false };
      const wanted = textOf(given, "id");
      const newId = wanted === undefined ? randomUUID() : parseUuid(wanted);
      tx.run(
        `INSERT INTO task_run (id, created, updated, name, flow_run_id, task_key, dynamic_key, cache_key, task_version, empirical_policy, tags, labels, task_inputs)
         VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)`,
        newId,
        now,
        now,
        textOf(given, "name") ?? `${taskKey.slice(0, 40)}-${dynamicKey.slice(0, 3)}`,
        flowRunId,
        taskKey,
        dynamicKey,
        textOf(given, "cache_key") ?? null,
        textOf(given, "task_version") ?? null,
        stringifyJson(objectOf(given, "empirical_policy") ?? {}),
        stringifyJson([...(textsOf(given, "tags") ?? [])]),
        stringifyJson(objectOf(given, "labels") ?? {}),
        stringifyJson(objectOf(given, "task_inputs") ?? {}),
      );
      if (state !== undefined) {
        writeTaskRunState(
          context,
          tx,
          newId,
          rowOfState(state, state.timestamp ?? now, { task_run_id: newId, flow_run_id: flowRunId }),
        );
      }
      return { id: newId, isNew: true };
    });
    return reply.status(isNew ? 201 : 200).send(getRun(id));
  });

  app.get<{ Params: IdParams }>("/task_runs/:id", ({ params }) => getRun(params.id));

  app.patch<{ Params: IdParams }>("/task_runs/:id", async ({ params, body }, reply) => {
    const changed = await database.write((tx) =>
      tx.run(
        "UPDATE task_run SET updated = ?, name = coalesce(?, name) WHERE id = ?",
        timestampOf(clock.now()),
        textOf(objectBody(body), "name") ?? null,
        parseUuid(params.id),
      ),
    );
    if (changed === 0) throw notFound("Task run");
    return reply.status(204).send();
  });

  app.delete<{ Params: IdParams }>("/task_runs/:id", async ({ params }, reply) => {
    const gone = await database.write((tx) =>
      tx.run("DELETE FROM task_run WHERE id = ?", parseUuid(params.id)),
    );
    if (gone === 0) throw notFound("Task run");
    return reply.status(204).send();
  });

  // Tasks are orchestrated by their engine; what it proposes is what is.
  app.post<{ Params: IdParams }>("/task_runs/:id/set_state", async ({ params, body }, reply) => {
    const id = parseUuid(params.id);
    const now = timestampOf(clock.now());
    const state = parseState(objectBody(body)["state"], now);
    const row = await database.write((tx) => {
      const run = tx.get<{ flow_run_id: string | null }>("SELECT flow_run_id FROM task_run WHERE id = ?", id);
      if (run === undefined) throw notFound("Task run");
      const written = rowOfState(state, state.timestamp ?? now, {
        task_run_id: id,
        flow_run_id: run.flow_run_id,
      });
      writeTaskRunState(context, tx, id, written);
      return written;
    });
    return reply
      .status(201)
      .send({ state: stateReply(row), status: "ACCEPT", details: { type: "accept_details" } });
  });

  app.post("/task_runs/filter", ({ body }) => {
    const { sql, values } = clauseOf("task_runs", objectBody(body));
    return selectTaskRuns(database, sql, values);
  });

  app.post("/task_runs/count", ({ body }) =>
    jsonValue(countRows(database, "task_run", compileFilters("task_runs", objectBody(body)))),
  );

  app.get<{ Querystring: { task_run_id?: string } }>("/task_run_states", ({ query }) =>
    database
      .all<StateRow>(
        "SELECT * FROM task_run_state WHERE task_run_id = ? ORDER BY timestamp, seq",
        parseUuid(query.task_run_id, ["query", "task_run_id"]),
      )
      .map((state) => stateReply(state)),
  );
}
