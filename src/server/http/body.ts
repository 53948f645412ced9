import { Float, isJsonObject } from "../../json/value.ts";
import { invalidRequest } from "./errors.ts";

import type { Json, JsonObject } from "../../json/value.ts";

/** The request's body as an object (`{}` when there is none). Throws the 422 of Prefect's server otherwise. */
export function objectBody(body: unknown): JsonObject {
  if (body === null || body === undefined) return {};
  const json = body as Json;
  if (isJsonObject(json)) return json;
  throw invalidRequest(["body"], "Input should be a valid dictionary or object to extract fields from", json);
}

const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;

/** A UUID in its stored form: lower case, with dashes. Throws the 422 of Prefect's server. */
export function parseUuid(text: unknown, location: readonly string[] = ["path", "id"]): string {
  if (typeof text !== "string" || !UUID.test(text)) {
    throw invalidRequest(location, "Input should be a valid UUID", typeof text === "string" ? text : null);
  }
  if (text.length === 36) return text.toLowerCase();
  const hex = text.toLowerCase().replaceAll("-", "");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** A text field; undefined when absent or null. Throws a 422 for anything else. */
export function textOf(body: JsonObject, key: string): string | undefined {
  const value = body[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw invalidRequest(["body", key], "Input should be a valid string", value);
  return value;
}

/** A name, which must be there; an empty one counts for none. Throws a 422. */
export function requiredName(body: JsonObject): string {
  const name = textOf(body, "name");
  if (name === undefined || name === "") throw invalidRequest(["body", "name"], "Field required");
  return name;
}

/** A name that may stand in an address (prefect/types/names.py). Throws a 422. */
export function requiredPlainName(body: JsonObject): string {
  const name = requiredName(body);
  if (/[/%&><]/.test(name))
    throw invalidRequest(["body", "name"], "Name contains an invalid character.", name);
  return name;
}

/** An integer field (`2.0` counts); undefined when absent or null. Throws a 422 for anything else. */
export function integerOf(body: JsonObject, key: string): number | undefined {
  const value = body[key];
  if (value === undefined || value === null) return undefined;
  const number = value instanceof Float ? value.value : value;
  if (typeof number !== "number" || !Number.isSafeInteger(number)) {
    throw invalidRequest(["body", key], "Input should be a valid integer", value);
  }
  return number;
}

/** An object field; undefined when absent or null. Throws a 422 for anything else. */
export function objectOf(body: JsonObject, key: string): JsonObject | undefined {
  const value = body[key];
  if (value === undefined || value === null) return undefined;
  if (!isJsonObject(value)) throw invalidRequest(["body", key], "Input should be a valid dictionary", value);
  return value;
}

/** A list of texts; undefined when absent or null. Throws a 422 for anything else. */
export function textsOf(body: JsonObject, key: string): readonly string[] | undefined {
  const value = body[key];
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw invalidRequest(["body", key], "Input should be a valid list", value);
  return (value as readonly Json[]).map((item) => {
    if (typeof item !== "string") throw invalidRequest(["body", key], "Input should be a valid string", item);
    return item;
  });
}
