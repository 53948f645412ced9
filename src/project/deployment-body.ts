import { isPythonTruthy, pythonStr } from "../json/python.ts";
import { isJsonObject } from "../json/value.ts";
import { objectAt } from "./overrides.ts";

import type { Json, JsonObject } from "../json/value.ts";
import type { FlowInfo } from "./flow-reader.ts";
import type { Steps } from "./prefect-file.ts";
import type { DeploymentAutomation } from "./triggers.ts";
import type { VersionInfo } from "./version-info.ts";

/** A deployment as it is to stand on the server: nothing is left to be resolved but what workers resolve. */
export interface DeploymentPlan {
  readonly flowName: string;
  readonly name: string;
  readonly workPoolName: string;
  /** That of file or command line; null where the version comes from flow or commit. */
  readonly declaredVersion: string | null;
  /** The API's fields that a new and a changed deployment share. */
  readonly fields: JsonObject;
  /** Undefined when the declaration says nothing of schedules: those that are there stay. */
  readonly schedules: readonly JsonObject[] | undefined;
  /** Undefined: left as it is. */
  readonly paused: boolean | undefined;
  /** Undefined: true for a new deployment, left as it is for one that is there. */
  readonly enforceParameterSchema: boolean | undefined;
  readonly automations: readonly DeploymentAutomation[];
  /** Service level agreements of Prefect Cloud; undefined: left as they are. */
  readonly slas: readonly JsonObject[] | undefined;
}

export interface PlanInput {
  /** The declaration with everything filled in, step outputs too. */
  readonly fields: JsonObject;
  readonly schedules: readonly JsonObject[] | undefined;
  readonly automations: readonly DeploymentAutomation[];
  readonly entrypoint: string;
  readonly flow: FlowInfo;
  readonly pullSteps: Steps;
  /** What service or git tell; null where nothing does. */
  readonly versionInfo: VersionInfo | null;
}

/** Puts a deployment together (prefect/deployments/runner.py: RunnerDeployment). */
export function planDeployment(input: PlanInput): DeploymentPlan {
  const { fields, flow, entrypoint, pullSteps, schedules, automations, versionInfo } = input;
  const pool = objectAt(fields, "work_pool");
  const own = textOrNull(fields["version"]);
  // A version of one's own stays; that of the flow gives way to the commit.
  const version = own ?? versionInfo?.version ?? flow.version;
  const limit = fields["concurrency_limit"] ?? null;
  const { paused, sla: slas } = fields;
  const enforce = fields["enforce_parameter_schema"];
  const name = textOrNull(fields["name"]) ?? "";
  return {
    flowName: flow.name,
    name: name.endsWith(".py") ? (name.slice(0, -3).split("/").at(-1) ?? "") : name,
    workPoolName: textOrNull(pool["name"]) ?? "",
    declaredVersion: own,
    schedules,
    automations,
    slas: Array.isArray(slas) ? slas.filter((item: Json) => isJsonObject(item)) : undefined,
    paused: typeof paused === "boolean" ? paused : undefined,
    enforceParameterSchema: typeof enforce === "boolean" ? enforce : undefined,
    fields: {
      entrypoint,
      version,
      version_info: { type: "prefect:simple", ...versionInfo, version: version ?? "" },
      description: textOrNull(fields["description"]) ?? flow.description,
      tags: tagsOf(fields["tags"]),
      parameters: objectAt(fields, "parameters"),
      parameter_openapi_schema: flow.parameterSchema,
      work_pool_name: textOrNull(pool["name"]),
      work_queue_name: textOrNull(pool["work_queue_name"]),
      job_variables: objectAt(pool, "job_variables"),
      pull_steps: pullSteps,
      concurrency_limit: isJsonObject(limit) ? (limit["limit"] ?? null) : limit,
      concurrency_options: isJsonObject(limit) ? optionsOf(limit) : null,
    },
  };
}

/** The body of a new deployment. */
export function creationBody(plan: DeploymentPlan, flowId: string): JsonObject {
  const { concurrency_options: options = null, concurrency_limit: limit = null, ...fields } = plan.fields;
  return {
    name: plan.name,
    flow_id: flowId,
    ...fields,
    // A server that gets null looks for a limit to take away, which on SQLite makes the call a third longer.
    ...(limit === null ? {} : { concurrency_limit: limit }),
    ...(options === null ? {} : { concurrency_options: options }),
    schedules: plan.schedules ?? [],
    enforce_parameter_schema: plan.enforceParameterSchema ?? true,
    ...(plan.paused === undefined ? {} : { paused: plan.paused }),
  };
}

/** The body that brings a deployment that is there to what is declared; what is not declared of schedules and pause stays. */
export function changeBody(plan: DeploymentPlan): JsonObject {
  return {
    ...plan.fields,
    ...(plan.schedules === undefined ? {} : { schedules: plan.schedules }),
    ...(plan.enforceParameterSchema === undefined
      ? {}
      : { enforce_parameter_schema: plan.enforceParameterSchema }),
    ...(plan.paused === undefined ? {} : { paused: plan.paused }),
  };
}

function optionsOf(limit: JsonObject): JsonObject {
  const { collision_strategy: strategy, grace_period_seconds: grace } = limit;
  return {
    collision_strategy: strategy ?? "ENQUEUE",
    ...(grace === undefined || grace === null ? {} : { grace_period_seconds: grace }),
  };
}

/** Texts of the items, without empty ones; a plain text is taken letter by letter, as Prefect takes it. */
function tagsOf(tags: Json | undefined): readonly string[] {
  const items: readonly Json[] =
    typeof tags === "string" ? Array.from(tags) : Array.isArray(tags) ? tags : [];
  return items.map((item) => pythonStr(item)).filter((text) => text.trim() !== "");
}

function textOrNull(value: Json | undefined): string | null {
  if (typeof value === "string") return value === "" ? null : value;
  return isPythonTruthy(value) ? pythonStr(value ?? null) : null;
}
