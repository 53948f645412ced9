import { pythonRepr } from "../json/python.ts";
import { isJsonObject } from "../json/value.ts";
import { UNRESOLVABLE, valueAt } from "./adapt.ts";

import type { ErrorObject } from "ajv";
import type { Json, JsonObject } from "../json/value.ts";
import type { AlternativeParams } from "./explainer.ts";

/** One thing that is wrong with a value; errors of alternatives (anyOf, oneOf) hang below the one error of all of them. */
export interface Flaw {
  readonly keyword: string;
  /** From where the value was looked at to where the flaw is. */
  readonly path: readonly (string | number)[];
  readonly message: string;
  /** Whether the value has the type that its schema wants, should it want one. */
  readonly isOfType: boolean;
  readonly children: readonly Flaw[];
}

type Originals = ReadonlyMap<unknown, JsonObject>;

/**
 * The flaws of a value, in the words of Python's jsonschema, from the errors of a validator with `verbose` and `allErrors`;
 * `originals` are what the validator's plain schemas stand for.
 */
export function flawsOf(errors: readonly ErrorObject[], originals: Originals, value: Json): Flaw[] {
  const told: ErrorObject[] = [];
  for (const error of errors) {
    // The errors of what they hold are there besides.
    if (error.keyword === "if" || error.keyword === "propertyNames") continue;
    // Python tells all surplus properties in one message.
    if (error.keyword === "additionalProperties" && told.some((other) => isSamePlace(error, other))) continue;
    told.push(error);
  }
  return inOrderOfKeywords(told).map((error) => flawOf(error, errors, originals, value));
}

/** Python looks at the keywords of a schema in the order in which they stand there, the library in one of its own. */
function inOrderOfKeywords(errors: readonly ErrorObject[]): ErrorObject[] {
  const places: ErrorObject[] = [];
  const ranked = errors.map((error) => {
    const isSameSchema = (other: ErrorObject): boolean =>
      other.parentSchema === error.parentSchema && other.instancePath === error.instancePath;
    let place = places.findIndex((other) => isSameSchema(other));
    if (place === -1) place = places.push(error) - 1;
    return { error, place, rank: Object.keys(error.parentSchema ?? {}).indexOf(error.keyword) };
  });
  return ranked.toSorted((a, b) => a.place - b.place || a.rank - b.rank).map(({ error }) => error);
}

function flawOf(error: ErrorObject, all: readonly ErrorObject[], originals: Originals, value: Json): Flaw {
  const instance = error.propertyName ?? valueAt(value, error.instancePath) ?? null;
  // Schemas of the library's own (the schema of schemas) are JSON as they are.
  const parent = originals.get(error.parentSchema) ?? error.parentSchema ?? {};
  const facts = { all, instance, schema: parent[error.keyword] ?? (error.schema as Json), parent };
  return {
    keyword: error.keyword,
    path: pathOf(error.instancePath, value),
    message: messageOf(error, facts),
    isOfType: isOfType(instance, parent["type"]),
    children: isAlternative(error)
      ? flawsOf((error.params as AlternativeParams).errors, originals, instance)
      : [],
  };
}

function isSamePlace(a: ErrorObject, b: ErrorObject): boolean {
  return a.keyword === b.keyword && a.parentSchema === b.parentSchema && a.instancePath === b.instancePath;
}

interface Facts {
  readonly all: readonly ErrorObject[];
  readonly instance: Json;
  readonly schema: Json;
  readonly parent: JsonObject;
}

function messageOf(error: ErrorObject, { all, instance, schema, parent }: Facts): string {
  const shown = pythonRepr(instance);
  const wanted = pythonRepr(schema);
  const params = error.params as Readonly<Record<string, Json>>;
  switch (error.keyword) {
    case "type": {
      const types = Array.isArray(schema) ? (schema as readonly Json[]) : [schema];
      return `${shown} is not of type ${types.map((type) => pythonRepr(type)).join(", ")}`;
    }
    case "required":
      return `${pythonRepr(params["missingProperty"] ?? null)} is a required property`;
    case "dependentRequired":
      return `${pythonRepr(params["missingProperty"] ?? null)} is a dependency of ${pythonRepr(params["property"] ?? null)}`;
    case "enum":
      return `${shown} is not one of ${wanted}`;
    case "const":
      return `${wanted} was expected`;
    case "anyOf":
    case "oneOf": {
      const { matches } = error.params as AlternativeParams;
      if (matches.length === 0) return `${shown} is not valid under any of the given schemas`;
      const schemas = matches.map((index) => (schema as readonly Json[])[index] ?? null);
      // Python names the first match last.
      const inOrder = [...schemas.slice(1), schemas[0] ?? null];
      return `${shown} is valid under each of ${inOrder.map((each) => pythonRepr(each)).join(", ")}`;
    }
    case "not":
      return `${shown} should not be valid under ${wanted}`;
    case "minimum":
      return `${shown} is less than the minimum of ${wanted}`;
    case "maximum":
      return `${shown} is greater than the maximum of ${wanted}`;
    case "exclusiveMinimum":
      return `${shown} is less than or equal to the minimum of ${wanted}`;
    case "exclusiveMaximum":
      return `${shown} is greater than or equal to the maximum of ${wanted}`;
    case "multipleOf":
      return `${shown} is not a multiple of ${wanted}`;
    case "minLength":
    case "minItems":
      return `${shown} ${schema === 1 ? "should be non-empty" : "is too short"}`;
    case "maxLength":
    case "maxItems":
      return `${shown} ${schema === 0 ? "is expected to be empty" : "is too long"}`;
    case "minProperties":
      return `${shown} ${schema === 1 ? "should be non-empty" : "does not have enough properties"}`;
    case "maxProperties":
      return `${shown} ${schema === 0 ? "is expected to be empty" : "has too many properties"}`;
    case "uniqueItems":
      return `${shown} has non-unique elements`;
    case "pattern":
      return `${shown} does not match ${wanted}`;
    case "format":
      return `${shown} is not a ${wanted}`;
    case "contains":
      return `${shown} does not contain items matching the given schema`;
    case "items":
      return surplusItemsMessage(instance, parent);
    case "additionalProperties":
      return surplusMessage(surplusOf(error, all), parent);
    case "false schema":
      return `False schema does not allow ${shown}`;
    case UNRESOLVABLE:
      return typeof schema === "string" ? schema : wanted;
    default:
      return `${shown} ${error.message ?? `is not valid (${error.keyword})`}`;
  }
}

function surplusItemsMessage(instance: Json, parent: JsonObject): string {
  const wanted = parent["prefixItems"];
  const count = Array.isArray(wanted) ? wanted.length : 0;
  const surplus = Array.isArray(instance) ? (instance as readonly Json[]).slice(count) : [];
  const shown = pythonRepr(surplus.length === 1 ? (surplus[0] ?? null) : surplus);
  return `Expected at most ${count} item${count === 1 ? "" : "s"} but found ${surplus.length} extra: ${shown}`;
}

function surplusOf(error: ErrorObject, all: readonly ErrorObject[]): readonly string[] {
  return all
    .filter((other) => isSamePlace(error, other))
    .map(({ params }) => String((params as { additionalProperty?: unknown }).additionalProperty))
    .toSorted();
}

function surplusMessage(names: readonly string[], parent: JsonObject): string {
  const shown = names.map((name) => pythonRepr(name)).join(", ");
  const patterns = parent["patternProperties"];
  if (!isJsonObject(patterns)) {
    return `Additional properties are not allowed (${shown} ${names.length === 1 ? "was" : "were"} unexpected)`;
  }
  const known = Object.keys(patterns)
    .toSorted()
    .map((pattern) => pythonRepr(pattern))
    .join(", ");
  return `${shown} ${names.length === 1 ? "does" : "do"} not match any of the regexes: ${known}`;
}

function isAlternative({ keyword, params }: ErrorObject): boolean {
  return (keyword === "anyOf" || keyword === "oneOf") && "errors" in params;
}

/** JSON pointer to the path of a flaw: places in lists are numbers. */
function pathOf(pointer: string, value: Json): (string | number)[] {
  const path: (string | number)[] = [];
  let current: Json | undefined = value;
  for (const part of pointer.split("/").slice(1)) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    path.push(Array.isArray(current) ? Number(key) : key);
    current = current === undefined ? undefined : valueAt(current, `/${part}`);
  }
  return path;
}

function isOfType(value: Json, expected: Json | undefined): boolean {
  if (expected === undefined) return false;
  const types = Array.isArray(expected) ? (expected as readonly Json[]) : [expected];
  return types.some((type) => {
    if (value === null) return type === "null";
    if (Array.isArray(value)) return type === "array";
    if (isJsonObject(value)) return type === "object";
    if (typeof value === "string" || typeof value === "boolean") return type === typeof value;
    return type === "number" || (type === "integer" && Number.isInteger(Number(value)));
  });
}

/**
 * The flaw that says most: the one least deep, but of alternatives the deepest (jsonschema/exceptions.py, best_match).
 * Returns its message and its path from the root.
 */
export function bestFlaw(
  flaws: readonly Flaw[],
): { path: readonly (string | number)[]; message: string } | undefined {
  let best = flaws.reduce<Flaw | undefined>(
    (found, flaw) => (found === undefined || compare(flaw, found) > 0 ? flaw : found),
    undefined,
  );
  if (best === undefined) return undefined;
  let path = [...best.path];
  while (best.children.length > 0) {
    const [first, second] = best.children.toSorted(compare);
    if (first === undefined || (second !== undefined && compare(first, second) === 0)) break;
    best = first;
    path = [...path, ...best.path];
  }
  return { path, message: best.message };
}

/** Less deep is more; then the later path, a keyword that is no alternative, a value that is not of its type. */
function compare(a: Flaw, b: Flaw): number {
  return (
    b.path.length - a.path.length ||
    comparePaths(a.path, b.path) ||
    Number(isWeak(b)) - Number(isWeak(a)) ||
    Number(b.isOfType) - Number(a.isOfType)
  );
}

function isWeak({ keyword }: Flaw): boolean {
  return keyword === "anyOf" || keyword === "oneOf";
}

function comparePaths(a: readonly (string | number)[], b: readonly (string | number)[]): number {
  for (const [index, part] of a.entries()) {
    const other = b[index];
    if (other === undefined || part === other) continue;
    return part > other ? 1 : -1;
  }
  return 0;
}

const PLAIN_KEY = /^[a-zA-Z][a-zA-Z0-9_]*$/;

/** A path as Python's jsonschema shows it: `$.a[0]['b c']`. */
export function jsonPath(path: readonly (string | number)[]): string {
  let text = "$";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (PLAIN_KEY.test(part)) text += `.${part}`;
    else text += `['${part.replaceAll("\\", "\\\\").replaceAll("'", String.raw`\'`)}']`;
  }
  return text;
}
