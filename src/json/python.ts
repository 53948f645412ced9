import { entriesOf } from "./object.ts";
import { Float, isJsonObject } from "./value.ts";

import type { Json } from "./value.ts";

/**
 * The text that Python's str() makes of a value, which Prefect puts where a placeholder stands within other text: `True`,
 * `None`, `1.0`, `1e+16`, `{'a': [1, 'b']}`. A text stays as it is.
 */
export function pythonStr(value: Json): string {
  return typeof value === "string" ? value : pythonRepr(value);
}

/** The same with quotes around a text, as Python's repr(). */
export function pythonRepr(value: Json): string {
  if (value === null) return "None";
  if (value instanceof Float) return floatRepr(value.value);
  if (isJsonObject(value)) {
    return `{${entriesOf(value)
      .map(([key, item]) => `${stringRepr(key)}: ${pythonRepr(item)}`)
      .join(", ")}}`;
  }
  switch (typeof value) {
    case "string":
      return stringRepr(value);
    case "boolean":
      return value ? "True" : "False";
    case "bigint":
      return value.toString();
    case "number":
      return Number.isInteger(value) ? BigInt(value).toString() : floatRepr(value);
    default:
      return `[${value.map((item) => pythonRepr(item)).join(", ")}]`;
  }
}

/** Whether Python's `if value:` holds: false for null, false, zero and everything empty. */
export function isPythonTruthy(value: Json | undefined): boolean {
  if (value === undefined || value === null) return false;
  if (value instanceof Float) return value.value !== 0;
  if (typeof value === "object") return Object.keys(value).length > 0;
  return Boolean(value);
}

/** The name that Python gives to a value's type, for messages. */
export function pythonTypeName(value: Json): string {
  if (value === null) return "NoneType";
  if (value instanceof Float) return "float";
  if (Array.isArray(value)) return "list";
  if (typeof value === "object") return "dict";
  if (typeof value === "string") return "str";
  if (typeof value === "boolean") return "bool";
  return typeof value === "number" && !Number.isInteger(value) ? "float" : "int";
}

/** Same shortest digits as JavaScript's, but with an exponent from 1e16 on and below 1e-4. */
function floatRepr(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0.0";
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude >= 1e16 || magnitude < 1e-4)) {
    return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  }
  const text = String(value);
  return text.includes(".") ? text : `${text}.0`;
}

const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function stringRepr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  // Unicode's "other" and "separator" characters, but for the plain blank, are what Python calls unprintable.
  const escaped = text.replaceAll(/[\\']|(?! )[\p{C}\p{Z}]/gu, (character) => {
    if (character === "'") return quote === "'" ? "\\'" : "'";
    return ESCAPES[character] ?? codePointEscape(character.codePointAt(0) ?? 0);
  });
  return quote + escaped + quote;
}

function codePointEscape(codePoint: number): string {
  const hex = codePoint.toString(16);
  if (codePoint < 0x100) return `\\x${hex.padStart(2, "0")}`;
  return codePoint < 0x10000 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}
