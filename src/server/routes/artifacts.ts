import { randomUUID } from "node:crypto";

import { v5 as uuidv5 } from "uuid";

import { stringifyJson } from "../../json/stringify.ts";
import { condition, countRows, filterBy, idField, joined, textField } from "../filters/conditions.ts";
import { compileFilters, orderOf, pageOf } from "../filters/index.ts";
import { objectBody, objectOf, pathUuid, requiredBody, textOf, uuidOf } from "../http/body.ts";
import { ApiError, invalidRequest } from "../http/errors.ts";
import { jsonText, jsonValue } from "../http/reply.ts";
import { timestampOf } from "../store/timestamp.ts";

import type { FastifyInstance } from "fastify";

import type { JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { Condition, Fields } from "../filters/conditions.ts";
import type { Reply } from "../http/reply.ts";

interface ArtifactRow {
  readonly id: string;
  readonly created: string;
  readonly updated: string;
  readonly key: string | null;
  readonly type: string | null;
  readonly description: string | null;
  readonly data: string | null;
  readonly metadata_: string | null;
  readonly flow_run_id: string | null;
  readonly task_run_id: string | null;
}

interface Params {
  readonly key: string;
}

const ORDERS: Readonly<Record<string, string>> = {
  CREATED_DESC: "created DESC, seq DESC",
  UPDATED_DESC: "updated DESC, seq DESC",
  ID_DESC: "id DESC",
  KEY_ASC: "key",
  KEY_DESC: "key DESC",
};
const LATEST = condition(
  "key IS NOT NULL AND seq = (SELECT max(seq) FROM artifact other WHERE other.key = artifact.key)",
);

/** Artifacts of runs; those that share a key are versions of one thing (prefect/server/api/artifacts.py). */
export function addArtifactRoutes(app: FastifyInstance, { database, clock }: ServerContext): void {
  app.post("/artifacts", async ({ body }, reply) => {
    const given = requiredBody(body);
    const id = randomUUID();
    const now = timestampOf(clock.now());
    const key = textOf(given, "key") ?? null;
    if (key !== null && !/^[a-z0-9-]*$/.test(key)) {
      throw invalidRequest(
        ["body", "key"],
        "Artifact key must only contain lowercase letters, numbers, and dashes.",
        key,
      );
    }
    const metadata = objectOf(given, "metadata_");
    await database.write((tx) =>
      tx.run(
        "INSERT INTO artifact (id, created, updated, key, type, description, data, metadata_, flow_run_id, task_run_id) VALUES (?,?,?,?,?,?,?,?,?,?)",
        id,
        now,
        now,
        key,
        textOf(given, "type") ?? null,
        textOf(given, "description") ?? null,
        given["data"] === undefined || given["data"] === null ? null : stringifyJson(given["data"]),
        metadata === undefined ? null : stringifyJson(metadata),
        uuidOf(given, "flow_run_id") ?? null,
        uuidOf(given, "task_run_id") ?? null,
      ),
    );
    return reply.status(201).send(artifactReply(find("id = ?", id)));
  });

  app.get<{ Params: Params }>("/artifacts/:key", ({ params }) =>
    artifactReply(find("id = ?", pathUuid(params.key))),
  );

  app.get<{ Params: Params }>("/artifacts/:key/latest", ({ params }) => {
    const row = find("key = ? ORDER BY seq DESC LIMIT 1", params.key);
    return { ...artifactReply(row), id: collectionId(params.key) };
  });

  app.patch<{ Params: Params }>("/artifacts/:key", async ({ params, body }, reply) => {
    const change = requiredBody(body);
    const metadata = objectOf(change, "metadata_");
    const changed = await database.write((tx) =>
      tx.run(
        "UPDATE artifact SET updated = ?, description = coalesce(?, description), data = coalesce(?, data), metadata_ = coalesce(?, metadata_) WHERE id = ?",
        timestampOf(clock.now()),
        textOf(change, "description") ?? null,
        change["data"] === undefined ? null : stringifyJson(change["data"]),
        metadata === undefined ? null : stringifyJson(metadata),
        pathUuid(params.key),
      ),
    );
    if (changed === 0) throw new ApiError(404, "Artifact not found.");
    return reply.status(204).send();
  });

  app.delete<{ Params: Params }>("/artifacts/:key", async ({ params }, reply) => {
    const gone = await database.write((tx) =>
      tx.run("DELETE FROM artifact WHERE id = ?", pathUuid(params.key)),
    );
    if (gone === 0) throw new ApiError(404, "Artifact not found.");
    return reply.status(204).send();
  });

  for (const [path, isLatest] of [
    ["/artifacts", false],
    ["/artifacts/latest", true],
  ] as const) {
    app.post(`${path}/filter`, ({ body }) => {
      const given = objectBody(body);
      const { limit, offset } = pageOf(given);
      const { sql, values } = conditionOf(given, isLatest);
      const order = orderOf(given, ORDERS) ?? "id DESC";
      return database
        .all<ArtifactRow>(
          `SELECT * FROM artifact WHERE ${sql} ORDER BY ${order} LIMIT ? OFFSET ?`,
          ...values,
          limit,
          offset,
        )
        .map((row) => (isLatest ? collectionReply(row) : artifactReply(row)));
    });

    app.post(`${path}/count`, ({ body }) =>
      jsonValue(countRows(database, "artifact", conditionOf(objectBody(body), isLatest))),
    );
  }

  function find(where: string, value: string): ArtifactRow {
    const row = database.get<ArtifactRow>(`SELECT * FROM artifact WHERE ${where}`, value);
    if (row === undefined) throw new ApiError(404, "Artifact not found.");
    return row;
  }
}

const FIELDS: Fields = {
  id: idField("id"),
  latest_id: idField("id"),
  key: textField("key"),
  type: textField("type"),
  flow_run_id: idField("flow_run_id"),
  task_run_id: idField("task_run_id"),
};

function conditionOf(body: JsonObject, isLatest: boolean): Condition {
  const runs = "artifact.flow_run_id IN (SELECT flow_run.id FROM flow_run WHERE filter)";
  return joined([
    ...filterBy(FIELDS, body["artifacts"], ["body", "artifacts"]),
    ...filterThrough("flow_runs", body, runs),
    ...filterThrough(
      "task_runs",
      body,
      "artifact.task_run_id IN (SELECT task_run.id FROM task_run WHERE filter)",
    ),
    ...(isLatest ? [LATEST] : []),
  ]);
}

/** The runs' own filters, and those of flows and deployments through them, as conditions on artifacts. */
function filterThrough(target: "flow_runs" | "task_runs", body: JsonObject, path: string): Condition[] {
  const own: JsonObject = Object.fromEntries(
    Object.entries(body).filter(([key]) =>
      target === "flow_runs" ? ["flow_runs", "flows", "deployments"].includes(key) : key === target,
    ),
  );
  const { sql, values } = compileFilters(target, own);
  return sql === "1" ? [] : [{ sql: path.replace("filter", () => sql), values }];
}

function artifactReply(row: ArtifactRow): { readonly [key: string]: Reply } {
  return {
    id: row.id,
    created: row.created,
    updated: row.updated,
    key: row.key,
    type: row.type,
    description: row.description,
    data: jsonText(row.data),
    metadata_: jsonText(row.metadata_),
    flow_run_id: row.flow_run_id,
    task_run_id: row.task_run_id,
  };
}

/** The newest artifact of a key as the key's collection. */
function collectionReply(row: ArtifactRow): Reply {
  return { ...artifactReply(row), id: collectionId(row.key ?? ""), latest_id: row.id };
}

const COLLECTIONS = "5c7b1b0e-6c2f-4d53-9f2e-2f0d6c8f3a11";

/** The id of all artifacts of a key together, which follows from the key. */
function collectionId(key: string): string {
  return uuidv5(key, COLLECTIONS);
}
