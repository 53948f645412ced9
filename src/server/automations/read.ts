import { isJsonObject } from "../../json/value.ts";
import { ApiError } from "../http/errors.ts";
import { actions } from "./action-models.ts";
import { flag, nullable, text } from "./kinds.ts";
import { ValueProblem, listOf, objectKind, optional, required, within } from "./model.ts";
import { trigger } from "./trigger-models.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { Checks, Model, Problem } from "./model.ts";

/** What an automation is made of (prefect: AutomationCore). */
const CORE: Model = {
  label: "AutomationCore",
  isClosed: true,
  fields: {
    name: required(text),
    description: optional(text, ""),
    enabled: optional(flag, true),
    tags: optional(listOf(text), []),
    trigger: required(trigger),
    actions: required(actions),
    actions_on_trigger: optional(actions, []),
    actions_on_resolve: optional(actions, []),
  },
  after: refuseLoops,
};

const CREATE: Model = {
  ...CORE,
  label: "AutomationCreate",
  fields: { ...CORE.fields, owner_resource: optional(nullable(text)) },
};

const PATCH: Model = {
  label: "AutomationPartialUpdate",
  isClosed: true,
  fields: { enabled: optional(flag, true) },
};

/** Reads the body that makes an automation; all fields are there. Throws the 422 of Prefect's server. */
export function readNewAutomation(body: unknown, checks: Checks): JsonObject {
  return read(CREATE, body, checks);
}

/** Reads the body that replaces an automation (PUT): only the fields that were given. Throws the 422 of Prefect's server. */
export function readAutomationUpdate(body: unknown, checks: Checks): JsonObject {
  return onlyGiven(read(CORE, body, checks), body);
}

/** Reads the body that enables or disables an automation (PATCH). Throws the 422 of Prefect's server. */
export function readAutomationPatch(body: unknown): JsonObject {
  return onlyGiven(read(PATCH, body, { templateProblem: () => undefined }), body);
}

/** Checks an automation as a whole once more, as it would be. Throws the 422 of Prefect's server. */
export function checkAutomation(automation: JsonObject): void {
  try {
    refuseLoops(automation);
  } catch (thrown) {
    if (!(thrown instanceof ValueProblem)) throw thrown;
    const problem = {
      type: "value_error",
      loc: [],
      msg: `Value error, ${thrown.message}`,
      input: automation,
    };
    throw refusal([problem], automation);
  }
}

function read(model: Model, body: unknown, checks: Checks): JsonObject {
  const given = (body ?? null) as Json;
  if (given === null)
    throw refusal([{ type: "missing", loc: ["body"], msg: "Field required", input: null }], null);
  const checked = objectKind(model)(given, checks);
  if (!checked.ok) throw refusal(within("body", checked.problems), given);
  return checked.value as JsonObject;
}

function onlyGiven(value: JsonObject, body: unknown): JsonObject {
  const given = isJsonObject(body as Json) ? (body as JsonObject) : {};
  return Object.fromEntries(Object.entries(value).filter(([name]) => Object.hasOwn(given, name)));
}

function refusal(problems: readonly Problem[], body: Json): ApiError {
  return new ApiError(422, {
    exception_message: "Invalid request received.",
    exception_detail: problems.map((problem) => ({ ...problem })),
    request_body: body,
  });
}

const RUN_EVENTS = ["Scheduled", "Pending", "Running", "*"].map((name) => `prefect.flow-run.${name}`);

/** Refuses automations whose runs would set them off again, for ever (prefect: prevent_run_deployment_loops). */
function refuseLoops(automation: JsonObject): void {
  const { trigger: on, enabled, actions: list } = automation;
  if (enabled === false || !isJsonObject(on) || on["type"] !== "event" || on["posture"] !== "Reactive")
    return;
  const expect = Array.isArray(on["expect"]) ? (on["expect"] as readonly Json[]) : [];
  if (!expect.some((name) => typeof name === "string" && RUN_EVENTS.includes(name))) return;
  const runs = (Array.isArray(list) ? (list as readonly Json[]) : [])
    .filter((action) => isJsonObject(action))
    .filter(({ type }) => type === "run-deployment");
  if (runs.some(({ source }) => source === "inferred")) {
    throw new ValueProblem(
      "Running an inferred deployment from a flow run state change event starts flow runs without end. Please choose a specific deployment, and narrow the trigger's match or match_related with more labels.",
    );
  }
  const related = Array.isArray(on["match_related"])
    ? (on["match_related"] as readonly Json[])
    : [on["match_related"]];
  const isOpen = matchesEveryFlowRun(on["match"]) && related.some((item) => matchesEveryFlowRun(item));
  if (runs.length > 0 && isOpen) {
    throw new ValueProblem(
      "Running a selected deployment from a flow run state change event may start flow runs without end. Please narrow the trigger's match or match_related with more labels, so that runs of the selected deployment are left out.",
    );
  }
}

/** No labels at all, or just the id of any flow run. */
function matchesEveryFlowRun(specification: Json | undefined): boolean {
  if (!isJsonObject(specification)) return true;
  const labels = Object.entries(specification);
  const [first] = labels;
  if (first === undefined) return true;
  const [label, value] = first;
  const patterns = Array.isArray(value) ? (value as readonly Json[]) : [value];
  return labels.length === 1 && label === "prefect.resource.id" && patterns.includes("prefect.flow-run.*");
}
