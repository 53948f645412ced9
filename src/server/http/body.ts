import { isJsonObject } from "../../json/value.ts";
import { invalidRequest, invalidValues } from "./errors.ts";

import type { Json, JsonObject } from "../../json/value.ts";

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

interface Schema<T> {
  safeParse(
    value: unknown,
  ): { success: true; data: T } | { success: false; error: { issues: readonly Issue[] } };
}

/** The request's body as an object (`{}` when there is none). Throws the 422 of Prefect's server otherwise. */
export function objectBody(body: unknown): JsonObject {
  if (body === null || body === undefined) return {};
  const json = body as Json;
  if (isJsonObject(json)) return json;
  throw invalidRequest(["body"], "Input should be a valid dictionary or object to extract fields from", json);
}

/** Checks a body against a zod schema. Throws the 422 of Prefect's server with every problem. */
export function parseBody<T>(schema: Schema<T>, body: unknown, location: readonly string[] = ["body"]): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  throw invalidValues(
    result.error.issues.map(({ path, message }) => ({
      location: [...location, ...path.map((part) => (typeof part === "number" ? part : String(part)))],
      message,
    })),
  );
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
