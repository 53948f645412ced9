import { isJsonObject } from "../../json/value.ts";

import type { Json, JsonObject } from "../../json/value.ts";

/** What a secret is shown as. */
const MASK = "********";

/** Masks the fields that the schema calls secret (`a.b`, `a.*`: everything below a). */
export function maskSecrets(data: JsonObject, secretFields: readonly string[]): JsonObject {
  return secretFields.reduce<JsonObject>(
    (masked, field) => maskAt(masked, field.split(".")) as JsonObject,
    data,
  );
}

/** Puts the secrets of the old data where the new one only has the mask: somebody sent back what was shown. */
export function keepMasked(update: Json, current: Json | undefined): Json {
  if (update === MASK && current !== undefined) return current;
  if (!isJsonObject(update)) return update;
  const old = isJsonObject(current) ? current : {};
  return Object.fromEntries(Object.entries(update).map(([key, value]) => [key, keepMasked(value, old[key])]));
}

function maskAt(value: Json, path: readonly string[]): Json {
  const [key, ...rest] = path;
  if (key === undefined) return value === null ? null : maskAll(value);
  if (!isJsonObject(value)) return value;
  if (key === "*") return maskAll(value);
  const item = value[key];
  return item === undefined ? value : { ...value, [key]: maskAt(item, rest) };
}

function maskAll(value: Json): Json {
  if (!isJsonObject(value)) return MASK;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, maskAll(item)]));
}
