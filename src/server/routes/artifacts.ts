import { randomUUID } from "node:crypto";

import { stringifyJson } from "../../json/stringify.ts";
import { condition, countRows, filterBy, joined, textField } from "../filters/conditions.ts";
import { pageOf } from "../filters/index.ts";
import { objectBody, objectOf, parseUuid, textOf } from "../http/body.ts";
import { ApiError } from "../http/errors.ts";
import { jsonText, jsonValue } from "../http/reply.ts";
import { timestampOf } from "../store/timestamp.ts";

import type { FastifyInstance } from "fastify";

import type { JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { Condition } from "../filters/conditions.ts";
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
    const given = objectBody(body);
    const id = randomUUID();
    const now = timestampOf(clock.now());
    const metadata = objectOf(given, "metadata_");
    await database.write((tx) =>
      tx.run(
        "INSERT INTO artifact (id, created, updated, key, type, description, data, metadata_, flow_run_id, task_run_id) VALUES (?,?,?,?,?,?,?,?,?,?)",
        id,
        now,
        now,
        textOf(given, "key") ?? null,
        textOf(given, "type") ?? null,
        textOf(given, "description") ?? null,
        given["data"] === undefined || given["data"] === null ? null : stringifyJson(given["data"]),
        metadata === undefined ? null : stringifyJson(metadata),
        textOf(given, "flow_run_id") ?? null,
        textOf(given, "task_run_id") ?? null,
      ),
    );
    return reply.status(201).send(find("id = ?", id));
  });

  app.get<{ Params: Params }>("/artifacts/:key", ({ params }) => find("id = ?", parseUuid(params.key)));

  app.get<{ Params: Params }>("/artifacts/:key/latest", ({ params }) =>
    find("key = ? ORDER BY seq DESC LIMIT 1", params.key),
  );

  app.patch<{ Params: Params }>("/artifacts/:key", async ({ params, body }, reply) => {
    const change = objectBody(body);
    const changed = await database.write((tx) =>
      tx.run(
        "UPDATE artifact SET updated = ?, description = coalesce(?, description), data = coalesce(?, data), metadata_ = coalesce(?, metadata_) WHERE id = ?",
        timestampOf(clock.now()),
        textOf(change, "description") ?? null,
        change["data"] === undefined ? null : stringifyJson(change["data"]),
        change["metadata_"] === undefined ? null : stringifyJson(change["metadata_"]),
        parseUuid(params.key),
      ),
    );
    if (changed === 0) throw new ApiError(404, "Artifact not found.");
    return reply.status(204).send();
  });

  app.delete<{ Params: Params }>("/artifacts/:key", async ({ params }, reply) => {
    const gone = await database.write((tx) =>
      tx.run("DELETE FROM artifact WHERE id = ?", parseUuid(params.key)),
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
      const order = ORDERS[textOf(given, "sort") ?? "ID_DESC"] ?? "id DESC";
      return database
        .all<ArtifactRow>(
          `SELECT * FROM artifact WHERE ${sql} ORDER BY ${order} LIMIT ? OFFSET ?`,
          ...values,
          limit,
          offset,
        )
        .map((row) => artifactReply(row, isLatest));
    });

    app.post(`${path}/count`, ({ body }) =>
      jsonValue(countRows(database, "artifact", conditionOf(objectBody(body), isLatest))),
    );
  }

  function find(where: string, value: string): Reply {
    const row = database.get<ArtifactRow>(`SELECT * FROM artifact WHERE ${where}`, value);
    if (row === undefined) throw new ApiError(404, "Artifact not found.");
    return artifactReply(row, false);
  }
}

function conditionOf(body: JsonObject, isLatest: boolean): Condition {
  const fields = {
    id: textField("id"),
    key: textField("key"),
    type: textField("type"),
    flow_run_id: textField("flow_run_id"),
    task_run_id: textField("task_run_id"),
  };
  return joined([...filterBy(fields, body["artifacts"]), ...(isLatest ? [LATEST] : [])]);
}

function artifactReply(row: ArtifactRow, isLatest: boolean): Reply {
  return {
    id: row.id,
    created: row.created,
    updated: row.updated,
    key: row.key,
    ...(isLatest ? { latest_id: row.id } : {}),
    type: row.type,
    description: row.description,
    data: jsonText(row.data),
    metadata_: jsonText(row.metadata_),
    flow_run_id: row.flow_run_id,
    task_run_id: row.task_run_id,
  };
}
