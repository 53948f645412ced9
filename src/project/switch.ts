import type { Json } from "../json/value.ts";

const ON: ReadonlySet<string> = new Set(["1", "true", "t", "yes", "y", "on"]);
const OFF: ReadonlySet<string> = new Set(["0", "false", "f", "no", "n", "off"]);

/** A boolean, or the words that stand for one, which templates give (as pydantic takes them); undefined for anything else. */
export function parseSwitch(value: Json): boolean | undefined {
  if (typeof value === "boolean") return value;
  const text = String(typeof value === "string" || typeof value === "number" ? value : "").toLowerCase();
  return ON.has(text) ? true : OFF.has(text) ? false : undefined;
}
