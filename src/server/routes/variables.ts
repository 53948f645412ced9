import { randomUUID } from "node:crypto";

import { stringifyJson } from "../../json/stringify.ts";
import { countRows, filterBy, idField, joined, tagsField, textField } from "../filters/conditions.ts";
import { orderOf, pageOf } from "../filters/index.ts";
import { objectBody, pathUuid, requiredBody, textOf, textsOf } from "../http/body.ts";
import { ApiError, invalidRequest } from "../http/errors.ts";
import { jsonText, jsonValue } from "../http/reply.ts";
import { timestampOf } from "../store/timestamp.ts";

import type { FastifyInstance } from "fastify";

import type { JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { Reply } from "../http/reply.ts";
import type { Transaction } from "../store/database.ts";

interface VariableRow {
  readonly id: string;
  readonly created: string;
  readonly updated: string;
  readonly name: string;
  readonly value: string;
  readonly tags: string;
}

const NAME = /^[a-z0-9]+(?:[_-][a-z0-9]+)*$/;
const FIELDS = { id: idField("id"), name: textField("name"), tags: tagsField("tags") };
const ORDERS = {
  CREATED_DESC: "created DESC",
  UPDATED_DESC: "updated DESC",
  NAME_DESC: "name DESC",
  NAME_ASC: "name",
};
const MAX_NAME = 255;
const MAX_VALUE = 5000;

/** Variables: any JSON value by name (prefect/server/api/variables.py). */
export function addVariableRoutes(app: FastifyInstance, { database, clock }: ServerContext): void {
  app.post("/variables", async ({ body }, reply) => {
    const given = requiredBody(body);
    const name = nameOf(given);
    if (name === undefined) throw invalidRequest(["body", "name"], "Field required");
    if (given["value"] === undefined) throw invalidRequest(["body", "value"], "Field required");
    const value = valueText(given);
    const now = timestampOf(clock.now());
    const id = randomUUID();
    const tags = stringifyJson([...(textsOf(given, "tags") ?? [])]);
    const added = await database.write((tx) =>
      tx.run(
        "INSERT OR IGNORE INTO variable (id, created, updated, name, value, tags) VALUES (?,?,?,?,?,?)",
        id,
        now,
        now,
        name,
        value,
        tags,
      ),
    );
    if (added === 0) throw new ApiError(409, `A variable with the name '${name}' already exists.`);
    return reply.status(201).send(variableReply({ id, created: now, updated: now, name, value, tags }));
  });

  app.post("/variables/filter", ({ body }) => {
    const given = objectBody(body);
    const { limit, offset } = pageOf(given);
    const { sql, values } = conditionOf(given);
    const order = orderOf(given, ORDERS) ?? "name";
    return database
      .all<VariableRow>(
        `SELECT * FROM variable WHERE ${sql} ORDER BY ${order} LIMIT ? OFFSET ?`,
        ...values,
        limit,
        offset,
      )
      .map((row) => variableReply(row));
  });

  app.post("/variables/count", ({ body }) =>
    jsonValue(countRows(database, "variable", conditionOf(objectBody(body)))),
  );

  for (const [path, column, keyOf] of [
    ["/variables/:key", "id", pathUuid],
    ["/variables/name/:key", "name", String],
  ] as const) {
    app.get<{ Params: { key: string } }>(path, ({ params }) => {
      const row = database.get<VariableRow>(`SELECT * FROM variable WHERE ${column} = ?`, keyOf(params.key));
      if (row === undefined) throw new ApiError(404, "Variable not found.");
      return variableReply(row);
    });

    app.patch<{ Params: { key: string } }>(path, async ({ params, body }, reply) => {
      const change = requiredBody(body);
      const changed = await database.write((tx) =>
        changeVariable(tx, column, keyOf(params.key), change, timestampOf(clock.now())),
      );
      if (changed === 0) throw new ApiError(404, "Variable not found.");
      return reply.status(204).send();
    });

    app.delete<{ Params: { key: string } }>(path, async ({ params }, reply) => {
      const gone = await database.write((tx) =>
        tx.run(`DELETE FROM variable WHERE ${column} = ?`, keyOf(params.key)),
      );
      if (gone === 0) throw new ApiError(404, "Variable not found.");
      return reply.status(204).send();
    });
  }
}

function changeVariable(
  tx: Transaction,
  column: "id" | "name",
  key: string,
  change: JsonObject,
  now: string,
): number {
  const tags = textsOf(change, "tags");
  return tx.run(
    `UPDATE variable SET updated = ?, name = coalesce(?, name), value = coalesce(?, value), tags = coalesce(?, tags) WHERE ${column} = ?`,
    now,
    nameOf(change) ?? null,
    change["value"] === undefined ? null : valueText(change),
    tags === undefined ? null : stringifyJson([...tags]),
    key,
  );
}

function conditionOf(body: JsonObject): ReturnType<typeof joined> {
  return joined(filterBy(FIELDS, body["variables"], ["body", "variables"]));
}

function nameOf(body: JsonObject): string | undefined {
  const name = textOf(body, "name");
  if (name === undefined) return undefined;
  if (name.length <= MAX_NAME && NAME.test(name)) return name;
  throw invalidRequest(
    ["body", "name"],
    "Variable name must only contain lowercase letters, numbers, and dashes or underscores.",
    name,
  );
}

function valueText(body: JsonObject): string {
  const text = stringifyJson(body["value"] ?? null);
  if (text.length <= MAX_VALUE) return text;
  throw invalidRequest(["body", "value"], `Value must be less than ${MAX_VALUE} characters`);
}

function variableReply(row: VariableRow): Reply {
  return {
    id: row.id,
    created: row.created,
    updated: row.updated,
    name: row.name,
    value: jsonText(row.value),
    tags: jsonText(row.tags),
  };
}
