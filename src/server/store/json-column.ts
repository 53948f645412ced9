import { parseJson } from "../../json/parse.ts";
import { isJsonObject } from "../../json/value.ts";

import type { JsonObject } from "../../json/value.ts";

/** A JSON column as an object; `{}` for null and for anything else that is none. */
export function objectColumn(text: string | null): JsonObject {
  const value = text === null ? {} : parseJson(text);
  return isJsonObject(value) ? value : {};
}
