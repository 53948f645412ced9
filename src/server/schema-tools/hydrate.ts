import { entriesOf, objectOf, ownValue } from "../../json/object.ts";
import { parseJson } from "../../json/parse.ts";
import { pythonStr } from "../../json/python.ts";
import { isJsonObject } from "../../json/value.ts";

import type { Json, JsonObject } from "../../json/value.ts";

/** Where the values come from that parameters only name. */
export interface HydrationSources {
  /** The value of a variable; undefined when there is none. */
  readonly variable: (name: string) => Json | undefined;
  /** Renders a Jinja template that is given no values. Throws with what is wrong. */
  readonly render: (template: string) => string;
}

/** A value could not be filled in. */
export class HydrationError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "HydrationError";
  }
}

/** Stands for a value that goes, with its key or place. */
const GONE = Symbol("gone");
type Hydrated = Json | typeof GONE;

/**
 * Fills in what `{"__prefect_kind": …}` stands for: `json` (a value as text), `jinja`, `workspace_variable` or `none` (a value as
 * it is); other kinds are their `value` (prefect/utilities/schema_tools/hydration.py). Throws a HydrationError.
 */
export function hydrate(parameters: JsonObject, sources: HydrationSources): JsonObject {
  const hydrated = hydrateValue(parameters, sources);
  return isObject(hydrated) ? hydrated : {};
}

function hydrateValue(value: Json, sources: HydrationSources): Hydrated {
  if (Array.isArray(value)) {
    return (value as readonly Json[])
      .map((item) => hydrateValue(item, sources))
      .filter((item): item is Json => item !== GONE);
  }
  if (!isJsonObject(value)) return value;
  if (Object.hasOwn(value, "__prefect_kind")) return hydrateKind(value, sources);
  return objectOf(
    entriesOf(value)
      .map(([key, item]): [string, Hydrated] => [key, hydrateValue(item, sources)])
      .filter((entry): entry is [string, Json] => entry[1] !== GONE),
  );
}

function hydrateKind(object: JsonObject, sources: HydrationSources): Hydrated {
  switch (object["__prefect_kind"]) {
    case "none": {
      const value = ownValue(object, "value");
      if (value === undefined) throw new HydrationError("Missing 'value' key in __prefect object");
      return hydrateValue(value, sources);
    }
    case "json": {
      const value = inner(object, "value", sources);
      return typeof value === "string" ? jsonIn(value) : value;
    }
    case "jinja": {
      const template = inner(object, "template", sources);
      if (template === GONE) {
        if (Object.hasOwn(object, "template")) return GONE;
        throw new HydrationError("Missing 'template' key in __prefect object");
      }
      return rendered(pythonStr(template), sources);
    }
    case "workspace_variable": {
      const name = inner(object, "variable_name", sources);
      if (name === GONE) return GONE;
      const value = typeof name === "string" ? sources.variable(name) : undefined;
      if (value === undefined)
        throw new HydrationError(`Variable '${pythonStr(name)}' not found in workspace.`);
      return value;
    }
    default:
      return ownValue(object, "value") ?? null;
  }
}

/** A field of such an object, which may itself have to be filled in when it is one; GONE when it is not there. */
function inner(object: JsonObject, key: string, sources: HydrationSources): Hydrated {
  const value = ownValue(object, key);
  if (value === undefined) return GONE;
  return isJsonObject(value) ? hydrateValue(value, sources) : value;
}

function jsonIn(text: string): Json {
  try {
    return parseJson(text);
  } catch (thrown) {
    throw new HydrationError(`Invalid JSON: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  }
}

function rendered(template: string, { render }: HydrationSources): string {
  try {
    return render(template);
  } catch (thrown) {
    throw new HydrationError(`Invalid jinja: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  }
}

function isObject(value: Hydrated): value is JsonObject {
  return value !== GONE && isJsonObject(value);
}
