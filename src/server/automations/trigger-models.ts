import { randomUUID } from "node:crypto";

import { Float, isJsonObject } from "../../json/value.ts";
import {
  duration,
  integer,
  literal,
  member,
  notNegativeDuration,
  nullable,
  specification,
  specifications,
  textSet,
  uuid,
} from "./kinds.ts";
import { ValueProblem, listOfModels, optional, required, unionKind } from "./model.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { Kind, Model } from "./model.ts";

const MIN_PROACTIVE_SECONDS = 10;

const EVENT_TRIGGER: Model = {
  label: "EventTrigger",
  fields: {
    type: optional(literal("event"), "event"),
    id: optional(uuid, randomUUID),
    match: optional(specification, {}),
    match_related: optional(specifications, {}),
    after: optional(textSet, []),
    expect: optional(textSet, []),
    for_each: optional(textSet, []),
    posture: required(member(["Reactive", "Proactive"], "Posture.Reactive or Posture.Proactive")),
    threshold: optional(integer, 1),
    within: optional(notNegativeDuration, new Float(0)),
  },
  before(given) {
    if (given["within"] === null) throw new ValueProblem("`within` should be a valid timedelta");
    if (given["posture"] !== "Proactive") return given;
    const seconds = secondsOf(given["within"]);
    if (seconds === 0) return { ...given, within: new Float(MIN_PROACTIVE_SECONDS) };
    if (seconds !== undefined && seconds < MIN_PROACTIVE_SECONDS) {
      throw new ValueProblem(
        `\`within\` for Proactive triggers must be greater than or equal to ${MIN_PROACTIVE_SECONDS} seconds`,
      );
    }
    return given;
  },
};

/** The name that pydantic gives to a model with checks of the whole, twice within a request's body. */
const COMPOUND_LABEL =
  "function-after[validate_require(), function-after[validate_require(), CompoundTrigger]]";

const COMPOUND_TRIGGER: Model = {
  label: COMPOUND_LABEL,
  fields: {
    type: optional(literal("compound"), "compound"),
    id: optional(uuid, randomUUID),
    triggers: required(listOfModels(() => TRIGGERS)),
    within: required(nullable(duration)),
    require: required(requirement),
  },
  after({ require, triggers }) {
    if (typeof require !== "number") return;
    if (require < 1) throw new ValueProblem("require must be at least 1");
    if (require > (triggers as readonly Json[]).length)
      throw new ValueProblem("require must be less than or equal to the number of triggers");
  },
};

const SEQUENCE_TRIGGER: Model = {
  label: "SequenceTrigger",
  fields: {
    type: optional(literal("sequence"), "sequence"),
    id: optional(uuid, randomUUID),
    triggers: required(listOfModels(() => TRIGGERS)),
    within: required(nullable(duration)),
  },
};

const TRIGGERS: readonly Model[] = [EVENT_TRIGGER, COMPOUND_TRIGGER, SEQUENCE_TRIGGER];

/** The criteria of an automation (prefect/server/events/schemas/automations.py). */
export const trigger: Kind = unionKind(() => TRIGGERS);

/** Gives a trigger and all within it new ids, whatever a client has sent. */
export function withNewIds(json: JsonObject): JsonObject {
  const children = json["triggers"];
  return {
    ...json,
    id: randomUUID(),
    ...(Array.isArray(children)
      ? {
          triggers: (children as readonly Json[]).map((child) =>
            isJsonObject(child) ? withNewIds(child) : child,
          ),
        }
      : {}),
  };
}

/** A number, `any` or `all`. */
function requirement(...[input, checks]: Parameters<Kind>): ReturnType<Kind> {
  const asNumber = integer(input, checks);
  if (asNumber.ok) return asNumber;
  const asWord = literal("any", "all")(input, checks);
  if (asWord.ok) return asWord;
  return {
    ok: false,
    problems: [
      ...asNumber.problems.map((problem) => ({ ...problem, loc: ["int"] })),
      ...asWord.problems.map((problem) => ({ ...problem, loc: ["literal['any','all']"] })),
    ],
  };
}

/** Seconds of what is given for a duration; undefined when that is not for this check to judge. */
function secondsOf(given: Json | undefined): number | undefined {
  if (given === undefined) return 0;
  const checked = duration(given, { templateProblem: () => undefined });
  return checked.ok ? (checked.value as Float).value : undefined;
}
