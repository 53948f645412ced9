import { WorkerError } from "../errors.ts";
import { entriesOf, objectOf } from "../json/object.ts";
import { isJsonObject } from "../json/value.ts";
import { creationBody } from "./deployment-body.ts";

import type { Json, JsonObject } from "../json/value.ts";
import type { DeploymentPlan } from "./deployment-body.ts";

/** A release of the server, as numbers to compare. */
export type ServerVersion = readonly [major: number, minor: number, patch: number];

/** Reads `3.8.8` or `2.20.26+dev`. Undefined for what is no release, as Prefect Cloud's: it takes everything. */
export function parseServerVersion(text: string | null): ServerVersion | undefined {
  const [, major, minor, patch] = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(text ?? "") ?? [];
  return major === undefined ? undefined : [Number(major), Number(minor), Number(patch ?? 0)];
}

export function isBefore(version: ServerVersion | undefined, ...since: ServerVersion): boolean {
  if (version === undefined) return false;
  const at = version.findIndex((number, index) => number !== since[index]);
  return at !== -1 && (version[at] ?? 0) < (since[at] ?? 0);
}

/** Servers 2.x replace a deployment by making it again (prefect-deploy.md §3.12). */
export function isUpsertOnly(version: ServerVersion | undefined): boolean {
  return isBefore(version, 3, 0, 0);
}

// What came in a 3.x release, and is refused by those before it (protocol §8.1).
const FIELDS: Readonly<Record<string, ServerVersion>> = {
  version_info: [3, 3, 2],
  concurrency_limit: [3, 0, 0],
  concurrency_options: [3, 0, 3],
};
const SCHEDULE_FIELDS: Readonly<Record<string, ServerVersion>> = {
  slug: [3, 2, 0],
  parameters: [3, 2, 0],
  replaces: [3, 6, 17],
};

/**
 * Leaves out of a plan what a server of that release does not know, and tells what is lost by it. On 2.x a deployment is also what `prefect
 * deploy` of 2.x makes of it: parameters are not enforced unless declared, no version is taken from flow or commit, schedules
 * that are not declared are taken away, triggers are left out.
 */
export function planForServer(
  plan: DeploymentPlan,
  version: ServerVersion | undefined,
  onWarning: (message: string) => void,
): DeploymentPlan {
  const lost = new Set<string>();
  const known = (fields: JsonObject, since: Readonly<Record<string, ServerVersion>>): JsonObject =>
    objectOf(
      entriesOf(fields).filter(([key, value]) => {
        const release = since[key];
        if (release === undefined || !isBefore(version, ...release)) return true;
        if (value !== null && key !== "version_info") lost.add(key);
        return false;
      }),
    );
  const isOld = isUpsertOnly(version);
  const schedules = plan.schedules?.map((schedule) => known(schedule, SCHEDULE_FIELDS));
  const fields = known(plan.fields, FIELDS);
  if (isOld && plan.automations.length > 0) lost.add("triggers");
  if (lost.size > 0) {
    const release = version?.join(".") ?? "";
    onWarning(`${plan.name}: the server (${release}) does not know ${[...lost].join(", ")}; left out.`);
  }
  if (!isOld) return { ...plan, fields, schedules };
  return {
    ...plan,
    fields: { ...fields, version: plan.declaredVersion },
    schedules: schedules ?? [],
    enforceParameterSchema: plan.enforceParameterSchema ?? false,
    automations: [],
  };
}

/** The body with which a 2.x server makes or replaces a deployment. Throws a WorkerError for several schedules before 2.16.1. */
export function upsertBody(
  plan: DeploymentPlan,
  flowId: string,
  version: ServerVersion | undefined,
): JsonObject {
  const { job_variables: jobVariables = {}, ...body } = creationBody(plan, flowId);
  const overrides = isBefore(version, 2, 16, 4)
    ? { infra_overrides: jobVariables }
    : { job_variables: jobVariables };
  if (!isBefore(version, 2, 16, 1)) return { ...body, ...overrides };
  const { schedules = [], paused, ...rest } = body;
  const [only, ...others] = (schedules as readonly Json[]).filter((item) => isJsonObject(item));
  if (others.length > 0) {
    throw new WorkerError(
      "DEPLOY_REFUSED",
      `${plan.name}: the server (${version?.join(".") ?? ""}) takes one schedule for a deployment, but there are ${others.length + 1}`,
      { hint: "Declare one, or update the server to 2.16.1." },
    );
  }
  return {
    ...rest,
    ...overrides,
    schedule: only?.["schedule"] ?? null,
    is_schedule_active: paused !== true && only?.["active"] !== false,
  };
}
