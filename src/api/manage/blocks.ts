import { ApiError } from "../errors.ts";
import { part } from "../calls.ts";
import { decodeBlockDocument } from "../decode.ts";
import { mapOf, objectIn, requiredText, textOf } from "../fields.ts";
import { filterAll, withJson } from "./resource.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { Caller } from "../calls.ts";
import type { BlockDocument } from "../types.ts";
import type { WithJson } from "./resource.ts";

export interface BlockType {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly description: string | null;
}

export interface BlockSchema {
  readonly id: string;
  readonly checksum: string;
  /** The JSON schema of the block's data, with Prefect's own keys such as `secret_fields`. */
  readonly fields: JsonObject;
}

const decodeType = withJson((value: Json): BlockType => {
  const object = objectIn(value, "block type");
  return {
    id: requiredText(object, "id"),
    name: requiredText(object, "name"),
    slug: requiredText(object, "slug"),
    description: textOf(object, "description"),
  };
});
const decodeSchema = withJson((value: Json): BlockSchema => {
  const object = objectIn(value, "block schema");
  return {
    id: requiredText(object, "id"),
    checksum: requiredText(object, "checksum"),
    fields: mapOf(object, "fields"),
  };
});
const decodeDocument = withJson(decodeBlockDocument);

/** The named blocks; secrets are masked by the server. */
export function listBlocks(api: Caller): Promise<WithJson<BlockDocument>[]> {
  return filterAll(api, "/block_documents/filter", { include_secrets: false }, decodeDocument);
}

/** With its secrets masked; null when there is no such block. */
export function findBlock(
  api: Caller,
  typeSlug: string,
  name: string,
): Promise<WithJson<BlockDocument> | null> {
  const path = `/block_types/slug/${part(typeSlug)}/block_documents/name/${part(name)}`;
  return api.find({ method: "GET", path }, decodeDocument);
}

/** With its secrets masked; null when there is no such block. */
export function findBlockById(api: Caller, id: string): Promise<WithJson<BlockDocument> | null> {
  return api.find({ method: "GET", path: `/block_documents/${part(id)}` }, decodeDocument);
}

export interface NewBlock {
  readonly name: string;
  readonly data: JsonObject;
  readonly block_schema_id: string;
  readonly block_type_id: string;
}

/** Throws an ApiError 409 when the name is taken. */
export function createBlock(api: Caller, block: NewBlock): Promise<WithJson<BlockDocument>> {
  return api.read(
    { method: "POST", path: "/block_documents/", body: { ...block }, isSecret: true },
    decodeDocument,
  );
}

/** Replaces the data. False when there is no such block. */
export function updateBlock(api: Caller, id: string, block: NewBlock): Promise<boolean> {
  const { data, block_schema_id } = block;
  return api.tell({
    method: "PATCH",
    path: `/block_documents/${part(id)}`,
    body: { data, block_schema_id, merge_existing_data: false },
    accept: [404],
    isSecret: true,
  });
}

/** False when it was gone already. */
export function deleteBlock(api: Caller, id: string): Promise<boolean> {
  return api.tell({ method: "DELETE", path: `/block_documents/${part(id)}`, accept: [404] });
}

export function listBlockTypes(api: Caller): Promise<WithJson<BlockType>[]> {
  return filterAll(api, "/block_types/filter", {}, decodeType);
}

/** Null when the type is not registered. */
export function findBlockType(api: Caller, slug: string): Promise<WithJson<BlockType> | null> {
  return api.find({ method: "GET", path: `/block_types/slug/${part(slug)}` }, decodeType);
}

/** Registers a type; when somebody else was faster (409) theirs is returned. */
export async function createBlockType(api: Caller, type: JsonObject): Promise<WithJson<BlockType>> {
  try {
    return await api.read({ method: "POST", path: "/block_types/", body: type }, decodeType);
  } catch (error) {
    const slug = type["slug"];
    const existing =
      error instanceof ApiError && error.status === 409 && typeof slug === "string"
        ? await findBlockType(api, slug)
        : null;
    if (existing === null) throw error;
    return existing;
  }
}

/** False when the type is not registered. Its blocks go with it. */
export function deleteBlockType(api: Caller, id: string): Promise<boolean> {
  return api.tell({ method: "DELETE", path: `/block_types/${part(id)}`, accept: [404] });
}

/** The schema that was registered last for a type; null when there is none. */
export async function findLatestSchema(api: Caller, typeId: string): Promise<WithJson<BlockSchema> | null> {
  const [schema] = await filterAll(
    api,
    "/block_schemas/filter",
    { block_schemas: { block_type_id: { any_: [typeId] } } },
    decodeSchema,
    1,
  );
  return schema ?? null;
}

/** Registers a schema; one that is there already is given back. The types of the blocks within must be registered. */
export function createBlockSchema(api: Caller, schema: JsonObject): Promise<WithJson<BlockSchema>> {
  return api.read({ method: "POST", path: "/block_schemas/", body: schema }, decodeSchema);
}
