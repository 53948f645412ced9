import { mapOf, textOf } from "../fields.ts";
import { BUILT_IN_BLOCKS } from "./built-in-blocks.ts";
import { createBlockSchema, createBlockType, findBlockType, findLatestSchema } from "./blocks.ts";

import type { JsonObject } from "../../json/value.ts";
import type { Caller } from "../calls.ts";
import type { BlockSchema, BlockType } from "./blocks.ts";
import type { BuiltInBlock } from "./built-in-blocks.ts";
import type { WithJson } from "./resource.ts";

export interface RegisteredBlock {
  readonly type: WithJson<BlockType>;
  /** The one that was registered last: of Python's class, where Python was here before. */
  readonly schema: WithJson<BlockSchema>;
}

/**
 * A block type with its schema. A built-in one that the server does not know yet is registered, with the types of the blocks within.
 * Null for any other type that is not registered.
 */
export async function registerBlockType(api: Caller, slug: string): Promise<RegisteredBlock | null> {
  const known = await findBlockType(api, slug);
  const schema = known === null ? null : await findLatestSchema(api, known.id);
  if (known !== null && schema !== null) return { type: known, schema };
  const builtIn = BUILT_IN_BLOCKS.get(slug);
  if (builtIn === undefined) return null;
  const nested = new Map<string, RegisteredBlock>();
  for (const other of new Set(Object.values(builtIn.references).flat())) {
    const registered = await registerBlockType(api, other);
    if (registered !== null) nested.set(other, registered);
  }
  const { name, description, capabilities } = builtIn;
  const type = known ?? (await createBlockType(api, { name, slug, description }));
  return {
    type,
    schema: await createBlockSchema(api, {
      block_type_id: type.id,
      fields: fieldsOf(builtIn, nested),
      capabilities: [...capabilities],
    }),
  };
}

/** The schema as Prefect's classes write it (prefect/blocks/core.py: schema_extra). */
function fieldsOf(block: BuiltInBlock, nested: ReadonlyMap<string, RegisteredBlock>): JsonObject {
  const definitions: Record<string, JsonObject> = { ...block.definitions };
  for (const { schema } of nested.values()) {
    const { definitions: inner, ...own } = schema.fields;
    definitions[textOf(own, "title") ?? ""] = own;
    Object.assign(definitions, mapOf({ inner: inner ?? null }, "inner"));
  }
  const references = Object.entries(block.references).map(([field, slugs]) => [
    field,
    slugs.map((slug) => ({
      block_type_slug: slug,
      block_schema_checksum: nested.get(slug)?.schema.checksum ?? "",
    })),
  ]);
  return {
    title: block.title,
    type: "object",
    description: block.description,
    properties: block.properties,
    ...(block.required.length === 0 ? {} : { required: [...block.required] }),
    block_type_slug: block.slug,
    secret_fields: [...block.secretFields],
    block_schema_references: Object.fromEntries(references) as JsonObject,
    ...(Object.keys(definitions).length === 0 ? {} : { definitions }),
  };
}
