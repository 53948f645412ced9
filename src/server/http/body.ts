import { Float, isJsonObject } from "../../json/value.ts";
import { parseTimestamp } from "../store/timestamp.ts";
import { ApiError, InvalidValueError, invalidRequest } from "./errors.ts";

import type { Json, JsonObject } from "../../json/value.ts";

/** Where a value stands in a request, as in `["body", "flows", "name"]`. */
export type Location = readonly (string | number)[];

const BODY: Location = ["body"];

/** The request's body as an object (`{}` when there is none). Throws the 422 of Prefect's server otherwise. */
export function objectBody(body: unknown): JsonObject {
  return body === null || body === undefined ? {} : requiredBody(body);
}

/** The request's body as an object, which must be there. Throws a 422. */
export function requiredBody(body: unknown): JsonObject {
  return parseObject((body ?? undefined) as Json | undefined, BODY);
}

/** A value as an object. Throws a 422. */
export function parseObject(value: Json | undefined, location: Location): JsonObject {
  if (isJsonObject(value)) return value;
  if (value === undefined) throw invalidRequest(location, "Field required");
  throw invalidRequest(
    location,
    "Input should be a valid dictionary or object to extract fields from",
    value,
  );
}

/** The request's body as a list. Throws a 422. */
export function listBody(body: unknown): readonly Json[] {
  if (Array.isArray(body)) return body as readonly Json[];
  if (body === null || body === undefined) throw invalidRequest(BODY, "Field required");
  throw invalidRequest(BODY, "Input should be a valid list", body as Json);
}

const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;

/** A UUID in its stored form: lower case, with dashes. Throws the 422 of Prefect's server. */
export function parseUuid(text: unknown, location: Location): string {
  if (typeof text === "string" && UUID.test(text)) return plainUuid(text);
  if (text === undefined) throw invalidRequest(location, "Field required");
  throw invalidRequest(location, "Input should be a valid UUID", text as Json);
}

/** An id in the request's path. One that is no UUID leads nowhere: 404, as on Prefect's server. */
export function pathUuid(text: string): string {
  if (!UUID.test(text)) throw new ApiError(404, "Not Found");
  return plainUuid(text);
}

function plainUuid(text: string): string {
  if (text.length === 36) return text.toLowerCase();
  const hex = text.toLowerCase().replaceAll("-", "");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** What a field holds, read by `parse`; undefined when absent or null. */
function fieldOf<T>(
  body: JsonObject,
  key: string,
  within: Location,
  parse: (value: Json, location: Location) => T,
): T | undefined {
  const value = body[key] ?? null;
  return value === null ? undefined : parse(value, [...within, key]);
}

/** A field that holds a UUID; undefined when absent or null. Throws a 422. */
export function uuidOf(body: JsonObject, key: string, within: Location = BODY): string | undefined {
  return fieldOf(body, key, within, parseUuid);
}

/** A text field; undefined when absent or null. Throws a 422 for anything else. */
export function textOf(body: JsonObject, key: string, within: Location = BODY): string | undefined {
  return fieldOf(body, key, within, parseText);
}

/** A value as a text. Throws a 422. */
export function parseText(value: Json, location: Location): string {
  if (typeof value !== "string") throw invalidRequest(location, "Input should be a valid string", value);
  return value;
}

/** A text field that must be there. Throws a 422. */
export function requiredText(body: JsonObject, key: string, within: Location = BODY): string {
  const text = textOf(body, key, within);
  if (text === undefined) throw invalidRequest([...within, key], "Field required");
  return text;
}

/** A name, which must be there; an empty one counts for none. Throws a 422. */
export function requiredName(body: JsonObject): string {
  const name = requiredText(body, "name");
  if (name === "") throw invalidRequest(["body", "name"], "Field required");
  return name;
}

/** A name that may stand in an address (prefect/types/names.py). Throws a 422. */
export function requiredPlainName(body: JsonObject): string {
  const name = requiredName(body);
  if (/[/%&><]/.test(name))
    throw invalidRequest(["body", "name"], "Name contains an invalid character.", name);
  return name;
}

/** A time field in its stored form; undefined when absent or null. Throws a 422. */
export function timeOf(body: JsonObject, key: string, within: Location = BODY): string | undefined {
  return fieldOf(body, key, within, parseTime);
}

/** A value as a time in its stored form. Throws a 422. */
export function parseTime(value: Json, location: Location): string {
  const text = parseText(value, location);
  try {
    return parseTimestamp(text);
  } catch (thrown) {
    if (thrown instanceof InvalidValueError) throw invalidRequest(location, thrown.message, text);
    throw thrown;
  }
}

export interface NumberOptions {
  readonly within?: Location;
  readonly min?: number;
  readonly max?: number;
}

/** An integer field (`2.0` counts); undefined when absent or null. Throws a 422 for anything else, and outside its bounds. */
export function integerOf(body: JsonObject, key: string, options: NumberOptions = {}): number | undefined {
  const number = numberOf(body, key, options);
  if (number === undefined || Number.isSafeInteger(number)) return number;
  throw invalidRequest([...(options.within ?? BODY), key], "Input should be a valid integer", number);
}

/** A number field; undefined when absent or null. Throws a 422 for anything else, and outside its bounds. */
export function numberOf(
  body: JsonObject,
  key: string,
  { within = BODY, min = -Infinity, max = Infinity }: NumberOptions = {},
): number | undefined {
  return fieldOf(body, key, within, (value, location) => {
    const number = parseNumber(value, location);
    if (number < min)
      throw invalidRequest(location, `Input should be greater than or equal to ${min}`, value);
    if (number > max) throw invalidRequest(location, `Input should be less than or equal to ${max}`, value);
    return number;
  });
}

/** A value as a number. Throws a 422. */
export function parseNumber(value: Json, location: Location): number {
  const number = value instanceof Float ? value.value : value;
  if (typeof number !== "number") throw invalidRequest(location, "Input should be a valid number", value);
  return number;
}

/** A boolean field; undefined when absent or null. Throws a 422 for anything else. */
export function booleanOf(body: JsonObject, key: string, within: Location = BODY): boolean | undefined {
  return fieldOf(body, key, within, parseBoolean);
}

/** A value as a boolean. Throws a 422. */
export function parseBoolean(value: Json, location: Location): boolean {
  if (typeof value !== "boolean") throw invalidRequest(location, "Input should be a valid boolean", value);
  return value;
}

/** One of some words; undefined when absent or null. Throws a 422 for another. */
export function wordOf<T extends string>(
  body: JsonObject,
  key: string,
  words: readonly T[],
  within: Location = BODY,
): T | undefined {
  return fieldOf(body, key, within, (value, location) => {
    const word = words.find((candidate) => candidate === value);
    if (word === undefined)
      throw invalidRequest(location, `Input should be one of ${words.join(", ")}`, value);
    return word;
  });
}

/** An object field; undefined when absent or null. Throws a 422 for anything else. */
export function objectOf(body: JsonObject, key: string, within: Location = BODY): JsonObject | undefined {
  return fieldOf(body, key, within, (value, location) => {
    if (!isJsonObject(value)) throw invalidRequest(location, "Input should be a valid dictionary", value);
    return value;
  });
}

/** A list of texts; undefined when absent or null. Throws a 422 for anything else. */
export function textsOf(
  body: JsonObject,
  key: string,
  within: Location = BODY,
): readonly string[] | undefined {
  return fieldOf(body, key, within, parseTexts);
}

/** A value as a list of texts. Throws a 422 for anything else. */
export function parseTexts(value: Json, location: Location): readonly string[] {
  if (!Array.isArray(value)) throw invalidRequest(location, "Input should be a valid list", value);
  return (value as readonly Json[]).map((item, index) => parseText(item, [...location, index]));
}

/** A value as a list of UUIDs. Throws a 422 for anything else. */
export function parseUuids(value: Json, location: Location): readonly string[] {
  return parseTexts(value, location).map((id, index) => parseUuid(id, [...location, index]));
}
