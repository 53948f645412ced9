import { isJsonObject } from "../json/value.ts";
import { ownValue } from "../json/object.ts";

import type { Json } from "../json/value.ts";

/**
 * Follows a path such as `steps[0].image` into a value, with the rules of prefect.utilities.collections.get_from_dict:
 * brackets are dots, a part that reads as an integer is only ever an index (negative counts from the end, into a text
 * gives a character), and everything that does not fit is missing. Returns undefined when there is nothing; null is found.
 */
export function lookUp(root: Json, keypath: string): Json | undefined {
  let value: Json | undefined = root;
  for (const part of splitKeypath(keypath)) {
    if (value === undefined) return undefined;
    const index = indexOf(part);
    if (index === undefined) {
      value = isJsonObject(value) ? ownValue(value, part) : undefined;
    } else if (Array.isArray(value)) {
      value = (value as readonly Json[]).at(index);
    } else {
      value = typeof value === "string" ? Array.from(value).at(index) : undefined;
    }
  }
  return value;
}

/** The parts of a keypath: `a[0].b` is `a`, `0`, `b`. Brackets need not be balanced. */
export function splitKeypath(keypath: string): string[] {
  return keypath.replaceAll("[", ".").replaceAll("]", "").split(".");
}

/** What Python's int() makes of a part: digits of any script, single underscores between them, one minus. */
function indexOf(part: string): number | undefined {
  if (!/^-?\p{Nd}+(?:_\p{Nd}+)*$/u.test(part)) return undefined;
  return Number(part.replaceAll("_", "").replaceAll(/\p{Nd}/gu, (digit) => String(digitValue(digit))));
}

/** Unicode's decimal digits stand in runs of ten, zero first; neighbouring runs follow each other without a gap. */
function digitValue(digit: string): number {
  const codePoint = digit.codePointAt(0) ?? 0;
  let first = codePoint;
  while (/\p{Nd}/u.test(String.fromCodePoint(first - 1))) first -= 1;
  return (codePoint - first) % 10;
}
