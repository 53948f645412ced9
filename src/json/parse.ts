import { parse } from "lossless-json";

import { objectOf } from "./object.ts";
import { Float } from "./value.ts";

import type { Json } from "./value.ts";

// A number with an exponent, with zeros only behind its point, or with more digits than a double surely holds.
// Surroundings are asked for so that the timestamps and ids within texts do not count.
const NEEDS_LOSSLESS_NUMBER =
  /(?:^|[[:,])[\t\n\r ]*-?(?:\d+\.0+(?=[\t\n\r ,\]}]|$)|\d+(?:\.\d+)?[eE][-+]?\d+(?=[\t\n\r ,\]}]|$)|[\d.]{16})/;
const NEEDS_KEY_ORDER = /"\d{1,10}"[\t\n\r ]*:/;
const STRING_AND_COLON = /"([^"\\]*(?:\\.[^"\\]*)*"[\t\n\r ]*)(:?)/g;

/**
 * Parses JSON as Python's json.loads keeps it apart: `1.0` and `1e5` become a {@link Float}, an integer beyond 2^53 a bigint,
 * and keys made of digits keep their place. Of a key that comes twice the last value wins. Texts that hold nothing of the
 * kind go through the built-in parser. Throws a SyntaxError.
 */
export function parseJson(text: string): Json {
  if (NEEDS_KEY_ORDER.test(text)) {
    // With a letter before each key JavaScript keeps the order; the letters go when the objects are rebuilt.
    JSON.parse(text);
    return withoutKeyLetters(parseLossless(text.replace(STRING_AND_COLON, markKey)));
  }
  return NEEDS_LOSSLESS_NUMBER.test(text) ? parseLossless(text) : (JSON.parse(text) as Json);
}

function parseLossless(text: string): Json {
  return parse(text, undefined, {
    parseNumber,
    onDuplicateKey: ({ newValue }) => newValue,
  }) as Json;
}

function parseNumber(text: string): number | bigint | Float {
  const value = Number(text);
  if (!/[.eE]/.test(text)) return Number.isSafeInteger(value) ? value : BigInt(text);
  return Number.isInteger(value) ? new Float(value) : value;
}

function markKey(_match: string, rest: string, colon: string): string {
  return colon === "" ? `"${rest}` : `"k${rest}:`;
}

function withoutKeyLetters(value: Json): Json {
  if (Array.isArray(value)) return value.map((item: Json) => withoutKeyLetters(item));
  if (typeof value !== "object" || value === null || value instanceof Float) return value;
  return objectOf(Object.entries(value).map(([key, item]) => [key.slice(1), withoutKeyLetters(item)]));
}
