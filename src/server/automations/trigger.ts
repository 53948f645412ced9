import { textIn } from "../../json/object.ts";
import { Float, isJsonObject } from "../../json/value.ts";
import { escapeText } from "./glob.ts";

import type { Json, JsonObject } from "../../json/value.ts";

/** Labels that a resource must have, each with the patterns of which one must match. */
export type ResourceSpecification = ReadonlyMap<string, readonly string[]>;

interface TriggerBase {
  readonly id: string;
  /** The composite trigger that it is a part of; null: the automation's own trigger. */
  readonly parent: CompositeTrigger | null;
  /** As it stands in the automation. */
  readonly json: JsonObject;
}

/** Fires on the presence of events (Reactive) or on their absence (Proactive). */
export interface EventTrigger extends TriggerBase {
  readonly type: "event";
  readonly match: ResourceSpecification;
  /** Each must be met by one of the related resources. */
  readonly matchRelated: readonly ResourceSpecification[];
  readonly after: readonly string[];
  readonly expect: readonly string[];
  /** Sorted. */
  readonly forEach: readonly string[];
  readonly posture: "Reactive" | "Proactive";
  readonly threshold: number;
  /** Microseconds. */
  readonly within: number;
  /** Names that it looks at; a name fits that begins with one of the patterns. */
  readonly eventPattern: RegExp;
}

/** Fires when others have fired: enough of them (compound), or all in their order (sequence). */
export interface CompositeTrigger extends TriggerBase {
  readonly type: "compound" | "sequence";
  readonly triggers: readonly Trigger[];
  /** Microseconds; null: however far apart. */
  readonly within: number | null;
  readonly require: number | "any" | "all";
}

export type Trigger = EventTrigger | CompositeTrigger;

/** Makes a stored trigger ready for use. */
export function compileTrigger(json: JsonObject, parent: CompositeTrigger | null = null): Trigger {
  const base = { id: textIn(json, "id") ?? "", parent, json };
  const type = json["type"];
  if (type === "compound" || type === "sequence") return compileComposite(type, json, base);
  const [after, expect] = [texts(json["after"]), texts(json["expect"])];
  return {
    ...base,
    type: "event",
    match: specification(json["match"]),
    matchRelated: specifications(json["match_related"]),
    after,
    expect,
    forEach: texts(json["for_each"]).toSorted(byCodePoints),
    posture: json["posture"] === "Proactive" ? "Proactive" : "Reactive",
    threshold: Number(json["threshold"] ?? 1),
    within: micros(json["within"] ?? 0),
    eventPattern: eventPatternOf(expect, after),
  };
}

function compileComposite(
  type: CompositeTrigger["type"],
  json: JsonObject,
  base: TriggerBase,
): CompositeTrigger {
  const triggers: Trigger[] = [];
  const require = json["require"];
  const within = json["within"] ?? null;
  const composite: CompositeTrigger = {
    ...base,
    type,
    triggers,
    within: within === null ? null : micros(within),
    require: typeof require === "number" || require === "any" ? require : "all",
  };
  const children = Array.isArray(json["triggers"]) ? (json["triggers"] as readonly Json[]) : [];
  for (const child of children) if (isJsonObject(child)) triggers.push(compileTrigger(child, composite));
  return composite;
}

/** The trigger and all within it. */
export function allTriggers(trigger: Trigger): Trigger[] {
  return trigger.type === "event"
    ? [trigger]
    : [trigger, ...trigger.triggers.flatMap((child) => allTriggers(child))];
}

/** How many of its parts must have fired. */
export function expectedFirings({ require, triggers, type }: CompositeTrigger): number {
  if (type === "sequence" || require === "all") return triggers.length;
  return require === "any" ? 1 : require;
}

/** Any text that begins with one of the patterns, where `*` stands for at least one character. */
function eventPatternOf(expect: readonly string[], after: readonly string[]): RegExp {
  if (expect.length === 0) return /^[^\n]/u;
  const patterns = [...expect, ...after].map((pattern) =>
    pattern
      .split("*")
      .map((part) => escapeText(part))
      .join("[^\\n]+"),
  );
  return new RegExp(`^(?:${patterns.join("|")})`, "u");
}

function specifications(json: Json | undefined): ResourceSpecification[] {
  const list = Array.isArray(json) ? (json as readonly Json[]) : [json];
  return list.map((item) => specification(item));
}

function specification(json: Json | undefined): ResourceSpecification {
  if (!isJsonObject(json)) return new Map();
  return new Map(
    Object.entries(json).map(([label, value]) => [label, texts(Array.isArray(value) ? value : [value])]),
  );
}

function texts(json: Json | undefined): string[] {
  return Array.isArray(json) ? (json as readonly Json[]).filter((item) => typeof item === "string") : [];
}

function micros(seconds: Json): number {
  return Math.round((seconds instanceof Float ? seconds.value : Number(seconds)) * 1e6);
}

/** Python's order of texts. */
function byCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
