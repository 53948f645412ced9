import { entriesOf, objectOf } from "../../json/object.ts";
import { isPythonTruthy, pythonStr } from "../../json/python.ts";
import { Float, isJsonObject } from "../../json/value.ts";

import type { Json } from "../../json/value.ts";

/** What a name or an attribute is that is not there. It has no attributes either, and its text is empty (jinja2: ChainableUndefined). */
export const UNDEFINED = Symbol("undefined");

/** A function that a template can call. */
export class Callable {
  readonly call: (args: readonly Value[], named: ReadonlyMap<string, Value>) => Value;

  constructor(call: Callable["call"]) {
    this.call = call;
  }
}

/** Something with attributes of its own, such as an event. */
export abstract class TemplateObject {
  /** Undefined when there is none of that name. */
  abstract attribute(name: string): Value | undefined;
  /** Undefined when there is none under that key. */
  item(key: Value): Value | undefined {
    return typeof key === "string" ? this.attribute(key) : undefined;
  }
  /** Where the UI shows it, and its events; null: nowhere. */
  readonly uiUrl: string | null = null;
  readonly uiEventsUrl: string | null = null;
  abstract toJson(): Json;
  toText(): string {
    return pythonStr(this.toJson());
  }
}

/** A value in a template. */
export type Value = Json | typeof UNDEFINED | Callable | TemplateObject | readonly Value[] | ValueMap;

/** A mapping that holds more than JSON. */
export interface ValueMap {
  readonly [key: string]: Value;
}

/** The text that stands in the result. */
export function textOfValue(value: Value): string {
  if (value === UNDEFINED) return "";
  if (value instanceof TemplateObject) return value.toText();
  return pythonStr(jsonOf(value));
}

/** Throws for what has no form in JSON. */
export function jsonOf(value: Value): Json {
  if (value === UNDEFINED) throw new TypeError("Object of type Undefined is not JSON serializable");
  if (value instanceof Callable) throw new TypeError("Object of type function is not JSON serializable");
  if (value instanceof TemplateObject) return value.toJson();
  if (value instanceof Float || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return (value as readonly Value[]).map((item) => jsonOf(item));
  return objectOf(
    entriesOf(value as Parameters<typeof entriesOf>[0]).map(([key, item]) => [key, jsonOf(item)]),
  );
}

export function isTrue(value: Value): boolean {
  if (value === UNDEFINED) return false;
  if (value instanceof TemplateObject || value instanceof Callable) return true;
  return isPythonTruthy(value as Json);
}

export function isMapping(value: Value): value is ValueMap {
  return isJsonObject(value as Json) && !(value instanceof TemplateObject) && !(value instanceof Callable);
}

/** `object.name`: a method, an attribute, or what stands under that key. */
export function attributeOf(object: Value, name: string): Value {
  if (object instanceof TemplateObject) return firstOf(object.attribute(name), object.item(name));
  if (isMapping(object)) return firstOf(mappingMethod(object, name), entryOf(object, name));
  return typeof object === "string" ? firstOf(textMethod(object, name)) : UNDEFINED;
}

/** `object[key]`. */
export function itemOf(object: Value, key: Value): Value {
  if (object instanceof TemplateObject)
    return firstOf(object.item(key), typeof key === "string" ? object.attribute(key) : undefined);
  if (typeof object === "string" || Array.isArray(object)) {
    if (typeof key === "string") return attributeOf(object, key);
    const items = typeof object === "string" ? Array.from(object) : (object as readonly Value[]);
    return typeof key === "number" ? firstOf(items.at(key)) : UNDEFINED;
  }
  if (!isMapping(object) || typeof key !== "string") return UNDEFINED;
  return firstOf(entryOf(object, key), mappingMethod(object, key));
}

/** The first that is there; null is. */
export function firstOf(...values: readonly (Value | undefined)[]): Value {
  for (const value of values) if (value !== undefined) return value;
  return UNDEFINED;
}

function entryOf(mapping: ValueMap, key: string): Value | undefined {
  return Object.hasOwn(mapping, key) ? mapping[key] : undefined;
}

/** What a loop goes over: items of a list, keys of a mapping, characters of a text. Throws for anything else. */
export function itemsOf(value: Value): readonly Value[] {
  if (value === UNDEFINED) return [];
  if (Array.isArray(value)) return value as readonly Value[];
  if (typeof value === "string") return Array.from(value);
  if (isMapping(value)) return entriesOf(value as Parameters<typeof entriesOf>[0]).map(([key]) => key);
  if (value instanceof TemplateObject) {
    const json = value.toJson();
    if (isJsonObject(json)) return entriesOf(json).map(([key, item]) => [key, item]);
  }
  throw new TypeError(`'${typeName(value)}' object is not iterable`);
}

export function numberOf(value: Value): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "boolean") return Number(value);
  if (value instanceof Float) return value.value;
  throw new TypeError(`a number is needed, not '${typeName(value)}'`);
}

export function isNumber(value: Value): boolean {
  return ["number", "bigint", "boolean"].includes(typeof value) || value instanceof Float;
}

/** A number as Python has it: an integral float stays a float. */
export function asFloat(value: number): number | Float {
  return Number.isInteger(value) ? new Float(value) : value;
}

function typeName(value: Value): string {
  if (value === UNDEFINED) return "Undefined";
  if (value === null) return "NoneType";
  if (value instanceof Float) return "float";
  if (Array.isArray(value)) return "list";
  return isMapping(value) ? "dict" : value instanceof TemplateObject ? "object" : typeof value;
}

function mappingMethod(mapping: ValueMap, name: string): Value | undefined {
  const entries = (): [string, Value][] => entriesOf(mapping as Parameters<typeof entriesOf>[0]);
  switch (name) {
    case "items":
      return new Callable(() => entries());
    case "keys":
      return new Callable(() => entries().map(([key]) => key));
    case "values":
      return new Callable(() => entries().map(([, value]) => value));
    case "get":
      return new Callable(([key, otherwise = null]) => {
        return firstOf(entryOf(mapping, textOfValue(key ?? "")), otherwise);
      });
    default:
      return undefined;
  }
}

function textMethod(text: string, name: string): Value | undefined {
  const part = (value: Value | undefined): string => textOfValue(value ?? UNDEFINED);
  switch (name) {
    case "upper":
      return new Callable(() => text.toUpperCase());
    case "lower":
      return new Callable(() => text.toLowerCase());
    case "strip":
      return new Callable(() => text.trim());
    case "startswith":
      return new Callable(([prefix]) => text.startsWith(part(prefix)));
    case "endswith":
      return new Callable(([suffix]) => text.endsWith(part(suffix)));
    case "replace":
      return new Callable(([from, to]) => text.replaceAll(part(from), () => part(to)));
    case "split":
      return new Callable(([separator]) =>
        separator === undefined || separator === null
          ? text.split(/\s+/).filter((word) => word !== "")
          : text.split(part(separator)),
      );
    default:
      return undefined;
  }
}
