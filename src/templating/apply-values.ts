import { entriesOf, objectOf } from "../json/object.ts";
import { pythonStr } from "../json/python.ts";
import { Float } from "../json/value.ts";
import { TemplateError } from "./errors.ts";
import { lookUp } from "./keypath.ts";
import { findPlaceholders, replacePlaceholders } from "./placeholders.ts";
import { itemPath, memberPath } from "./template-path.ts";

import type { Json, JsonObject } from "../json/value.ts";
import type { Placeholder } from "./placeholders.ts";

/** The outcome for a template that is one placeholder without a value. Not null, which is a value. */
export const NOT_SET: unique symbol = Symbol("NOT_SET");

export interface ApplyValuesOptions {
  /** Where `{{ $NAME }}` is read from. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Drop what has no value (default), or leave its placeholder in place. */
  readonly removeNotset?: boolean;
  /** Leave a list's item in place, too, when it is one placeholder without a value; Prefect drops it even with `removeNotset: false`. */
  readonly keepNotsetItems?: boolean;
  /** Placeholders whose names begin so stay as they are: `["ctx."]`. */
  readonly skipPrefixes?: readonly string[];
  /** Called for each placeholder without a value, with its place in the template (`env.TOKEN`, `volumes[0]`). */
  readonly onNotset?: (placeholder: Placeholder, path: string) => void;
}

/**
 * Fills the standard (`{{ name }}`, `{{ a.b[0] }}`) and environment (`{{ $NAME }}`) placeholders of a template, bit for bit as
 * prefect.utilities.templating.apply_values of Prefect 3.8.8:
 *
 * - A text that is nothing but one standard placeholder becomes the value itself, with its type. Without a value the
 *   mapping's key is dropped (with `removeNotset: false` it keeps its template text), a list's item is dropped either way,
 *   and the template itself becomes {@link NOT_SET}.
 * - Within other text a placeholder becomes the value's Python text (`True`, `None`, `1.0`, `{'a': 1}`), or nothing.
 * - An environment placeholder always gives text; an unset one an empty text.
 * - Block and variable placeholders stay for `resolveBlockReferences` and `resolveVariables`.
 * - Values are put in as they are: they are not searched for placeholders again. Mapping keys are never searched.
 *
 * The template is not changed; parts of the result may be shared with template and values. Throws a TemplateError for
 * something that is no JSON, such as a Date or undefined.
 */
export function applyValues(
  template: JsonObject,
  values: JsonObject,
  options: ApplyValuesOptions,
): JsonObject;
export function applyValues(
  template: readonly Json[],
  values: JsonObject,
  options: ApplyValuesOptions,
): readonly Json[];
export function applyValues(
  template: Json,
  values: JsonObject,
  options: ApplyValuesOptions,
): Json | typeof NOT_SET;
export function applyValues(
  template: Json,
  values: JsonObject,
  options: ApplyValuesOptions,
): Json | typeof NOT_SET {
  return applyAt(template, "", values, options);
}

function applyAt(
  template: Json,
  path: string,
  values: JsonObject,
  options: ApplyValuesOptions,
): Json | typeof NOT_SET {
  if (typeof template === "string") return applyToText(template, path, values, options);
  if (!isContainer(template, path)) return template;
  if (Array.isArray(template)) {
    return template
      .map((item: Json, index) => {
        const applied = applyAt(item, itemPath(path, index), values, options);
        return applied === NOT_SET && options.keepNotsetItems === true ? item : applied;
      })
      .filter((item) => item !== NOT_SET);
  }
  const entries: [string, Json][] = [];
  for (const [key, value] of entriesOf(template as JsonObject)) {
    const applied = applyAt(value, memberPath(path, key), values, options);
    if (applied !== NOT_SET) entries.push([key, applied]);
    else if (options.removeNotset === false) entries.push([key, value]);
  }
  return objectOf(entries);
}

function applyToText(
  text: string,
  path: string,
  values: JsonObject,
  options: ApplyValuesOptions,
): Json | typeof NOT_SET {
  const skipped = options.skipPrefixes ?? [];
  const isSkipped = ({ name }: Placeholder): boolean => skipped.some((prefix) => name.startsWith(prefix));
  const placeholders = findPlaceholders(text).filter((placeholder) => !isSkipped(placeholder));
  const [only] = placeholders;
  if (only === undefined) return text;
  if (only.text === text && only.kind === "standard") {
    const value = lookUp(values, only.name);
    if (value === undefined) options.onNotset?.(only, path);
    return value === undefined ? NOT_SET : value;
  }
  const replacements = new Map<string, string>();
  for (const placeholder of placeholders) {
    if (placeholder.kind === "block" || placeholder.kind === "variable") continue;
    const value =
      placeholder.kind === "env"
        ? environmentValue(options.env, placeholder.name)
        : lookUp(values, placeholder.name);
    if (value === undefined) options.onNotset?.(placeholder, path);
    if (value !== undefined) replacements.set(placeholder.text, pythonStr(value));
    else if (options.removeNotset !== false) replacements.set(placeholder.text, "");
  }
  return replacePlaceholders(text, (placeholder) => replacements.get(placeholder.text));
}

function environmentValue(env: ApplyValuesOptions["env"], name: string): string | undefined {
  const variable = name.replace(/^\$+/, "");
  return Object.hasOwn(env, variable) ? env[variable] : undefined;
}

/** False for what has no parts; throws for what is no JSON, which callers without types can hand in. */
function isContainer(value: unknown, path: string): boolean {
  if (value === null || ["number", "boolean", "bigint"].includes(typeof value)) return false;
  if (value instanceof Float) return false;
  if (Array.isArray(value)) return true;
  if (typeof value === "object") {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === null || prototype === Object.prototype) return true;
  }
  throw new TemplateError(`Unexpected template type '${typeNameOf(value)}'`, {
    path,
    hint: "A template holds texts, numbers, booleans, null, lists and mappings only; quote a date to make it a text.",
  });
}

function typeNameOf(value: unknown): string {
  return typeof value === "object" ? Object.prototype.toString.call(value).slice(8, -1) : typeof value;
}
