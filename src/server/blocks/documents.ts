import { randomUUID } from "node:crypto";

import { stringifyJson } from "../../json/stringify.ts";
import { isJsonObject } from "../../json/value.ts";
import { parseUuid, textsOf } from "../http/body.ts";
import { ApiError, notFound } from "../http/errors.ts";
import { blockSchemaReply, findSchemaById } from "./schemas.ts";
import { keepMasked, maskSecrets } from "./secrets.ts";
import { blockTypeReply, findBlockType } from "./types.ts";
import { objectColumn } from "../store/json-column.ts";
import { timestampOf } from "../store/timestamp.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { Reply } from "../http/reply.ts";
import type { Reader, Transaction } from "../store/database.ts";

export interface BlockDocumentRow {
  readonly id: string;
  readonly created: string;
  readonly updated: string;
  readonly name: string | null;
  /** Encrypted JSON. */
  readonly data: string;
  readonly is_anonymous: number;
  readonly block_schema_id: string;
  readonly block_type_id: string;
  readonly block_type_name: string | null;
}

interface ReferenceRow {
  readonly name: string;
  readonly reference_block_document_id: string;
}

// A cycle cannot be made; this only bounds the work.
const MAX_DEPTH = 20;

/** What is new in a document: its data, with `{"$ref": {"block_document_id": …}}` where another document belongs. */
export function createDocument(
  context: ServerContext,
  tx: Transaction,
  input: {
    readonly name: string | null;
    readonly data: JsonObject;
    readonly schemaId: string;
    readonly typeId: string;
    readonly isAnonymous: boolean;
  },
): BlockDocumentRow {
  const type = findBlockType(tx, input.typeId);
  if (type === undefined) throw notFound("Block type");
  if (tx.get("SELECT 1 FROM block_schema WHERE id = ?", input.schemaId) === undefined)
    throw notFound("Block schema");
  const name = input.name ?? `anonymous-${randomUUID()}`;
  if (
    tx.get("SELECT 1 FROM block_document WHERE block_type_id = ? AND name = ?", type.id, name) !== undefined
  ) {
    throw new ApiError(409, "Block already exists");
  }
  const id = randomUUID();
  const now = timestampOf(context.clock.now());
  tx.run(
    `INSERT INTO block_document (id, created, updated, name, data, is_anonymous, block_schema_id, block_type_id, block_type_name) VALUES (?,?,?,?,?,?,?,?,?)`,
    id,
    now,
    now,
    name,
    "",
    input.isAnonymous ? 1 : 0,
    input.schemaId,
    type.id,
    type.name,
  );
  writeData(context, tx, id, input.data);
  return getDocument(tx, id);
}

/** Changes the data (merged with what is there, or replaced) and the schema of a document. */
export function changeDocument(
  context: ServerContext,
  tx: Transaction,
  id: string,
  change: {
    readonly data: JsonObject | undefined;
    readonly schemaId: string | undefined;
    readonly isMerged: boolean;
  },
): void {
  const document = getDocument(tx, id);
  if (change.data !== undefined) {
    const current = dataOf(context, document);
    const update = keepMasked(change.data, current) as JsonObject;
    const kept = change.isMerged ? { ...current, ...referencesAsData(tx, id), ...update } : update;
    writeData(context, tx, id, kept);
  }
  tx.run(
    "UPDATE block_document SET updated = ?, block_schema_id = coalesce(?, block_schema_id) WHERE id = ?",
    timestampOf(context.clock.now()),
    change.schemaId ?? null,
    id,
  );
}

/** Throws a 404. */
export function getDocument(reader: Reader, id: string): BlockDocumentRow {
  const row = reader.get<BlockDocumentRow>("SELECT * FROM block_document WHERE id = ?", id);
  if (row === undefined) throw notFound("Block document");
  return row;
}

/** The document as it goes out, with those it refers to in their places; secrets are masked unless asked for. */
export function documentReply(context: ServerContext, row: BlockDocumentRow, includeSecrets: boolean): Reply {
  const { database } = context;
  const schema = findSchemaById(database, row.block_schema_id);
  const type = findBlockType(database, row.block_type_id);
  const { data, references } = assemble(context, row, includeSecrets, 0);
  return {
    id: row.id,
    created: row.created,
    updated: row.updated,
    name: row.name,
    data,
    block_schema_id: row.block_schema_id,
    block_schema: schema === undefined ? null : blockSchemaReply(database, schema),
    block_type_id: row.block_type_id,
    block_type_name: row.block_type_name,
    block_type: type === undefined ? null : blockTypeReply(type),
    block_document_references: references,
    is_anonymous: row.is_anonymous === 1,
  };
}

/** What a document holds, secrets masked; undefined when there is none. */
export function documentData(context: ServerContext, id: string): JsonObject | undefined {
  const row = context.database.get<BlockDocumentRow>(
    "SELECT * FROM block_document WHERE id = ?",
    id.toLowerCase(),
  );
  return row === undefined ? undefined : assemble(context, row, false, 0).data;
}

function assemble(
  context: ServerContext,
  row: BlockDocumentRow,
  includeSecrets: boolean,
  depth: number,
): { data: JsonObject; references: JsonObject } {
  const { database } = context;
  const schema = findSchemaById(database, row.block_schema_id);
  const fields = objectColumn(schema?.fields ?? null);
  const own = dataOf(context, row);
  const data: Record<string, Json> = {
    ...(includeSecrets ? own : maskSecrets(own, textsOf(fields, "secret_fields") ?? [])),
  };
  const references: Record<string, Json> = {};
  for (const { name, reference_block_document_id: childId } of referencesOf(database, row.id)) {
    const child = database.get<BlockDocumentRow>("SELECT * FROM block_document WHERE id = ?", childId);
    if (child === undefined || depth > MAX_DEPTH) continue;
    const inner = assemble(context, child, includeSecrets, depth + 1);
    data[name] = inner.data;
    const type = findBlockType(database, child.block_type_id);
    references[name] = {
      block_document: {
        id: child.id,
        name: child.name,
        block_type: type === undefined ? null : (blockTypeReply(type) as Json),
        is_anonymous: child.is_anonymous === 1,
        block_document_references: inner.references,
      },
    };
  }
  return { data, references };
}

/** What a document holds itself, secrets in plain text. */
export function dataOf({ secretBox }: ServerContext, row: BlockDocumentRow): JsonObject {
  return objectColumn(secretBox.decrypt(row.data));
}

function referencesOf(reader: Reader, id: string): ReferenceRow[] {
  return reader.all<ReferenceRow>(
    "SELECT name, reference_block_document_id FROM block_document_reference WHERE parent_block_document_id = ?",
    id,
  );
}

function referencesAsData(reader: Reader, id: string): JsonObject {
  return Object.fromEntries(
    referencesOf(reader, id).map(({ name, reference_block_document_id }) => [
      name,
      { $ref: { block_document_id: reference_block_document_id } },
    ]),
  );
}

function writeData(context: ServerContext, tx: Transaction, id: string, data: JsonObject): void {
  const own: Record<string, Json> = {};
  tx.run("DELETE FROM block_document_reference WHERE parent_block_document_id = ?", id);
  for (const [key, value] of Object.entries(data)) {
    const reference = isJsonObject(value) ? value["$ref"] : undefined;
    if (!isJsonObject(reference)) {
      own[key] = value;
      continue;
    }
    const childId = parseUuid(reference["block_document_id"], ["body", "data", key]);
    getDocument(tx, childId);
    if (reaches(tx, childId, id))
      throw new ApiError(
        400,
        `Cannot create block document reference: '${key}' would refer back to this block.`,
      );
    tx.run(
      "INSERT INTO block_document_reference (id, name, parent_block_document_id, reference_block_document_id) VALUES (?,?,?,?)",
      randomUUID(),
      key,
      id,
      childId,
    );
  }
  tx.run(
    "UPDATE block_document SET data = ? WHERE id = ?",
    context.secretBox.encrypt(stringifyJson(own)),
    id,
  );
}

function reaches(reader: Reader, fromId: string, toId: string): boolean {
  if (fromId === toId) return true;
  return referencesOf(reader, fromId).some(({ reference_block_document_id }) =>
    reaches(reader, reference_block_document_id, toId),
  );
}
