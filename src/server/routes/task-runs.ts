import { randomUUID } from "node:crypto";

import { stringifyJson } from "../../json/stringify.ts";
import { countRows } from "../filters/conditions.ts";
import { clauseOf, compileFilters, pageReply, selectionOf } from "../filters/index.ts";
import {
  objectBody,
  objectOf,
  parseObject,
  parseUuid,
  pathUuid,
  requiredBody,
  requiredText,
  textOf,
  textsOf,
  uuidOf,
} from "../http/body.ts";
import { integrityConflict, notFound, unknownObject } from "../http/errors.ts";
import { jsonValue } from "../http/reply.ts";
import { parseState, rowOfState, stateOf, stateReply } from "../runs/state.ts";
import { objectColumn } from "../store/json-column.ts";
import { timestampOf } from "../store/timestamp.ts";
import { pageOfTaskRuns, selectTaskRuns } from "../tasks/row.ts";
import { writeTaskRunState } from "../tasks/state.ts";

import type { FastifyInstance } from "fastify";

import type { JsonObject } from "../../json/value.ts";
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
    const [run] = selectTaskRuns(database, "WHERE task_run.id = ?", [id]);
    if (run === undefined) throw notFound("Task");
    return run;
  }

  app.post("/task_runs", async ({ body }, reply) => {
    const given = requiredBody(body);
    const flowRunId = uuidOf(given, "flow_run_id") ?? null;
    const [taskKey, dynamicKey] = [requiredText(given, "task_key"), requiredText(given, "dynamic_key")];
    const now = timestampOf(clock.now());
    const state =
      (given["state"] ?? null) === null ? stateOf("PENDING") : parseState(given["state"] ?? null, now);
    const [name, cacheKey, version, policy, inputs, labels] = [
      textOf(given, "name") ?? `${taskKey.slice(0, 40)}-${dynamicKey.slice(0, 3)}`,
      textOf(given, "cache_key") ?? null,
      textOf(given, "task_version") ?? null,
      { ...DEFAULT_TASK_POLICY, ...objectOf(given, "empirical_policy") },
      objectOf(given, "task_inputs") ?? {},
      objectOf(given, "labels") ?? {},
    ];
    const tags = [...(textsOf(given, "tags") ?? [])];
    const newId = uuidOf(given, "id") ?? randomUUID();
    const { id, isNew } = await database.write((tx) => {
      const flowRun =
        flowRunId === null
          ? undefined
          : tx.get<{ labels: string }>("SELECT labels FROM flow_run WHERE id = ?", flowRunId);
      if (flowRunId !== null && flowRun === undefined) throw integrityConflict();
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
      tx.run(
        `INSERT INTO task_run (id, created, updated, name, flow_run_id, task_key, dynamic_key, cache_key, task_version, empirical_policy, tags, labels, task_inputs)
         VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)`,
        newId,
        now,
        now,
        name,
        flowRunId,
        taskKey,
        dynamicKey,
        cacheKey,
        version,
        stringifyJson(policy),
        stringifyJson(tags),
        stringifyJson({
          ...objectColumn(flowRun?.labels ?? "{}"),
          ...(flowRunId === null ? {} : { "prefect.flow-run.id": flowRunId }),
          ...labels,
        }),
        stringifyJson(inputs),
      );
      writeTaskRunState(
        context,
        tx,
        newId,
        rowOfState(state, state.timestamp ?? now, { task_run_id: newId, flow_run_id: flowRunId }),
      );
      return { id: newId, isNew: true };
    });
    return reply.status(isNew ? 201 : 200).send(getRun(id));
  });

  app.get<{ Params: IdParams }>("/task_runs/:id", ({ params }) => getRun(pathUuid(params.id)));

  app.patch<{ Params: IdParams }>("/task_runs/:id", async ({ params, body }, reply) => {
    const name = textOf(requiredBody(body), "name") ?? null;
    const changed = await database.write((tx) =>
      tx.run(
        "UPDATE task_run SET updated = ?, name = coalesce(?, name) WHERE id = ?",
        timestampOf(clock.now()),
        name,
        pathUuid(params.id),
      ),
    );
    if (changed === 0) throw notFound("Task run");
    return reply.status(204).send();
  });

  app.delete<{ Params: IdParams }>("/task_runs/:id", async ({ params }, reply) => {
    const gone = await database.write((tx) =>
      tx.run("DELETE FROM task_run WHERE id = ?", pathUuid(params.id)),
    );
    if (gone === 0) throw notFound("Task");
    return reply.status(204).send();
  });

  // Tasks are orchestrated by their engine; what it proposes is what is.
  app.post<{ Params: IdParams }>("/task_runs/:id/set_state", async ({ params, body }, reply) => {
    const id = pathUuid(params.id);
    const now = timestampOf(clock.now());
    const state = parseState(objectBody(body)["state"], now);
    const row = await database.write((tx) => {
      const run = tx.get<{ flow_run_id: string | null }>("SELECT flow_run_id FROM task_run WHERE id = ?", id);
      if (run === undefined) throw unknownObject("Task run", id);
      const written = rowOfState(state, state.timestamp ?? now, {
        task_run_id: id,
        flow_run_id: run.flow_run_id,
      });
      writeTaskRunState(context, tx, id, written);
      if (written.type === "RUNNING") {
        tx.run(
          "UPDATE task_run SET flow_run_run_count = coalesce((SELECT run_count FROM flow_run WHERE id = ?), 0) WHERE id = ?",
          run.flow_run_id,
          id,
        );
      }
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

  app.post("/task_runs/paginate", ({ body }) => {
    const given = objectBody(body);
    const count = countRows(database, "task_run", compileFilters("task_runs", given));
    return pageReply(given, count, (page) => {
      const { sql, values } = selectionOf("task_runs", given, page);
      return pageOfTaskRuns(database, sql, values);
    });
  });

  // Workers of background tasks connect by a WebSocket that is not served: none is ever there.
  app.post("/task_workers/filter", ({ body }) => {
    const filter = objectBody(body)["task_worker_filter"] ?? null;
    if (filter !== null) {
      const location = ["body", "task_worker_filter"];
      textsOf(parseObject(filter, location), "task_keys", location);
    }
    return [];
  });

  app.get<{ Params: IdParams }>("/task_run_states/:id", ({ params }) => {
    const state = database.get<StateRow>("SELECT * FROM task_run_state WHERE id = ?", pathUuid(params.id));
    if (state === undefined) throw notFound("Flow run state");
    return stateReply(state);
  });

  app.get<{ Querystring: { task_run_id?: string } }>("/task_run_states", ({ query }) =>
    database
      .all<StateRow>(
        "SELECT * FROM task_run_state WHERE task_run_id = ? ORDER BY timestamp, seq",
        parseUuid(query.task_run_id, ["query", "task_run_id"]),
      )
      .map((state) => stateReply(state)),
  );
}

/** A task's policy as far as nothing else was said. */
const DEFAULT_TASK_POLICY: JsonObject = {
  max_retries: 0,
  retry_delay_seconds: 0,
  retries: null,
  retry_delay: null,
  retry_jitter_factor: null,
};
