import type { JsonObject, JsonValue } from "../api/types.ts";

/** How a parameter is asked for. */
type FieldKind = "text" | "number" | "integer" | "boolean" | "choice" | "json";

export interface ParameterField {
  readonly name: string;
  readonly title: string;
  readonly description: string | undefined;
  readonly kind: FieldKind;
  readonly isRequired: boolean;
  readonly isNullable: boolean;
  /** For `choice`. */
  readonly choices: readonly JsonValue[];
  /** A refinement of `text`: `date-time`, `date`, `password`… */
  readonly format: string | undefined;
  readonly fallback: JsonValue | undefined;
}

/** What was typed into the fields, by parameter: text, or `true`/`false` for a boolean. An empty text is "not given". */
export type FieldValues = Readonly<Record<string, string>>;

/** The fields of a parameter schema (the one of `parameter_openapi_schema`, protocol §8.2), in their order. */
export function fieldsOf(schema: JsonObject | null): ParameterField[] {
  const properties = objectIn(schema, "properties") ?? {};
  const required = schema?.["required"];
  return Object.entries(properties)
    .map(([name, property]) => fieldOf(name, asObject(property) ?? {}, schema ?? {}, isIn(required, name)))
    .toSorted((a, b) => a.position - b.position)
    .map(({ field }) => field);
}

/** The texts that stand in the fields at first: values given, else the deployment's, else the schema's own. */
export function firstValues(fields: readonly ParameterField[], given: JsonObject): FieldValues {
  return Object.fromEntries(
    fields.map(({ name, kind, fallback }) => {
      const value = Object.hasOwn(given, name) ? given[name] : fallback;
      return [name, textOf(value, kind)];
    }),
  );
}

/** The parameters that the fields say, or by name what is wrong with them. */
export function parametersOf(
  fields: readonly ParameterField[],
  values: FieldValues,
):
  | { readonly parameters: JsonObject; readonly problems?: undefined }
  | { readonly problems: Readonly<Record<string, string>> } {
  const parameters: Record<string, JsonValue> = {};
  const problems: Record<string, string> = {};
  for (const field of fields) {
    const text = values[field.name] ?? "";
    if (text === "" && field.kind !== "text") {
      if (field.isRequired) problems[field.name] = "A value is needed.";
      continue;
    }
    if (text === "" && field.isNullable) {
      parameters[field.name] = null;
      continue;
    }
    const value = valueOf(text, field);
    if (value === undefined) problems[field.name] = PROBLEMS[field.kind];
    else parameters[field.name] = value;
  }
  return Object.keys(problems).length === 0 ? { parameters } : { problems };
}

const PROBLEMS: Readonly<Record<FieldKind, string>> = {
  text: "This is not a text.",
  number: "This is not a number.",
  integer: "This is not a whole number.",
  boolean: "This is neither true nor false.",
  choice: "This is none of the choices.",
  json: 'This is not JSON: texts stand in "quotes".',
};

function fieldOf(
  name: string,
  property: JsonObject,
  root: JsonObject,
  isRequired: boolean,
): { readonly field: ParameterField; readonly position: number } {
  const variants = (arrayIn(property, "anyOf") ?? arrayIn(property, "oneOf") ?? [property]).map((variant) =>
    resolve(asObject(variant) ?? {}, root),
  );
  const real = variants.filter(({ type }) => type !== "null");
  const only = real.length === 1 ? resolve(real[0] ?? {}, root) : {};
  const choices = arrayIn(only, "enum") ?? [];
  const position = property["position"];
  return {
    position: typeof position === "number" ? position : Number.MAX_SAFE_INTEGER,
    field: {
      name,
      title: stringIn(property, "title") ?? name,
      description: stringIn(property, "description") ?? stringIn(only, "description"),
      kind: choices.length > 0 ? "choice" : kindOf(only["type"]),
      isRequired,
      isNullable: variants.length > real.length,
      choices,
      format: stringIn(only, "format"),
      fallback: property["default"],
    },
  };
}

function kindOf(type: JsonValue | undefined): FieldKind {
  switch (type) {
    case "string":
      return "text";
    case "integer":
    case "number":
    case "boolean":
      return type;
    default:
      return "json";
  }
}

const MOST_REFERENCES = 8;

/** Follows `$ref` and an `allOf` of one, as pydantic writes enums and models. */
function resolve(schema: JsonObject, root: JsonObject, depth = 0): JsonObject {
  if (depth >= MOST_REFERENCES) return schema;
  const { allOf: _, ...own } = schema;
  const all = arrayIn(schema, "allOf");
  const single = all?.length === 1 ? asObject(all[0]) : undefined;
  if (single !== undefined) return resolve({ ...own, ...single }, root, depth + 1);
  const ref = stringIn(schema, "$ref");
  if (ref === undefined) return schema;
  let target: JsonValue | undefined = root;
  for (const part of ref.replace(/^#\//, "").split("/")) target = asObject(target)?.[part];
  return resolve(asObject(target) ?? {}, root, depth + 1);
}

function valueOf(text: string, { kind, choices }: ParameterField): JsonValue | undefined {
  switch (kind) {
    case "text":
      return text;
    case "boolean":
      return text === "true" ? true : text === "false" ? false : undefined;
    case "choice":
      return choices.find((choice) => JSON.stringify(choice) === text);
    default: {
      const value = parsed(text);
      if (kind === "json") return value;
      return typeof value === "number" && (kind === "number" || Number.isInteger(value)) ? value : undefined;
    }
  }
}

function textOf(value: JsonValue | undefined, kind: FieldKind): string {
  if (value === undefined || value === null) return "";
  if (kind === "text" && typeof value === "string") return value;
  return kind === "json" ? JSON.stringify(value, null, 2) : JSON.stringify(value);
}

function parsed(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

function asObject(value: JsonValue | undefined): JsonObject | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : undefined;
}

function objectIn(object: JsonObject | null, key: string): JsonObject | undefined {
  return asObject(object?.[key]);
}

function arrayIn(object: JsonObject, key: string): readonly JsonValue[] | undefined {
  const value = object[key];
  return Array.isArray(value) ? (value as readonly JsonValue[]) : undefined;
}

function stringIn(object: JsonObject, key: string): string | undefined {
  const value = object[key];
  return typeof value === "string" ? value : undefined;
}

function isIn(list: JsonValue | undefined, name: string): boolean {
  return Array.isArray(list) && list.includes(name);
}
