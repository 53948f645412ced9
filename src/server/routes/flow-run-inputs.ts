import { randomUUID } from "node:crypto";

import {
  integerOf,
  objectBody,
  pathUuid,
  requiredBody,
  requiredText,
  textOf,
  textsOf,
} from "../http/body.ts";
import { ApiError } from "../http/errors.ts";
import { jsonValue } from "../http/reply.ts";
import { timestampOf } from "../store/timestamp.ts";

import type { FastifyInstance } from "fastify";

import type { ServerContext } from "../context.ts";

interface InputRow {
  readonly id: string;
  readonly created: string;
  readonly updated: string;
  readonly flow_run_id: string;
  readonly key: string;
  readonly value: string;
  readonly sender: string | null;
}

interface Params {
  readonly id: string;
  readonly key: string;
}

/** Inputs of flow runs that wait for them: pause and suspend with `wait_for_input`, send and receive. */
export function addFlowRunInputRoutes(app: FastifyInstance, { database, clock }: ServerContext): void {
  app.post<{ Params: Params }>("/flow_runs/:id/input", async ({ params, body }, reply) => {
    const given = requiredBody(body);
    const [key, value] = [requiredText(given, "key"), requiredText(given, "value")];
    const now = timestampOf(clock.now());
    const id = pathUuid(params.id);
    await database.write((tx) => {
      if (tx.get("SELECT 1 FROM flow_run WHERE id = ?", id) === undefined)
        throw new ApiError(404, "Flow run not found");
      const added = tx.run(
        "INSERT OR IGNORE INTO flow_run_input (id, created, updated, flow_run_id, key, value, sender) VALUES (?,?,?,?,?,?,?)",
        randomUUID(),
        now,
        now,
        id,
        key,
        value,
        textOf(given, "sender") ?? null,
      );
      if (added === 0) throw new ApiError(409, "A flow run input with this key already exists.");
    });
    return reply.status(201).send(jsonValue(null));
  });

  app.post<{ Params: Params }>("/flow_runs/:id/input/filter", ({ params, body }) => {
    const given = objectBody(body);
    const prefix = requiredText(given, "prefix");
    const excluded = new Set(textsOf(given, "exclude_keys"));
    return database
      .all<InputRow>(
        "SELECT * FROM flow_run_input WHERE flow_run_id = ? AND substr(key, 1, ?) = ? ORDER BY created",
        pathUuid(params.id),
        prefix.length,
        prefix,
      )
      .filter(({ key }) => !excluded.has(key))
      .slice(0, integerOf(given, "limit") ?? 1)
      .map((row) => ({ ...row }));
  });

  app.get<{ Params: Params }>("/flow_runs/:id/input/:key", async ({ params }, reply) => {
    const row = database.get<InputRow>(
      "SELECT * FROM flow_run_input WHERE flow_run_id = ? AND key = ?",
      pathUuid(params.id),
      params.key,
    );
    if (row === undefined) throw new ApiError(404, "Flow run input not found");
    return reply.type("text/plain; charset=utf-8").send(row.value);
  });

  app.delete<{ Params: Params }>("/flow_runs/:id/input/:key", async ({ params }, reply) => {
    const gone = await database.write((tx) =>
      tx.run("DELETE FROM flow_run_input WHERE flow_run_id = ? AND key = ?", pathUuid(params.id), params.key),
    );
    if (gone === 0) throw new ApiError(404, "Flow run input not found");
    return reply.status(204).send();
  });
}
