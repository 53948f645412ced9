import { isJsonObject } from "../json/value.ts";
import { isPythonTruthy } from "../json/python.ts";
import { parseDuration } from "./duration.ts";
import { parseSwitch } from "./switch.ts";

import type { Json, JsonObject } from "../json/value.ts";

/** An automation that a deployment owns, without what only the server knows: the deployment's id. */
export interface DeploymentAutomation {
  readonly name: string;
  readonly description: string;
  readonly enabled: boolean;
  readonly trigger: JsonObject;
  readonly parameters: JsonObject | null;
  readonly jobVariables: JsonObject | null;
  readonly scheduleAfterSeconds: number;
}

const OWN_FIELDS: ReadonlySet<string> = new Set([
  "name",
  "description",
  "enabled",
  "parameters",
  "job_variables",
  "schedule_after",
]);
const POSTURES: ReadonlySet<string> = new Set(["Reactive", "Proactive"]);
const METRICS: ReadonlySet<string> = new Set(["lateness", "duration", "successes"]);
const OPERATORS: ReadonlySet<string> = new Set(["<", "<=", ">", ">="]);
const PROACTIVE_SECONDS = 10;

/**
 * Reads one item of `triggers` (prefect/events/schemas/deployment_triggers.py): the fields of an automation beside those of its
 * trigger. Unknown fields are ignored. Throws a RangeError that says which field is wrong.
 */
export function readTrigger(item: JsonObject, defaultName: string): DeploymentAutomation {
  const name = item["name"] ?? null;
  const { description = "", enabled = true, parameters = null, job_variables: jobVariables = null } = item;
  if (name !== null && typeof name !== "string") throw wrong("name", "a text", name);
  if (typeof description !== "string") throw wrong("description", "a text", description);
  if (parameters !== null && !isJsonObject(parameters)) throw wrong("parameters", "a mapping", parameters);
  if (jobVariables !== null && !isJsonObject(jobVariables))
    throw wrong("job_variables", "a mapping", jobVariables);
  const trigger = readSpecification(
    Object.fromEntries(Object.entries(item).filter(([key]) => !OWN_FIELDS.has(key))),
    "",
  );
  const after = item["schedule_after"] ?? 0;
  return {
    name: name ?? defaultName,
    description,
    enabled: parseSwitch(enabled) ?? refuse("enabled", "true or false", enabled),
    trigger,
    parameters,
    jobVariables,
    scheduleAfterSeconds: seconds(after, "schedule_after"),
  };
}

/** The body that makes the automation, for a deployment that exists (protocol §8.1). */
export function automationBody(automation: DeploymentAutomation, deploymentId: string): JsonObject {
  return {
    name: automation.name,
    description: automation.description,
    enabled: automation.enabled,
    tags: [],
    trigger: automation.trigger,
    actions: [
      {
        type: "run-deployment",
        source: "selected",
        deployment_id: deploymentId,
        parameters: automation.parameters,
        job_variables: automation.jobVariables,
        schedule_after: automation.scheduleAfterSeconds,
      },
    ],
    actions_on_trigger: [],
    actions_on_resolve: [],
    owner_resource: `prefect.deployment.${deploymentId}`,
  };
}

function readSpecification(item: JsonObject, at: string): JsonObject {
  const type = item["type"] ?? kindOf(item);
  switch (type) {
    case "event":
      return readEvent(item, at);
    case "metric":
      return readMetric(item, at);
    case "compound":
    case "sequence":
      return readComposite(type, item, at);
    default:
      throw wrong(`${at}type`, "event, metric, compound or sequence", type);
  }
}

function kindOf(item: JsonObject): string {
  if (item["posture"] === "Metric") return "metric";
  if (item["triggers"] === undefined) return "event";
  return item["require"] === undefined ? "sequence" : "compound";
}

function readEvent(item: JsonObject, at: string): JsonObject {
  const posture = item["posture"] ?? "Reactive";
  if (typeof posture !== "string" || !POSTURES.has(posture))
    throw wrong(`${at}posture`, "Reactive or Proactive", posture);
  const threshold = item["threshold"] ?? 1;
  if (!Number.isInteger(threshold)) throw wrong(`${at}threshold`, "a whole number", threshold);
  const within = item["within"];
  if (within === null) throw wrong(`${at}within`, "a time in seconds", within);
  let withinSeconds = within === undefined ? 0 : seconds(within, `${at}within`);
  if (posture === "Proactive" && withinSeconds === 0) withinSeconds = PROACTIVE_SECONDS;
  if (posture === "Proactive" && withinSeconds < PROACTIVE_SECONDS) {
    throw wrong(`${at}within`, `at least ${PROACTIVE_SECONDS} seconds for a Proactive trigger`, within ?? 0);
  }
  return {
    type: "event",
    match: matchOf(item["match"], `${at}match`),
    match_related: Array.isArray(item["match_related"])
      ? item["match_related"].map((each: Json) => matchOf(each, `${at}match_related`))
      : matchOf(item["match_related"], `${at}match_related`),
    after: textsOf(item["after"], `${at}after`),
    expect: textsOf(item["expect"], `${at}expect`),
    for_each: textsOf(item["for_each"], `${at}for_each`),
    posture,
    threshold,
    within: withinSeconds,
  };
}

function readMetric(item: JsonObject, at: string): JsonObject {
  const metric = item["metric"];
  if (!isJsonObject(metric))
    throw wrong(`${at}metric`, "a mapping with name, operator and threshold", metric ?? null);
  const { name = null, threshold = null, operator = null, range = 300, firing_for: firingFor = 300 } = metric;
  if (typeof name !== "string" || !METRICS.has(name))
    throw wrong(`${at}metric.name`, [...METRICS].join(", "), name);
  if (typeof operator !== "string" || !OPERATORS.has(operator))
    throw wrong(`${at}metric.operator`, "<, <=, > or >=", operator);
  if (typeof threshold !== "number") throw wrong(`${at}metric.threshold`, "a number", threshold);
  const [rangeSeconds, firingSeconds] = [
    seconds(range, `${at}metric.range`),
    seconds(firingFor, `${at}metric.firing_for`),
  ];
  if (rangeSeconds < 300) throw wrong(`${at}metric.range`, "at least 300 seconds", range);
  if (firingSeconds < 300) throw wrong(`${at}metric.firing_for`, "at least 300 seconds", firingFor);
  return {
    type: "metric",
    match: matchOf(item["match"], `${at}match`),
    match_related: matchOf(item["match_related"], `${at}match_related`),
    posture: "Metric",
    metric: { name, threshold, operator, range: rangeSeconds, firing_for: firingSeconds },
  };
}

function readComposite(type: "compound" | "sequence", item: JsonObject, at: string): JsonObject {
  const triggers = item["triggers"];
  if (!Array.isArray(triggers)) throw wrong(`${at}triggers`, "a list of triggers", triggers ?? null);
  const inner = triggers.map((each: Json, index) => {
    const place = `${at}triggers[${index}]`;
    if (!isJsonObject(each)) throw wrong(place, "a trigger", each);
    return readSpecification(each, `${place}.`);
  });
  const within = item["within"] ?? null;
  const shared = { type, triggers: inner, within: within === null ? null : seconds(within, `${at}within`) };
  if (type === "sequence") return shared;
  const { require = null } = item;
  const isCount =
    typeof require === "number" && Number.isInteger(require) && require >= 1 && require <= inner.length;
  if (!isCount && require !== "any" && require !== "all") {
    throw wrong(`${at}require`, `any, all, or a number from 1 to ${inner.length}`, require);
  }
  return { ...shared, require };
}

function matchOf(value: Json | undefined, at: string): JsonObject {
  if (value === undefined || value === null) return {};
  if (!isJsonObject(value)) throw wrong(at, "a mapping of labels", value);
  for (const [label, wanted] of Object.entries(value)) {
    const isFine =
      typeof wanted === "string" ||
      (Array.isArray(wanted) && wanted.every((each) => typeof each === "string"));
    if (!isFine) throw wrong(`${at}.${label}`, "a text or a list of texts", wanted);
  }
  return value;
}

function textsOf(value: Json | undefined, at: string): readonly string[] {
  if (value === undefined) return [];
  const isFine = Array.isArray(value) && value.every((each) => typeof each === "string");
  if (!isFine) throw wrong(at, "a list of texts", value);
  return [...new Set(value as readonly string[])];
}

function seconds(value: Json, at: string): number {
  const number = parseDuration(value);
  if (number === undefined || !(number >= 0)) throw wrong(at, "a time in seconds", value);
  return number;
}

function refuse(at: string, expected: string, found: Json): never {
  throw wrong(at, expected, found);
}

function wrong(at: string, expected: string, found: Json): RangeError {
  const shown = isPythonTruthy(found) && typeof found === "object" ? "something else" : JSON.stringify(found);
  return new RangeError(`${at}: expected ${expected}, but this is ${shown}`);
}
