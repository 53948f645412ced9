import { createRandom } from "../../support/random.ts";

import type { JsonObject } from "../../../src/json/value.ts";

export interface MatchCase {
  readonly trigger: JsonObject;
  readonly event: JsonObject;
}

type Step = { readonly event: JsonObject } | { readonly look: string };

export interface Scenario {
  readonly trigger: JsonObject;
  readonly steps: readonly Step[];
}

const START_MICROS = Date.parse("2026-01-01T00:00:00Z") * 1000;

function instant(micros: number): string {
  const seconds = Math.floor(micros / 1e6);
  const fraction = String(micros - seconds * 1e6).padStart(6, "0");
  return new Date((START_MICROS / 1e6 + seconds) * 1000).toISOString().replace(/\.\d+Z$/, `.${fraction}Z`);
}

function eventId(random: (below: number) => number): string {
  const hex = (length: number): string => Array.from({ length }, () => random(16).toString(16)).join("");
  return `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`;
}

/** Triggers with all kinds of patterns, and events of which many nearly match. */
export function generatedMatches(seed: number, count: number): MatchCase[] {
  const random = createRandom(seed);
  const pick = <T>(choices: readonly T[]): T => choices[random(choices.length)] as T;
  const some = <T>(most: number, make: () => T): T[] => Array.from({ length: random(most + 1) }, make);
  const names = [
    "door.opened",
    "door.closed",
    "door",
    "door.",
    "do\nor.x",
    "a[b",
    "a-b",
    "abc",
    "!door.opened",
    "türe",
  ];
  const namePatterns = [
    ...names,
    "*",
    "door.*",
    "door*",
    "*.opened",
    "d?or.opened",
    "door.[oc]*",
    "door.[!o]*",
    "a[",
    "a[-b]b",
    "a[a-c]b",
    "a[c-a]b",
    "!door.*",
    "t?re",
    "a.b",
    "",
  ];
  const values = ["1", "12", "red", "dark red", "", "[x]", "!red", "prefect.flow-run.9", "é"];
  const valuePatterns = [
    ...values,
    "*",
    "?",
    "r*",
    "!r*",
    "!1",
    "[0-9]",
    "![0-9]*",
    "*red",
    "prefect.flow-run.*",
    "[[]x]",
    "[]x]",
  ];
  const labels = ["color", "size", "prefect.resource.id", "prefect.resource.role", "constructor"];
  const roles = ["house", "owner", "tag"];
  const specification = (): JsonObject =>
    Object.fromEntries(
      some(2, () => [
        pick(labels),
        random(3) === 0 ? some(3, () => pick(valuePatterns)) : pick(valuePatterns),
      ]),
    );
  const resource = (): JsonObject => ({
    "prefect.resource.id": pick(values.filter((value) => value !== "")),
    ...Object.fromEntries(some(2, () => [pick(["color", "size", "constructor"]), pick(values)])),
  });
  return Array.from({ length: count }, () => ({
    trigger: {
      type: "event",
      posture: pick(["Reactive", "Proactive"]),
      expect: some(2, () => pick(namePatterns)),
      after: random(3) === 0 ? some(2, () => pick(namePatterns)) : [],
      match: random(2) === 0 ? {} : specification(),
      match_related: random(2) === 0 ? specification() : some(2, specification),
      for_each: some(3, () =>
        pick([
          ...labels,
          ...roles.flatMap((role) => labels.map((label) => `related:${role}:${label}`)),
          "related:size",
          ":color",
        ]),
      ),
    },
    event: {
      id: eventId(random),
      event: pick(names),
      resource: resource(),
      related: some(3, () => ({ ...resource(), "prefect.resource.role": pick(roles) })),
    },
  }));
}

/**
 * Triggers of all kinds, each with events and looks in (mostly) the order of time. No two parts of a composite trigger look at the same
 * event: Prefect takes them in the order of their random ids.
 */
export function generatedScenarios(seed: number, count: number, length: number): Scenario[] {
  const random = createRandom(seed);
  const pick = <T>(choices: readonly T[]): T => choices[random(choices.length)] as T;
  const eventTrigger = (
    names: readonly (readonly string[])[],
    afters: readonly (readonly string[])[],
  ): JsonObject => {
    const posture = pick(["Reactive", "Reactive", "Proactive"]);
    return {
      type: "event",
      posture,
      expect: pick(names),
      after: pick(afters),
      for_each: pick([[], [], ["prefect.resource.id"], ["missing"]]),
      threshold: pick([1, 1, 2, 3, 0]),
      within: posture === "Proactive" ? pick([10, 30]) : pick([0, 0, 10, 30, 0.000_001]),
    };
  };
  const single = (): JsonObject =>
    eventTrigger(
      [["tick"], ["tick", "end"], ["t*"], [], ["begin", "tick"]],
      [[], [], ["begin"], ["begin", "tick"]],
    );
  const composite = (names: readonly string[], depth: number): JsonObject => {
    const triggers = names.map((name, at) =>
      depth > 0 && at === 0 ? composite([name, `${name}er`], 0) : eventTrigger([[name]], [[], [], [name]]),
    );
    return random(2) === 0
      ? { type: "sequence", within: null, triggers }
      : {
          type: "compound",
          within: null,
          require: pick(["all", "any", 1 + random(triggers.length)]),
          triggers,
        };
  };
  return Array.from({ length: count }, () => {
    const names = ["begin", "tick", "end"];
    const parts = names.slice(0, 1 + random(names.length));
    const trigger = random(3) > 0 ? single() : composite(parts, random(2));
    let now = 0;
    const steps = Array.from({ length }, (): Step => {
      now += pick([0, 1, 1e6, 3e6, 4_999_999, 5e6, 10e6, 31e6]);
      if (random(4) === 0) return { look: instant(now) };
      const late = random(8) === 0 ? pick([1, 5e6, 1200e6]) : 0;
      return {
        event: {
          id: eventId(random),
          event: pick([...names, ...names, "beginer"]),
          occurred: instant(now - late),
          resource: { "prefect.resource.id": pick(["a", "b"]) },
          related: [],
        },
      };
    });
    return { trigger, steps };
  });
}
