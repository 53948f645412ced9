import { entriesOf } from "../../json/object.ts";
import { stringifyJson } from "../../json/stringify.ts";
import { isJsonObject } from "../../json/value.ts";

import type { Json } from "../../json/value.ts";

/**
 * The JSON that Jinja's `tojson` gives: as Python's json.dumps with sorted keys and ASCII only, and with escapes for what HTML
 * would read as its own.
 */
export function pythonJson(value: Json, indent?: number): string {
  return write(value, indent, "\n")
    .replaceAll("<", String.raw`\u003c`)
    .replaceAll(">", String.raw`\u003e`)
    .replaceAll("&", String.raw`\u0026`)
    .replaceAll("'", String.raw`\u0027`);
}

function write(value: Json, indent: number | undefined, newline: string): string {
  const inner = indent === undefined ? "" : newline + " ".repeat(indent);
  const end = indent === undefined ? "" : newline;
  const comma = indent === undefined ? ", " : `,${inner}`;
  if (Array.isArray(value)) {
    const items = (value as readonly Json[]).map((item) => write(item, indent, inner));
    return items.length === 0 ? "[]" : `[${inner}${items.join(comma)}${end}]`;
  }
  if (isJsonObject(value)) {
    const members = entriesOf(value)
      .toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      .map(([key, item]) => `${ascii(JSON.stringify(key))}: ${write(item, indent, inner)}`);
    return members.length === 0 ? "{}" : `{${inner}${members.join(comma)}${end}}`;
  }
  return typeof value === "string" ? ascii(JSON.stringify(value)) : stringifyJson(value);
}

function ascii(text: string): string {
  return text.replaceAll(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
