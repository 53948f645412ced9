import { keysOf } from "./object.ts";
import { Float } from "./value.ts";

import type { Json } from "./value.ts";

/**
 * Writes JSON in the form of JSON.stringify, but a {@link Float} with its point (`1.0`), a bigint in full and keys in the
 * order in which they were read. `indent` is the number of blanks per level; 0 puts everything on one line.
 */
export function stringifyJson(value: Json, indent = 0): string {
  return write(value, indent, "\n");
}

function write(value: Json, indent: number, newline: string): string {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Float) return floatText(value.value);
  if (typeof value === "number" && !Number.isFinite(value)) return floatText(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const inner = indent === 0 ? "" : newline + " ".repeat(indent);
  if (Array.isArray(value)) {
    const items = value.map((item: Json) => write(item, indent, inner));
    return items.length === 0 ? "[]" : `[${inner}${items.join(`,${inner}`)}${indent === 0 ? "" : newline}]`;
  }
  const object = value as { readonly [key: string]: Json };
  const colon = indent === 0 ? ":" : ": ";
  const members: string[] = [];
  for (const key of keysOf(object)) {
    const item = object[key];
    if (item !== undefined) members.push(JSON.stringify(key) + colon + write(item, indent, inner));
  }
  return members.length === 0 ? "{}" : `{${inner}${members.join(`,${inner}`)}${indent === 0 ? "" : newline}}`;
}

function floatText(value: number): string {
  if (Number.isNaN(value)) return "null";
  // Every reader takes this for infinity again, which JSON has no other word for.
  if (!Number.isFinite(value)) return value > 0 ? "1e999" : "-1e999";
  if (Object.is(value, -0)) return "-0.0";
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}
