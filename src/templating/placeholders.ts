import { entriesOf } from "../json/object.ts";
import { isJsonObject } from "../json/value.ts";

import type { Json } from "../json/value.ts";

/** What a placeholder asks for: told by the beginning of its name. */
export type PlaceholderKind = "standard" | "block" | "variable" | "env";

export interface Placeholder {
  /** As spelled, braces and blanks included. */
  readonly text: string;
  /** What stands between the braces: `ctx.flow.name`, `$HOME`, `prefect.blocks.secret.token`. */
  readonly name: string;
  readonly kind: PlaceholderKind;
}

const BLOCK_PREFIX = "prefect.blocks.";
const VARIABLE_PREFIX = "prefect.variables.";

// Python's \w and \s, which JavaScript's differ from: letters and digits of all scripts, and the separators U+1C to U+1F and
// U+85. A name holds neither braces nor blanks, so a match is found or given up in one look at each character.
const WORD = String.raw`\p{L}\p{N}_`;
const SPACE = String.raw`[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*`;
const PLACEHOLDER = new RegExp(String.raw`\{\{${SPACE}([${WORD}.\-\[\]$]+)${SPACE}\}\}`, "gu");

/** The different placeholders of a text, in the order of their first appearance; the same spelling counts once. */
export function findPlaceholders(text: string): readonly Placeholder[] {
  if (!text.includes("{{")) return [];
  const found = new Map<string, Placeholder>();
  for (const [spelled, name = ""] of text.matchAll(PLACEHOLDER)) {
    if (!found.has(spelled)) found.set(spelled, { text: spelled, name, kind: kindOf(name) });
  }
  return [...found.values()];
}

/** All placeholders of a template, through lists and mappings; keys are not searched. */
export function findAllPlaceholders(template: Json): readonly Placeholder[] {
  const found = new Map<string, Placeholder>();
  collect(template);
  return [...found.values()];

  function collect(value: Json): void {
    if (typeof value === "string") {
      for (const placeholder of findPlaceholders(value)) {
        if (!found.has(placeholder.text)) found.set(placeholder.text, placeholder);
      }
    } else if (Array.isArray(value)) {
      for (const item of value as readonly Json[]) collect(item);
    } else if (isJsonObject(value)) {
      for (const [, item] of entriesOf(value)) collect(item);
    }
  }
}

/** Replaces each placeholder by what `replace` says; undefined leaves it in place. One pass: replacements are not searched. */
export function replacePlaceholders(
  text: string,
  replace: (placeholder: Placeholder) => string | undefined,
): string {
  return text.replace(PLACEHOLDER, (spelled: string, name: string) => {
    return replace({ text: spelled, name, kind: kindOf(name) }) ?? spelled;
  });
}

/** The part behind the prefix. Prefect drops the prefix wherever it occurs in the name. */
export function blockReferenceOf(placeholder: Placeholder): string {
  return placeholder.name.replaceAll(BLOCK_PREFIX, "");
}

/** The name of the variable that a placeholder asks for, dots included. */
export function variableNameOf(placeholder: Placeholder): string {
  return placeholder.name.replaceAll(VARIABLE_PREFIX, "");
}

function kindOf(name: string): PlaceholderKind {
  if (name.startsWith(BLOCK_PREFIX)) return "block";
  if (name.startsWith(VARIABLE_PREFIX)) return "variable";
  return name.startsWith("$") ? "env" : "standard";
}
