import { Float, isJsonObject } from "../json/value.ts";

import type { Json, JsonObject } from "../json/value.ts";

// Readers of single fields. Only what a run cannot do without is demanded; anything else that is missing or of another type
// than expected counts as absent, because older and newer servers differ.

/** A required field is missing. Becomes an UndecodableResponseError where the call is known. */
export class FieldError extends Error {
  override readonly name = "FieldError";
}

export function objectIn(value: Json, what: string): JsonObject {
  if (!isJsonObject(value)) throw new FieldError(`is no ${what}`);
  return value;
}

export function listIn(value: Json, what: string): readonly Json[] {
  if (!Array.isArray(value)) throw new FieldError(`is no list of ${what}`);
  return value as readonly Json[];
}

export function requiredText(object: JsonObject, key: string): string {
  const value = object[key];
  if (typeof value !== "string") throw new FieldError(`has no ${key}`);
  return value;
}

export function textOf(object: JsonObject, key: string): string | null {
  const value = object[key];
  return typeof value === "string" ? value : null;
}

export function numberOf(object: JsonObject, key: string): number | null {
  const value = object[key];
  if (value instanceof Float) return value.value;
  return typeof value === "number" || typeof value === "bigint" ? Number(value) : null;
}

export function flagOf(object: JsonObject, key: string): boolean {
  return object[key] === true;
}

export function mapOf(object: JsonObject, key: string): JsonObject {
  const value = object[key];
  return isJsonObject(value) ? value : {};
}

export function textsOf(object: JsonObject, key: string): readonly string[] {
  const value = object[key];
  return Array.isArray(value) ? value.filter((item: Json) => typeof item === "string") : [];
}
