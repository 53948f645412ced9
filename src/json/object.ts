import type { Json, JsonObject } from "./value.ts";

// JavaScript moves keys such as "1" to the front of an object; Python keeps them where they were written, and shows it
// when a mapping is put into a text. So the order of the few objects that have such keys is remembered beside them.
const ORDERS = new WeakMap<object, readonly string[]>();

/** Keys in the order in which they were written, also where JavaScript reorders them. */
export function keysOf(object: JsonObject): readonly string[] {
  return ORDERS.get(object) ?? Object.keys(object);
}

/** Entries in the order of {@link keysOf}. Only own keys, so `__proto__` is a key like any other. */
export function entriesOf(object: JsonObject): [key: string, value: Json][] {
  const order = ORDERS.get(object);
  if (order === undefined) return Object.entries(object);
  const entries: [string, Json][] = [];
  for (const key of order) {
    const value = object[key];
    if (value !== undefined) entries.push([key, value]);
  }
  return entries;
}

/**
 * An object of these entries. A key that comes twice keeps its first place and its last value, as in Python. Every key
 * becomes an own property, `__proto__` too.
 */
export function objectOf(entries: readonly (readonly [key: string, value: Json])[]): JsonObject {
  const object: JsonObject = Object.fromEntries(entries);
  if (entries.some(([key]) => isReordered(key))) ORDERS.set(object, [...new Map(entries).keys()]);
  return object;
}

/** Lays the later objects over the earlier ones, key by key, without looking into the values. */
export function mergeObjects(...objects: readonly JsonObject[]): JsonObject {
  return objectOf(objects.flatMap((object) => entriesOf(object)));
}

/** The value of an own key; undefined when the object has no such key. */
export function ownValue(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** The text under an own key; undefined when there is something else or nothing. */
export function textIn(object: JsonObject, key: string): string | undefined {
  const value = ownValue(object, key);
  return typeof value === "string" ? value : undefined;
}

/** True for what JavaScript takes for an array index (a few more digits do no harm). */
function isReordered(key: string): boolean {
  const first = key.charCodeAt(0);
  return first >= 48 && first <= 57 && key.length <= 10 && /^\d+$/.test(key);
}
