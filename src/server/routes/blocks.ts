import { randomUUID } from "node:crypto";

import { isJsonObject } from "../../json/value.ts";
import { changeDocument, createDocument, documentReply, getDocument } from "../blocks/documents.ts";
import { blockSchemaReply, findSchema, findSchemaById, registerSchema } from "../blocks/schemas.ts";
import { blockTypeReply } from "../blocks/types.ts";
import {
  booleanField,
  condition,
  countRows,
  filterBy,
  idField,
  joined,
  tagsField,
  textField,
} from "../filters/conditions.ts";
import { orderOf, pageOf } from "../filters/index.ts";
import {
  booleanOf,
  objectBody,
  objectOf,
  parseUuid,
  pathUuid,
  requiredBody,
  requiredText,
  textOf,
  textsOf,
  uuidOf,
} from "../http/body.ts";
import { ApiError, invalidRequest, notFound } from "../http/errors.ts";
import { jsonValue } from "../http/reply.ts";
import { timestampOf } from "../store/timestamp.ts";

import type { FastifyInstance } from "fastify";

import type { JsonObject } from "../../json/value.ts";
import type { BlockDocumentRow } from "../blocks/documents.ts";
import type { BlockSchemaRow } from "../blocks/schemas.ts";
import type { BlockTypeRow } from "../blocks/types.ts";
import type { ServerContext } from "../context.ts";
import type { Condition, Fields } from "../filters/conditions.ts";

interface IdParams {
  readonly id: string;
}

interface NameParams {
  readonly slug: string;
  readonly name: string;
}

interface SecretsQuery {
  readonly include_secrets?: string;
}

/** Blocks: types, schemas and documents (prefect/server/api/block_*.py). */
export function addBlockRoutes(app: FastifyInstance, context: ServerContext): void {
  addTypeRoutes(app, context);
  addSchemaRoutes(app, context);
  addDocumentRoutes(app, context);
}

function addTypeRoutes(app: FastifyInstance, context: ServerContext): void {
  const { database, clock } = context;
  const texts = ["logo_url", "documentation_url", "description", "code_example"] as const;

  app.post("/block_types", async ({ body }, reply) => {
    const given = requiredBody(body);
    const [name, slug] = [requiredText(given, "name"), requiredText(given, "slug")];
    if (name.toLowerCase().startsWith("prefect")) {
      throw new ApiError(403, "Block type names beginning with 'Prefect' are reserved.");
    }
    const now = timestampOf(clock.now());
    const id = randomUUID();
    const added = await database.write((tx) =>
      tx.run(
        `INSERT OR IGNORE INTO block_type (id, created, updated, name, slug, ${texts.join(", ")}) VALUES (?,?,?,?,?,?,?,?,?)`,
        id,
        now,
        now,
        name,
        slug,
        ...texts.map((key) => textOf(given, key) ?? null),
      ),
    );
    if (added === 0) throw new ApiError(409, `Block type with name "${name}" already exists`);
    return reply.status(201).send(blockTypeReply(getType("id", id)));
  });

  app.get<{ Params: IdParams }>("/block_types/:id", ({ params }) =>
    blockTypeReply(getType("id", pathUuid(params.id))),
  );
  app.get<{ Params: NameParams }>("/block_types/slug/:slug", ({ params }) =>
    blockTypeReply(getType("slug", params.slug)),
  );

  app.post("/block_types/filter", ({ body }) => {
    const given = objectBody(body);
    const { limit, offset } = pageOf(given);
    const capabilities = filterBy(SCHEMA_FILTER, given["block_schemas"], ["body", "block_schemas"]);
    const { sql, values } = joined([
      ...filterBy(TYPE_FILTER, given["block_types"], ["body", "block_types"]),
      ...(capabilities.length === 0
        ? []
        : [within("id IN (SELECT block_type_id FROM block_schema WHERE filter)", capabilities)]),
    ]);
    return database
      .all<BlockTypeRow>(
        `SELECT * FROM block_type WHERE ${sql} ORDER BY name LIMIT ? OFFSET ?`,
        ...values,
        limit,
        offset,
      )
      .map((row) => blockTypeReply(row));
  });

  app.patch<{ Params: IdParams }>("/block_types/:id", async ({ params, body }, reply) => {
    const change = requiredBody(body);
    const changed = await database.write((tx) =>
      tx.run(
        `UPDATE block_type SET updated = ?, ${texts.map((key) => `${key} = coalesce(?, ${key})`).join(", ")} WHERE id = ?`,
        timestampOf(clock.now()),
        ...texts.map((key) => textOf(change, key) ?? null),
        pathUuid(params.id),
      ),
    );
    if (changed === 0) throw notFound("Block type");
    return reply.status(204).send();
  });

  app.delete<{ Params: IdParams }>("/block_types/:id", async ({ params }, reply) => {
    const gone = await database.write((tx) =>
      tx.run("DELETE FROM block_type WHERE id = ?", pathUuid(params.id)),
    );
    if (gone === 0) throw notFound("Block type");
    return reply.status(204).send();
  });

  // There are none of the server's own: clients register what they use.
  app.post("/block_types/install_system_block_types", () => jsonValue(null));

  app.get<{ Params: NameParams; Querystring: SecretsQuery }>(
    "/block_types/slug/:slug/block_documents",
    ({ params, query }) => {
      const type = getType("slug", params.slug);
      return database
        .all<BlockDocumentRow>(
          "SELECT * FROM block_document WHERE block_type_id = ? AND is_anonymous = 0 ORDER BY name",
          type.id,
        )
        .map((row) => documentReply(context, row, query.include_secrets === "true"));
    },
  );

  app.get<{ Params: NameParams; Querystring: SecretsQuery }>(
    "/block_types/slug/:slug/block_documents/name/:name",
    ({ params, query }) => {
      const row = database.get<BlockDocumentRow>(
        "SELECT d.* FROM block_document d JOIN block_type t ON t.id = d.block_type_id WHERE t.slug = ? AND d.name = ?",
        params.slug,
        params.name,
      );
      if (row === undefined) throw notFound("Block document");
      return documentReply(context, row, query.include_secrets === "true");
    },
  );

  function getType(column: "id" | "slug", value: string): BlockTypeRow {
    const row = database.get<BlockTypeRow>(`SELECT * FROM block_type WHERE ${column} = ?`, value);
    if (row === undefined) throw notFound("Block type");
    return row;
  }
}

function addSchemaRoutes(app: FastifyInstance, context: ServerContext): void {
  const { database } = context;

  app.post("/block_schemas", async ({ body }, reply) => {
    const given = requiredBody(body);
    const blockTypeId = parseUuid(given["block_type_id"], ["body", "block_type_id"]);
    const { row, isNew } = await database.write((tx) => {
      if (tx.get("SELECT 1 FROM block_type WHERE id = ?", blockTypeId) === undefined) {
        throw new ApiError(404, `Block type ${blockTypeId} not found.`);
      }
      return registerSchema(context, tx, {
        blockTypeId,
        fields: objectOf(given, "fields") ?? {},
        capabilities: textsOf(given, "capabilities") ?? [],
        version: textOf(given, "version"),
      });
    });
    return reply.status(isNew ? 201 : 200).send(blockSchemaReply(database, row));
  });

  app.get<{ Params: IdParams }>("/block_schemas/:id", ({ params }) => {
    const row = findSchemaById(database, pathUuid(params.id));
    if (row === undefined) throw notFound("Block schema");
    return blockSchemaReply(database, row);
  });

  app.get<{ Params: { checksum: string }; Querystring: { version?: string } }>(
    "/block_schemas/checksum/:checksum",
    ({ params, query }) => {
      const row = findSchema(database, params.checksum, query.version);
      if (row === undefined) throw notFound("Block schema");
      return blockSchemaReply(database, row);
    },
  );

  app.post("/block_schemas/filter", ({ body }) => {
    const given = objectBody(body);
    const { limit, offset } = pageOf(given);
    const { sql, values } = joined(
      filterBy(SCHEMA_FILTER, given["block_schemas"], ["body", "block_schemas"]),
    );
    return database
      .all<BlockSchemaRow>(
        `SELECT * FROM block_schema WHERE ${sql} ORDER BY created DESC LIMIT ? OFFSET ?`,
        ...values,
        limit,
        offset,
      )
      .map((row) => blockSchemaReply(database, row));
  });

  app.delete<{ Params: IdParams }>("/block_schemas/:id", async ({ params }, reply) => {
    const gone = await database.write((tx) =>
      tx.run("DELETE FROM block_schema WHERE id = ?", pathUuid(params.id)),
    );
    if (gone === 0) throw notFound("Block schema");
    return reply.status(204).send();
  });

  app.get("/block_capabilities", () =>
    database
      .all<{ value: string }>(
        "SELECT DISTINCT value FROM block_schema, json_each(capabilities) ORDER BY value",
      )
      .map(({ value }) => value),
  );
}

function addDocumentRoutes(app: FastifyInstance, context: ServerContext): void {
  const { database } = context;

  app.post("/block_documents", async ({ body }, reply) => {
    const given = requiredBody(body);
    const isAnonymous = booleanOf(given, "is_anonymous") === true;
    const name = textOf(given, "name") ?? null;
    if (name !== null && !isAnonymous && !/^[a-z0-9-]+$/.test(name)) {
      throw invalidRequest(
        ["body", "name"],
        "name must only contain lowercase letters, numbers, and dashes.",
        name,
      );
    }
    const input = {
      name,
      data: objectOf(given, "data") ?? {},
      schemaId: parseUuid(given["block_schema_id"], ["body", "block_schema_id"]),
      typeId: parseUuid(given["block_type_id"], ["body", "block_type_id"]),
      isAnonymous,
    };
    if (name === null && !isAnonymous)
      throw invalidRequest(["body"], "Names must be provided for block documents.", given);
    const row = await database.write((tx) => createDocument(context, tx, input));
    return reply.status(201).send(documentReply(context, row, false));
  });

  app.get<{ Params: IdParams; Querystring: SecretsQuery }>("/block_documents/:id", ({ params, query }) =>
    documentReply(context, getDocument(database, pathUuid(params.id)), query.include_secrets === "true"),
  );

  app.patch<{ Params: IdParams }>("/block_documents/:id", async ({ params, body }, reply) => {
    const given = requiredBody(body);
    const change = {
      data: objectOf(given, "data"),
      schemaId: uuidOf(given, "block_schema_id"),
      isMerged: booleanOf(given, "merge_existing_data") !== false,
    };
    await database.write((tx) => changeDocument(context, tx, pathUuid(params.id), change));
    return reply.status(204).send();
  });

  app.delete<{ Params: IdParams }>("/block_documents/:id", async ({ params }, reply) => {
    const gone = await database.write((tx) =>
      tx.run("DELETE FROM block_document WHERE id = ?", pathUuid(params.id)),
    );
    if (gone === 0) throw notFound("Block document");
    return reply.status(204).send();
  });

  app.post("/block_documents/filter", ({ body }) => {
    const given = objectBody(body);
    const { limit, offset } = pageOf(given);
    const { sql, values } = documentCondition(given);
    const order = orderOf(given, DOCUMENT_ORDERS) ?? "name";
    return database
      .all<BlockDocumentRow>(
        `SELECT * FROM block_document WHERE ${sql} ORDER BY ${order} LIMIT ? OFFSET ?`,
        ...values,
        limit,
        offset,
      )
      .map((row) => documentReply(context, row, booleanOf(given, "include_secrets") === true));
  });

  app.post("/block_documents/count", ({ body }) =>
    jsonValue(countRows(database, "block_document", documentCondition(objectBody(body)))),
  );
}

const TYPE_FILTER: Fields = { name: textField("name"), slug: textField("slug") };
const SCHEMA_FILTER: Fields = {
  id: idField("id"),
  block_type_id: idField("block_type_id"),
  version: textField("version"),
  block_capabilities: tagsField("capabilities"),
};
const DOCUMENT_FILTER: Fields = {
  id: idField("id"),
  name: textField("name"),
  block_type_id: idField("block_type_id"),
  is_anonymous: booleanField("is_anonymous"),
};
const DOCUMENT_ORDERS = {
  NAME_ASC: "name",
  NAME_DESC: "name DESC",
  BLOCK_TYPE_AND_NAME_ASC: "block_type_name, name",
};

/** Anonymous documents are left out unless asked for. */
function documentCondition(body: JsonObject): Condition {
  const documents = body["block_documents"] ?? {};
  const isAsked = isJsonObject(documents) && "is_anonymous" in documents;
  const types = filterBy(TYPE_FILTER, body["block_types"], ["body", "block_types"]);
  const schemas = filterBy(SCHEMA_FILTER, body["block_schemas"], ["body", "block_schemas"]);
  return joined([
    ...filterBy(DOCUMENT_FILTER, documents, ["body", "block_documents"]),
    ...(isAsked ? [] : [condition("is_anonymous = 0")]),
    ...(types.length === 0
      ? []
      : [within("block_type_id IN (SELECT id FROM block_type WHERE filter)", types)]),
    ...(schemas.length === 0
      ? []
      : [within("block_schema_id IN (SELECT id FROM block_schema WHERE filter)", schemas)]),
  ]);
}

/** A condition on rows of another table: `filter` stands for it. */
function within(sql: string, conditions: readonly Condition[]): Condition {
  const inner = joined(conditions);
  return { sql: sql.replace("filter", () => inner.sql), values: inner.values };
}
