import { randomUUID } from "node:crypto";

import { stringifyJson } from "../../json/stringify.ts";
import { isJsonObject } from "../../json/value.ts";
import { textOf } from "../http/body.ts";
import { ApiError } from "../http/errors.ts";
import { jsonText } from "../http/reply.ts";
import { timestampOf } from "../store/timestamp.ts";
import { referencesIn, schemaChecksum } from "./checksum.ts";
import { blockTypeReply, findBlockType } from "./types.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { Reply } from "../http/reply.ts";
import type { Reader, Transaction } from "../store/database.ts";
import type { BlockTypeRow } from "./types.ts";

export interface BlockSchemaRow {
  readonly id: string;
  readonly created: string;
  readonly updated: string;
  readonly checksum: string;
  readonly fields: string;
  readonly capabilities: string;
  readonly version: string;
  readonly block_type_id: string;
}

const DEFAULT_VERSION = "non-versioned";

export interface NewBlockSchema {
  readonly blockTypeId: string;
  readonly fields: JsonObject;
  readonly capabilities: readonly string[];
  readonly version: string | undefined;
}

/**
 * Registers a schema and those of the blocks within it; one that is there already is given back. Throws a 409 when the type of
 * a block within is not registered.
 */
export function registerSchema(
  context: ServerContext,
  tx: Transaction,
  schema: NewBlockSchema,
): { readonly row: BlockSchemaRow; readonly isNew: boolean } {
  const { fields, version = DEFAULT_VERSION } = schema;
  const checksum = schemaChecksum(fields);
  const known = findSchema(tx, checksum, version);
  if (known !== undefined) return { row: known, isNew: false };
  const now = timestampOf(context.clock.now());
  const id = randomUUID();
  tx.run(
    "INSERT INTO block_schema (id, created, updated, checksum, fields, capabilities, version, block_type_id) VALUES (?,?,?,?,?,?,?,?)",
    id,
    now,
    now,
    checksum,
    stringifyJson(fields),
    stringifyJson([...schema.capabilities]),
    version,
    schema.blockTypeId,
  );
  for (const [name, references] of Object.entries(referencesOf(fields))) {
    for (const reference of references) registerNested(context, tx, fields, name, reference);
  }
  const row = findSchema(tx, checksum, version);
  if (row === undefined) throw new Error("The block schema was not stored");
  return { row, isNew: true };
}

export function findSchemaById(reader: Reader, id: string): BlockSchemaRow | undefined {
  return reader.get<BlockSchemaRow>("SELECT * FROM block_schema WHERE id = ?", id);
}

/** The newest schema of a checksum, of a version where one is given. */
export function findSchema(reader: Reader, checksum: string, version?: string): BlockSchemaRow | undefined {
  return version === undefined
    ? reader.get<BlockSchemaRow>(
        "SELECT * FROM block_schema WHERE checksum = ? ORDER BY created DESC LIMIT 1",
        checksum,
      )
    : reader.get<BlockSchemaRow>(
        "SELECT * FROM block_schema WHERE checksum = ? AND version = ?",
        checksum,
        version,
      );
}

export function blockSchemaReply(reader: Reader, row: BlockSchemaRow): Reply {
  const type = findBlockType(reader, row.block_type_id);
  return {
    id: row.id,
    created: row.created,
    updated: row.updated,
    checksum: row.checksum,
    fields: jsonText(row.fields),
    block_type_id: row.block_type_id,
    block_type: type === undefined ? null : blockTypeReply(type),
    capabilities: jsonText(row.capabilities),
    version: row.version,
  };
}

/** Registers the schema of a block within, from the definitions of the outer one, unless it is there. */
function registerNested(
  context: ServerContext,
  tx: Transaction,
  fields: JsonObject,
  name: string,
  reference: JsonObject,
): void {
  const slug = textOf(reference, "block_type_slug") ?? "";
  const type = tx.get<BlockTypeRow>("SELECT * FROM block_type WHERE slug = ?", slug);
  if (type === undefined) {
    throw new ApiError(
      409,
      `Cannot create block schema because block type '${slug}' was not found. Did you forget to register the block type?`,
    );
  }
  if (findSchema(tx, textOf(reference, "block_schema_checksum") ?? "") !== undefined) return;
  const definitions = isJsonObject(fields["definitions"]) ? fields["definitions"] : {};
  const properties = isJsonObject(fields["properties"]) ? fields["properties"] : {};
  const definition = referencesIn(properties[name] ?? null)
    .map((found) => definitions[found.replace("#/definitions/", "")])
    .filter((candidate): candidate is JsonObject => isJsonObject(candidate))
    .find((candidate) => candidate["block_type_slug"] === slug);
  if (definition === undefined) return;
  registerSchema(context, tx, {
    blockTypeId: type.id,
    fields: { ...definition, definitions },
    capabilities: [],
    version: undefined,
  });
}

function referencesOf(fields: JsonObject): Record<string, JsonObject[]> {
  const references = isJsonObject(fields["block_schema_references"]) ? fields["block_schema_references"] : {};
  return Object.fromEntries(
    Object.entries(references).map(([name, value]) => [
      name,
      (Array.isArray(value) ? (value as readonly Json[]) : [value]).filter((item): item is JsonObject =>
        isJsonObject(item),
      ),
    ]),
  );
}
