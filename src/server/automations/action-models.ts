import { stringifyJson } from "../../json/stringify.ts";
import { Float, isJsonObject } from "../../json/value.ts";
import { STATE_TYPES } from "../runs/state.ts";
import { flag, literal, member, notNegativeDuration, nullable, object, text, uuid } from "./kinds.ts";
import { ValueProblem, bad, good, listOfModels, optional, required } from "./model.ts";
import { parameterProblems } from "./parameters.ts";

import type { Kind, Model } from "./model.ts";

const DO_NOTHING = plain("DoNothing", "do-nothing");

const runDeployment: Model = {
  ...target("RunDeployment", "run-deployment", "deployment"),
  fields: {
    ...target("RunDeployment", "run-deployment", "deployment").fields,
    parameters: optional(nullable(templatedParameters)),
    job_variables: optional(nullable(object)),
    schedule_after: optional(notNegativeDuration, new Float(0)),
  },
};

const changeFlowRunState: Model = {
  label: "ChangeFlowRunState",
  fields: {
    type: optional(literal("change-flow-run-state"), "change-flow-run-state"),
    name: optional(nullable(text)),
    state: required(member(STATE_TYPES)),
    message: optional(nullable(text)),
    force: optional(flag, false),
  },
};

const sendNotification: Model = {
  label: "SendNotification",
  fields: {
    type: optional(literal("send-notification"), "send-notification"),
    block_document_id: required(uuid),
    subject: optional(template("subject"), "Prefect automated notification"),
    body: required(template("body")),
  },
};

const callWebhook: Model = {
  label: "CallWebhook",
  fields: {
    type: optional(literal("call-webhook"), "call-webhook"),
    block_document_id: required(uuid),
    payload: optional(payload, ""),
  },
};

/** In the order of Prefect's union, which decides for an action that does not name its type. */
const ACTIONS: readonly Model[] = [
  DO_NOTHING,
  runDeployment,
  target("PauseDeployment", "pause-deployment", "deployment"),
  target("ResumeDeployment", "resume-deployment", "deployment"),
  plain("CancelFlowRun", "cancel-flow-run"),
  plain("DeleteFlowRun", "delete-flow-run"),
  changeFlowRunState,
  target("PauseWorkQueue", "pause-work-queue", "work_queue"),
  target("ResumeWorkQueue", "resume-work-queue", "work_queue"),
  sendNotification,
  callWebhook,
  target("PauseAutomation", "pause-automation", "automation"),
  target("ResumeAutomation", "resume-automation", "automation"),
  plain("SuspendFlowRun", "suspend-flow-run"),
  plain("ResumeFlowRun", "resume-flow-run"),
  target("PauseWorkPool", "pause-work-pool", "work_pool"),
  target("ResumeWorkPool", "resume-work-pool", "work_pool"),
];

/** What an automation does (prefect/server/events/actions.py). */
export const actions: Kind = listOfModels(() => ACTIONS);

function plain(label: string, type: string): Model {
  return { label, fields: { type: optional(literal(type), type) } };
}

/** An action on an object that is either selected by its id or inferred from the event. */
function target(label: string, type: string, noun: string): Model {
  const id = `${noun}_id`;
  return {
    label: `function-after[selected_${noun}_requires_id(), ${label}]`,
    fields: {
      type: optional(literal(type), type),
      source: optional(literal("selected", "inferred"), "selected"),
      [id]: optional(nullable(uuid)),
    },
    after(value) {
      const hasId = value[id] !== null;
      if ((value["source"] === "selected") !== hasId)
        throw new ValueProblem(`${id} is ${hasId ? "not allowed" : "required"}`);
    },
  };
}

function template(field: string): Kind {
  return (input, checks) => {
    const checked = text(input, checks);
    const problem = typeof input === "string" ? checks.templateProblem(input) : undefined;
    if (!checked.ok || problem === undefined) return checked;
    return bad("value_error", `Value error, '${field}' is not a valid template: ${problem}`, input, {
      error: {},
    });
  };
}

/** A template; anything but a text is taken for the JSON that it stands for. */
function payload(...[input, checks]: Parameters<Kind>): ReturnType<Kind> {
  const written = isJsonObject(input) || Array.isArray(input) ? stringifyJson(input, 2) : input;
  return template("payload")(written, checks);
}

function templatedParameters(...[input, checks]: Parameters<Kind>): ReturnType<Kind> {
  if (!isJsonObject(input)) return object(input, checks);
  const problems = parameterProblems(input, checks.templateProblem);
  if (problems.length === 0) return good(input);
  return bad("value_error", `Value error, Invalid parameters: \n${problems.join("\n  ")}`, input, {
    error: {},
  });
}
