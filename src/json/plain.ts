import { Float, isJsonObject } from "./value.ts";

import type { Json } from "./value.ts";

/** The value as JSON.parse would have made it, for libraries that know nothing of {@link Float} and bigint. */
export function plainJson(value: Json): unknown {
  if (value instanceof Float) return value.value;
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map((item: Json) => plainJson(item));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plainJson(item)]));
}
