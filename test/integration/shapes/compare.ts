import { at } from "./call.ts";

import type { Answer, Call } from "./call.ts";

/** Every difference between two answers to one call, as a line each, without those that the call names. */
export function differences(call: Call, real: Answer, ours: Answer): readonly string[] {
  const named = Object.keys(call.differs ?? {});
  const all = compareAnswers(call, real, ours);
  const found = all.filter(({ place }) => !named.some((pattern) => isWithin(place, pattern)));
  const idle = named.filter((pattern) => !all.some(({ place }) => isWithin(place, pattern)));
  return [
    ...found.map(({ place, text }) => `${place.join(".")}: ${text}`),
    ...idle.map((pattern) => `${pattern} does not differ any more`),
  ];
}

interface Difference {
  /** Begins with `answer`. */
  readonly place: readonly string[];
  readonly text: string;
}

function compareAnswers(call: Call, real: Answer, ours: Answer): readonly Difference[] {
  const isPartial = call.isPartial !== undefined;
  return [
    ...compare(real.status, ours.status, ["answer", "status code"], isPartial),
    ...compare(real.type, ours.type, ["answer", "content type"], isPartial),
    ...compare(comparable(call, real.body), comparable(call, ours.body), ["answer", "body"], isPartial),
  ];
}

/** Of an invalid request the first fault is compared, by its place: its words are each server's own. */
function comparable(call: Call, body: unknown): unknown {
  if (call.isUnordered && Array.isArray(body)) {
    return body.toSorted((a, b) => String(at(a, "name")).localeCompare(String(at(b, "name"))));
  }
  if (!isObject(body) || !Array.isArray(body["exception_detail"])) return body;
  const [first] = body["exception_detail"] as readonly { readonly loc?: unknown }[];
  return { ...body, exception_detail: first?.loc };
}

function compare(
  real: unknown,
  ours: unknown,
  place: readonly string[],
  isPartial: boolean,
): readonly Difference[] {
  if (Array.isArray(real) && Array.isArray(ours)) {
    const length = Math.max(real.length, ours.length);
    return Array.from({ length }, (_, index) => index).flatMap((index) =>
      compare(real[index], ours[index], [...place, String(index)], isPartial),
    );
  }
  if (isObject(real) && isObject(ours)) {
    const keys = new Set([...(isPartial ? [] : Object.keys(real)), ...Object.keys(ours)]);
    return [...keys].flatMap((key) => compare(real[key], ours[key], [...place, key], isPartial));
  }
  return Object.is(real, ours) ? [] : [{ place, text: `${shown(real)} there, ${shown(ours)} here` }];
}

/** `a.*.c` of a body, or `answer` for all of it. */
function isWithin(place: readonly string[], pattern: string): boolean {
  if (pattern === "answer") return true;
  const parts = ["answer", "body", ...(pattern === "" ? [] : pattern.split("."))];
  return parts.length <= place.length && parts.every((part, index) => part === "*" || part === place[index]);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
