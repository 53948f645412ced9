import { randomUUID } from "node:crypto";

import { stringifyJson } from "../../json/stringify.ts";
import { pageOf } from "../filters/index.ts";
import { objectBody, parseObject, pathUuid, requiredBody, requiredText } from "../http/body.ts";
import { invalidRequest, notFound } from "../http/errors.ts";
import { jsonText } from "../http/reply.ts";
import { timestampOf } from "../store/timestamp.ts";

import type { FastifyInstance } from "fastify";

import type { Json } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { Reply } from "../http/reply.ts";

interface SearchRow {
  readonly id: string;
  readonly created: string;
  readonly updated: string;
  readonly name: string;
  readonly filters: string;
}

interface IdParams {
  readonly id: string;
}

/** Searches that pages keep under a name (prefect/server/api/saved_searches.py). */
export function addSavedSearchRoutes(app: FastifyInstance, { database, clock }: ServerContext): void {
  app.put("/saved_searches", async ({ body }, reply) => {
    const given = requiredBody(body);
    const name = requiredText(given, "name");
    const filters = filtersOf(given["filters"] ?? []);
    const now = timestampOf(clock.now());
    const { row, isNew } = await database.write((tx) => {
      const isNew = tx.get("SELECT 1 FROM saved_search WHERE name = ?", name) === undefined;
      tx.run(
        `INSERT INTO saved_search (id, created, updated, name, filters) VALUES (?,?,?,?,?)
         ON CONFLICT (name) DO UPDATE SET updated = excluded.updated, filters = excluded.filters`,
        randomUUID(),
        now,
        now,
        name,
        stringifyJson(filters),
      );
      return { row: tx.get<SearchRow>("SELECT * FROM saved_search WHERE name = ?", name), isNew };
    });
    if (row === undefined) throw notFound("Saved search");
    return reply.status(isNew ? 201 : 200).send(searchReply(row));
  });

  app.get<{ Params: IdParams }>("/saved_searches/:id", ({ params }) => {
    const row = database.get<SearchRow>("SELECT * FROM saved_search WHERE id = ?", pathUuid(params.id));
    if (row === undefined) throw notFound("Saved search");
    return searchReply(row);
  });

  app.post("/saved_searches/filter", ({ body }) => {
    const { limit, offset } = pageOf(objectBody(body));
    return database
      .all<SearchRow>("SELECT * FROM saved_search ORDER BY name LIMIT ? OFFSET ?", limit, offset)
      .map((row) => searchReply(row));
  });

  app.delete<{ Params: IdParams }>("/saved_searches/:id", async ({ params }, reply) => {
    const gone = await database.write((tx) =>
      tx.run("DELETE FROM saved_search WHERE id = ?", pathUuid(params.id)),
    );
    if (gone === 0) throw notFound("Saved search");
    return reply.status(204).send();
  });
}

/** The filters of a search, each with what it needs. Throws a 422. */
function filtersOf(value: Json): Json {
  if (!Array.isArray(value)) throw invalidRequest(["body", "filters"], "Input should be a valid list", value);
  return (value as readonly Json[]).map((item, index) => {
    const location = ["body", "filters", index];
    const filter = parseObject(item, location);
    const [object, property, type, operation] = ["object", "property", "type", "operation"].map((key) =>
      requiredText(filter, key, location),
    );
    if (filter["value"] === undefined) throw invalidRequest([...location, "value"], "Field required");
    return {
      object: object ?? "",
      property: property ?? "",
      type: type ?? "",
      operation: operation ?? "",
      value: filter["value"],
    };
  });
}

function searchReply(row: SearchRow): Reply {
  return {
    id: row.id,
    created: row.created,
    updated: row.updated,
    name: row.name,
    filters: jsonText(row.filters),
  };
}
