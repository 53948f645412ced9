import { entriesOf, objectOf } from "../json/object.ts";
import { pythonRepr } from "../json/python.ts";
import { Float, isJsonObject } from "../json/value.ts";

import type { Json, JsonObject } from "../json/value.ts";

/** How a schema is read before values are checked against it (prefect/utilities/schema_tools/validation.py). */
export interface Reading {
  /** Mends what Pydantic 1 wrote wrongly: optional fields, tuples, references to blocks. */
  readonly preprocess: boolean;
  /** Fields need not be there. */
  readonly ignoreRequired: boolean;
  /** Fields with a default may be null too. */
  readonly allowNoneWithDefault: boolean;
  /** Texts must be what their `format` says. */
  readonly checksFormats?: boolean;
}

/** The keyword that stands in place of a `$ref` to nowhere: it fails where a value reaches it, and only there. */
export const UNRESOLVABLE = "x-lighterman-unresolvable";

/** The id of each schema that is compiled. */
export const SCHEMA_ID = "schema:/checked";

/** The schema as it is compiled. */
export function adaptSchema(schema: JsonObject, reading: Reading): JsonObject {
  const mended = reading.preprocess ? preprocess(schema, reading.allowNoneWithDefault) : schema;
  return reading.ignoreRequired ? withoutRequired(mended) : mended;
}

function preprocess(schema: JsonObject, allowNone: boolean): JsonObject {
  const mended = isJsonObject(schema["properties"])
    ? { ...schema, properties: withProperties(schema["properties"], namesIn(schema["required"]), allowNone) }
    : schema;
  if (!isJsonObject(mended["definitions"])) return mended;
  const definitions: Record<string, Json> = {};
  const byTitle: Record<string, Json> = {};
  for (const [name, definition] of Object.entries(mended["definitions"])) {
    const inner = isJsonObject(definition) ? withInnerProperties(definition, allowNone) : definition;
    definitions[name] = inner;
    if (isJsonObject(inner) && "block_type_slug" in inner && typeof inner["title"] === "string")
      byTitle[inner["title"]] = { oneOf: [inner, BLOCK_REFERENCE] };
  }
  return { ...mended, definitions: { ...definitions, ...byTitle } };
}

const BLOCK_REFERENCE: JsonObject = {
  type: "object",
  properties: {
    $ref: {
      oneOf: [
        { type: "string", format: "uuid" },
        { type: "object", additionalProperties: { type: "string" }, minProperties: 1 },
      ],
    },
  },
  required: ["$ref"],
};

function withInnerProperties(schema: JsonObject, allowNone: boolean): JsonObject {
  const { properties } = schema;
  if (!isJsonObject(properties)) return schema;
  return { ...schema, properties: withProperties(properties, namesIn(schema["required"]), allowNone) };
}

function withProperties(
  properties: JsonObject,
  required: ReadonlySet<string>,
  allowNone: boolean,
): JsonObject {
  return objectOf(
    entriesOf(properties).map(([name, property]) => [
      name,
      isJsonObject(property) ? mendProperty(property, required.has(name), allowNone) : property,
    ]),
  );
}

function mendProperty(property: JsonObject, isRequired: boolean, allowNone: boolean): JsonObject {
  const { type, items } = property;
  let mended = property;
  if (!isRequired && type !== undefined && type !== "null" && (!("default" in property) || allowNone)) {
    const { type: _type, ...rest } = property;
    mended = { ...rest, anyOf: [{ type }, { type: "null" }] };
  }
  if (Array.isArray(items) && items.length > 0 && !isFilled(property["prefixItems"])) {
    const { items: _items, ...rest } = mended;
    mended = { ...rest, prefixItems: items as readonly Json[] };
  }
  return withInnerProperties(mended, allowNone);
}

function isFilled(value: Json | undefined): boolean {
  return Array.isArray(value) && value.length > 0;
}

function namesIn(required: Json | undefined): ReadonlySet<string> {
  return new Set(Array.isArray(required) ? (required as readonly Json[]).map(String) : []);
}

/** Without each `required`, but for those within lists, as in Prefect. */
function withoutRequired(schema: JsonObject): JsonObject {
  return objectOf(
    entriesOf(schema)
      .filter(([key]) => key !== "required")
      .map(([key, value]) => [key, isJsonObject(value) ? withoutRequired(value) : value]),
  );
}

/**
 * Plain objects and numbers for the validator, and for each plain object the one that it stands for. What only OpenAPI knows
 * goes (`nullable`), ids go too, and a `$ref` that leads nowhere becomes {@link UNRESOLVABLE}.
 */
export function plainSchema(schema: JsonObject): PlainSchema {
  const originals = new Map<unknown, JsonObject>();
  const copy = (value: Json): unknown => {
    if (Array.isArray(value)) return (value as readonly Json[]).map((item) => copy(item));
    if (!isJsonObject(value)) return plainValue(value);
    const result: Record<string, unknown> = {};
    for (const [key, item] of entriesOf(value)) {
      if (key === "nullable" && typeof item === "boolean") continue;
      if ((key === "$id" || key === "$schema") && typeof item === "string") continue;
      const lost = key === "$ref" && typeof item === "string" ? lostReference(schema, item) : undefined;
      // A key such as __proto__ is one like any other.
      Object.defineProperty(result, lost === undefined ? key : UNRESOLVABLE, {
        value: lost ?? copy(item),
        enumerable: true,
      });
    }
    originals.set(result, value);
    return result;
  };
  // With an id of its own a schema may refer to its root.
  const plain = copy(schema) as Record<string, unknown>;
  plain["$id"] = SCHEMA_ID;
  return { schema: plain, originals };
}

export interface PlainSchema {
  readonly schema: Record<string, unknown>;
  readonly originals: ReadonlyMap<unknown, JsonObject>;
}

/** Each list of alternatives (anyOf, oneOf) in a plain schema, with its address below `base`. */
export function* alternativesIn(value: unknown, base: string): Generator<[list: unknown, address: string]> {
  if (typeof value !== "object" || value === null) return;
  for (const [key, item] of Object.entries(value)) {
    const address = `${base}/${encodeURIComponent(key.replaceAll("~", "~0").replaceAll("/", "~1"))}`;
    if ((key === "anyOf" || key === "oneOf") && Array.isArray(item)) yield [item, address];
    yield* alternativesIn(item, address);
  }
}

/** What is wrong with a reference, in the words of Python's `referencing`; undefined when it leads somewhere. */
function lostReference(root: JsonObject, reference: string): string | undefined {
  if (reference === "#" || /^#[^/]/.test(reference)) return undefined;
  if (!reference.startsWith("#/")) return `Unresolvable: ${reference}`;
  if (valueAt(root, reference.slice(1)) !== undefined) return undefined;
  return `PointerToNowhere: ${pythonRepr(decodeURIComponent(reference.slice(1)))} does not exist within ${pythonRepr(root)}`;
}

/** The value at a JSON pointer (`/a/0`), which may be percent-encoded; undefined when there is none. */
export function valueAt(root: Json, pointer: string): Json | undefined {
  let value: Json | undefined = root;
  for (const part of pointer.split("/").slice(1)) {
    const key = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    if (Array.isArray(value)) value = (value as readonly Json[])[Number(key)];
    else if (isJsonObject(value) && Object.hasOwn(value, key)) value = value[key];
    else return undefined;
  }
  return value;
}

/** A value whose numbers are JavaScript's own; most are so already. */
export function plainValue(value: Json): unknown {
  if (typeof value === "bigint" || value instanceof Float) return Number(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return (value as readonly Json[]).map((item) => plainValue(item));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plainValue(item)]));
}
