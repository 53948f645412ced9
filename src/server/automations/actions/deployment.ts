import { objectOf } from "../../../json/object.ts";
import { Float, isJsonObject } from "../../../json/value.ts";
import { readVariable } from "../../deployments/parameters.ts";
import { runDeployment } from "../../deployments/run.ts";
import { pauseDeployment as setPaused } from "../../deployments/write.ts";
import { findFlowRun } from "../../runs/row.ts";
import { HydrationError } from "../../schema-tools/hydrate.ts";
import { addSeconds, timestampOf } from "../../store/timestamp.ts";
import { renderParameters, templatesIn } from "../parameters.ts";
import { targetId } from "./inferred.ts";
import { ActionFailed, asRequest, target } from "./outcome.ts";
import { templateNames } from "./template-names.ts";

import type { JsonObject } from "../../../json/value.ts";
import type { ServerContext } from "../../context.ts";
import type { Transaction } from "../../store/database.ts";
import type { Outcome } from "./outcome.ts";
import type { Commit } from "./prepare.ts";
import type { TriggeredAction } from "./triggered-action.ts";

/** Makes a run of the deployment, with its parameters filled in. */
export async function prepareRun(context: ServerContext, triggered: TriggeredAction): Promise<Commit> {
  const { action, automation } = triggered;
  const tools = await context.schemaTools();
  const id = targetId(triggered, "deployment");
  const related = [target("deployment", id)];
  const body = {
    parameters: await renderedParameters(context, triggered).catch((thrown: unknown) => {
      if (!(thrown instanceof HydrationError)) throw thrown;
      throw new ActionFailed(`Unable to create flow run from deployment: ${thrown.message}`, { related });
    }),
    job_variables: isJsonObject(action["job_variables"]) ? action["job_variables"] : {},
    idempotency_key: `automation ${automation.id}, action ${triggered.index}, invocation ${triggered.id}`,
  };
  const createdBy = {
    id: automation.id,
    type: "AUTOMATION",
    display_value: automation.name,
  };
  return (tx) => {
    const time = addSeconds(timestampOf(context.clock.now()), secondsOf(action));
    const state = { type: "SCHEDULED", name: "Scheduled", state_details: { scheduled_time: time } };
    const made = asRequest(triggered.type, { related }, () =>
      runDeployment(context, tx, tools, id, { ...body, state }, createdBy),
    );
    const run = {
      "prefect.resource.id": `prefect.flow-run.${made.id}`,
      "prefect.resource.role": "flow-run",
      "prefect.resource.name": findFlowRun(tx, made.id)?.name ?? "",
    };
    return { related: [...related, run], details: { status_code: made.isNew ? 201 : 200 } };
  };
}

export function pauseDeployment(
  context: ServerContext,
  tx: Transaction,
  triggered: TriggeredAction,
  paused: boolean,
): Outcome {
  const id = targetId(triggered, "deployment");
  const related = [target("deployment", id)];
  asRequest(triggered.type, { related }, () => setPaused(context, tx, id, paused));
  return { related, details: { status_code: 200 } };
}

async function renderedParameters(context: ServerContext, triggered: TriggeredAction): Promise<JsonObject> {
  const parameters = isJsonObject(triggered.action["parameters"])
    ? triggered.action["parameters"]
    : objectOf([]);
  if (Object.keys(parameters).length === 0) return parameters;
  const { templates } = await context.schemaTools();
  const used = new Set(templatesIn(parameters).flatMap((template) => [...templates.namesIn(template)]));
  const names = templateNames(context, triggered, used);
  return renderParameters(parameters, {
    render: (template) => templates.render(template, names),
    variable: (name) => readVariable(context.database, name),
  });
}

function secondsOf({ schedule_after: after }: JsonObject): number {
  return after instanceof Float ? after.value : Number(after ?? 0);
}
