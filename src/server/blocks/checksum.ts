import { createHash } from "node:crypto";

import { Float, isJsonObject } from "../../json/value.ts";

import type { Json, JsonObject } from "../../json/value.ts";

/**
 * The checksum by which Prefect knows a block schema: SHA-256 of Python's JSON of the fields, without `secret_fields` and
 * without the definitions of other blocks (prefect/blocks/core.py, Block._calculate_schema_checksum).
 */
export function schemaChecksum(fields: JsonObject): string {
  const plain = withoutSecretFields(fields) as JsonObject;
  const { definitions, ...rest } = plain;
  // What the definitions refer to among themselves counts too.
  const own = isJsonObject(definitions) ? ownDefinitions(plain, definitions) : {};
  const hashed: Json = Object.keys(own).length > 0 ? { ...rest, definitions: own } : rest;
  // Python hashes the pair of positional and named arguments.
  return `sha256:${createHash("sha256")
    .update(pythonJson([[hashed], {}]))
    .digest("hex")}`;
}

/** Definitions that an object refers to and that are no blocks. */
function ownDefinitions(object: Json, definitions: JsonObject): Record<string, Json> {
  const found: Record<string, Json> = {};
  for (const reference of referencesIn(object)) {
    const key = reference.replace("#/definitions/", "");
    const definition = definitions[key];
    // An empty definition counts for none, as in Python.
    if (!isJsonObject(definition) || Object.keys(definition).length === 0) continue;
    if ((definition["block_type_slug"] ?? null) !== null || found[key] !== undefined) continue;
    found[key] = definition;
    Object.assign(found, ownDefinitions(definition, definitions));
  }
  return found;
}

/** Every `$ref` within. */
export function referencesIn(value: Json): string[] {
  if (Array.isArray(value)) return value.flatMap((item: Json) => referencesIn(item));
  if (!isJsonObject(value)) return [];
  const reference = value["$ref"];
  const own = typeof reference === "string" ? [reference] : [];
  return [...own, ...Object.values(value).flatMap((item) => referencesIn(item))];
}

// Only objects within objects are looked into, as in Prefect.
function withoutSecretFields(value: Json): Json {
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== "secret_fields")
      .map(([key, item]) => [key, withoutSecretFields(item)]),
  );
}

/** As `json.dumps(value, sort_keys=True)` writes it. */
function pythonJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map((item: Json) => pythonJson(item)).join(", ")}]`;
  if (value instanceof Float) return Number.isInteger(value.value) ? `${value.value}.0` : String(value.value);
  if (typeof value === "bigint") return value.toString();
  if (isJsonObject(value)) {
    const members = Object.keys(value)
      .sort((a, b) => (a < b ? -1 : 1))
      .map((key) => `${asciiText(key)}: ${pythonJson(value[key] ?? null)}`);
    return `{${members.join(", ")}}`;
  }
  return typeof value === "string" ? asciiText(value) : JSON.stringify(value);
}

function asciiText(text: string): string {
  return JSON.stringify(text).replaceAll(/[\u007f-\uffff]/g, (unit) =>
    unit === "\u007f" ? unit : `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
