import { entriesOf, objectOf } from "../json/object.ts";
import { pythonStr } from "../json/python.ts";
import { isJsonObject } from "../json/value.ts";
import { findPlaceholders, replacePlaceholders, variableNameOf } from "./placeholders.ts";

import type { Json } from "../json/value.ts";
import type { Placeholder } from "./placeholders.ts";

/** Reads a variable's value; undefined when there is no variable of that name. */
export interface VariableLookup {
  variable(name: string): Promise<Json | undefined>;
}

/**
 * Replaces `{{ prefect.variables.<name> }}`, bit for bit as prefect.utilities.templating.resolve_variables of Prefect 3.8.8: the
 * whole text becomes the variable's value with its type, within other text its Python text is put in, and a missing variable
 * gives an empty text. Everything behind the prefix is the name, dots included. Each variable is read once per call. Rejects
 * only with what the lookup rejects with.
 */
export async function resolveVariables(template: Json, lookup: VariableLookup): Promise<Json> {
  const known = new Map<string, Json>();
  return await resolve(template);

  async function resolve(value: Json): Promise<Json> {
    if (typeof value === "string") return await resolveText(value);
    if (Array.isArray(value)) {
      const items: Json[] = [];
      for (const item of value as readonly Json[]) items.push(await resolve(item));
      return items;
    }
    if (!isJsonObject(value)) return value;
    const entries: [string, Json][] = [];
    for (const [key, item] of entriesOf(value)) entries.push([key, await resolve(item)]);
    return objectOf(entries);
  }

  async function resolveText(text: string): Promise<Json> {
    const placeholders = findPlaceholders(text).filter(({ kind }) => kind === "variable");
    const [first] = placeholders;
    if (first === undefined) return text;
    if (first.text === text) return await read(first);
    const replacements = new Map<string, string>();
    for (const placeholder of placeholders) {
      replacements.set(placeholder.text, pythonStr(await read(placeholder)));
    }
    return replacePlaceholders(text, (placeholder) => replacements.get(placeholder.text));
  }

  async function read(placeholder: Placeholder): Promise<Json> {
    const name = variableNameOf(placeholder);
    const before = known.get(name);
    if (before !== undefined) return before;
    const value = name === "" ? undefined : await lookup.variable(name);
    known.set(name, value === undefined ? "" : value);
    return value === undefined ? "" : value;
  }
}
