import { objectIn, textOf } from "../fields.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { Caller } from "../calls.ts";

// What people do with the API's objects: list, create, change, delete. A worker needs none of it, so it stands apart from the
// client's own calls and takes the caller as its first argument.

/** An object with all that the API sent of it, for `--json`. */
export type WithJson<T> = T & { readonly json: JsonObject };

/** Keeps the whole object beside the fields that are read from it. */
export function withJson<T extends object>(decode: (value: Json) => T): (value: Json) => WithJson<T> {
  return (value) => ({ ...decode(value), json: objectIn(value, "object") });
}

/** The most that a server gives at once. */
const PAGE = 200;

/** The objects that a filter chooses, read page by page; `limit` bounds them. Those that cannot be understood are left out. */
export async function filterAll<T>(
  api: Caller,
  path: string,
  filter: JsonObject,
  decode: (value: Json) => T,
  limit = Infinity,
): Promise<T[]> {
  const found: T[] = [];
  for (let offset = 0; offset < limit; offset += PAGE) {
    const wanted = Math.min(PAGE, limit - offset);
    const page = await api.list({ method: "POST", path, body: { ...filter, limit: wanted, offset } }, decode);
    found.push(...page);
    if (page.length < wanted) break;
  }
  return found;
}

/** As Prefect's lists are sorted: by the time at which the server made them. */
export function newestFirst<T extends { readonly json: JsonObject }>(items: readonly T[]): T[] {
  const created = ({ json }: T): string => textOf(json, "created") ?? "";
  return [...items].sort((a, b) => created(b).localeCompare(created(a)));
}
