import { findBlock } from "../../../api/manage/blocks.ts";
import { mapOf, textsOf } from "../../../api/fields.ts";
import { WorkerError } from "../../../errors.ts";
import { plainJson } from "../../../json/plain.ts";
import { isJsonObject } from "../../../json/value.ts";
import { closest } from "../../../project/closest.ts";
import { referencesIn } from "../../../server/blocks/checksum.ts";

import type { ErrorObject } from "ajv";

import type { Caller } from "../../../api/calls.ts";
import type { RegisteredBlock } from "../../../api/manage/block-registration.ts";
import type { Json, JsonObject } from "../../../json/value.ts";

const PLACEHOLDER = /^\{\{\s*prefect\.blocks\.([a-z0-9-]+)\.([a-z0-9-]+)\s*\}\}$/;

/**
 * A block's data as the server takes it: where a field holds another block, `{{ prefect.blocks.TYPE.NAME }}` becomes a reference to
 * it. Throws a WorkerError for unknown, missing and wrong fields, which never quotes a value, and for a block that is not there.
 */
export async function prepareData(
  api: Caller,
  { type, schema }: RegisteredBlock,
  data: JsonObject,
): Promise<JsonObject> {
  const properties = mapOf(schema.fields, "properties");
  for (const key of Object.keys(data)) {
    if (Object.hasOwn(properties, key)) continue;
    const suggestion = closest(key, Object.keys(properties));
    throw new WorkerError("USAGE", `A block of type '${type.slug}' has no field '${key}'`, {
      hint: `${suggestion === undefined ? "" : `Did you mean '${suggestion}'? `}It has ${Object.keys(properties).join(", ")}.`,
    });
  }
  const references = mapOf(schema.fields, "block_schema_references");
  const prepared: Record<string, Json> = {};
  for (const [key, value] of Object.entries(data)) {
    prepared[key] = Object.hasOwn(references, key) ? await referenceOf(api, value) : value;
  }
  await check(type.slug, schema.fields, prepared);
  return prepared;
}

/** How a block's file may look: its fields with what they take. */
export function outlineOf(fields: JsonObject): string {
  const required = textsOf(fields, "required");
  const references = mapOf(fields, "block_schema_references");
  return Object.keys(mapOf(fields, "properties"))
    .map((key) => {
      const value = Object.hasOwn(references, key) ? '"{{ prefect.blocks.TYPE.NAME }}"' : "…";
      return `  ${key}: ${value}${required.includes(key) ? "   # required" : ""}`;
    })
    .join("\n");
}

async function referenceOf(api: Caller, value: Json): Promise<Json> {
  const [, slug, name] = (typeof value === "string" ? PLACEHOLDER.exec(value.trim()) : null) ?? [];
  if (slug === undefined || name === undefined) return value;
  const block = await findBlock(api, slug, name);
  if (block !== null) return { $ref: { block_document_id: block.id } };
  throw new WorkerError("NOT_FOUND", `There is no block '${slug}/${name}'`, {
    hint: `Make it first: \`lighterman block create ${slug}/${name}\`.`,
  });
}

async function check(slug: string, fields: JsonObject, data: JsonObject): Promise<void> {
  // Loaded on use: it is large.
  const { default: ajv2020 } = await import("ajv/dist/2020.js");
  const ajv = new ajv2020.Ajv2020({
    strict: false,
    validateSchema: false,
    validateFormats: false,
    allErrors: true,
  });
  // A server leaves definitions out that say nothing, such as that of any JSON.
  const used = referencesIn(fields).map((reference) => [reference.replace("#/definitions/", ""), {}]);
  const validate = ajv.compile({
    ...fields,
    definitions: { ...(Object.fromEntries(used) as JsonObject), ...mapOf(fields, "definitions") },
    properties: Object.fromEntries(
      Object.entries(mapOf(fields, "properties")).map(([key, schema]) => [
        key,
        // Another block is the server's to check.
        isReference(data[key]) ? {} : schema,
      ]),
    ),
  });
  if (validate(plainJson(data))) return;
  const problems = [...new Set((validate.errors ?? []).map((error) => describe(error)))];
  throw new WorkerError("USAGE", `The data of this '${slug}' block is wrong: ${problems.join("; ")}`, {
    hint: `\`lighterman block type inspect ${slug}\` shows its fields.`,
  });
}

function isReference(value: Json | undefined): boolean {
  return isJsonObject(value) && isJsonObject(value["$ref"]);
}

function describe({ instancePath, message = "is wrong" }: ErrorObject): string {
  const field = instancePath.slice(1).replaceAll("/", ".");
  return field === "" ? message : `${field} ${message}`;
}
