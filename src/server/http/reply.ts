import { keysOf } from "../../json/object.ts";
import { stringifyJson } from "../../json/stringify.ts";
import { Float } from "../../json/value.ts";

import type { Json } from "../../json/value.ts";

/** JSON that already is text, as it stands in the store: goes into an answer as it is. */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What a route answers with. */
export type Reply = Json | JsonText | readonly Reply[] | { readonly [key: string]: Reply };

/** A JSON column as part of an answer. */
export function jsonText(column: string | null): JsonText | null {
  return column === null ? null : new JsonText(column);
}

/** An answer that is one text, number, boolean or null: Fastify would not send those as JSON by itself. */
export function jsonValue(value: Json): JsonText {
  return new JsonText(stringifyJson(value));
}

/** The text of an answer. */
export function serializeReply(value: Reply): string {
  if (value instanceof JsonText) return value.text;
  if (typeof value !== "object" || value === null || value instanceof Float) return stringifyJson(value);
  if (Array.isArray(value))
    return `[${(value as readonly Reply[]).map((item) => serializeReply(item)).join(",")}]`;
  const object = value as { readonly [key: string]: Reply | undefined };
  let text = "";
  for (const key of keysOf(object as { readonly [key: string]: Json })) {
    const item = object[key];
    if (item !== undefined) text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${serializeReply(item)}`;
  }
  return `{${text}}`;
}
