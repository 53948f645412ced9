import { entriesOf, objectOf } from "../json/object.ts";
import { isJsonObject } from "../json/value.ts";

import type { Json } from "../json/value.ts";

/** What stands in place of a secret; the API shows the same for a block that is read without its secrets. */
export const SECRET_MASK = "********";

/**
 * Hides what a block supplied: every text and number becomes {@link SECRET_MASK}; keys, nulls and booleans stay, so that one
 * still sees the shape. Meant as `transform` of `resolveBlockReferences`, for showing a job configuration to a person.
 */
export function maskSecret(value: Json): Json {
  if (value === null || typeof value === "boolean") return value;
  if (Array.isArray(value)) return value.map((item: Json) => maskSecret(item));
  if (isJsonObject(value)) {
    return objectOf(entriesOf(value).map(([key, item]) => [key, maskSecret(item)]));
  }
  return SECRET_MASK;
}
