import { isJsonObject } from "../../json/value.ts";
import { integerOf, objectOf, textOf } from "../http/body.ts";
import { invalidRequest } from "../http/errors.ts";
import { sizeFailure } from "./parameters.ts";

import type { Json, JsonObject } from "../../json/value.ts";

const FIELDS: ReadonlySet<string> = new Set([
  "name",
  "flow_id",
  "paused",
  "schedules",
  "concurrency_limit",
  "concurrency_options",
  "global_concurrency_limit_id",
  "enforce_parameter_schema",
  "parameter_openapi_schema",
  "parameters",
  "tags",
  "labels",
  "pull_steps",
  "work_queue_name",
  "work_pool_name",
  "storage_document_id",
  "infrastructure_document_id",
  "description",
  "path",
  "version",
  "entrypoint",
  "job_variables",
  "version_info",
]);
const ONLY_AT_CREATION: ReadonlySet<string> = new Set(["name", "flow_id", "labels"]);
// Old clients send them; they have no meaning any more.
const FORGOTTEN: ReadonlySet<string> = new Set([
  "worker_pool_queue_id",
  "worker_pool_name",
  "worker_pool_queue_name",
  "work_pool_queue_name",
]);
const STRATEGIES = ["ENQUEUE", "CANCEL_NEW"];
const [MIN_GRACE, MAX_GRACE] = [60, 86_400];

/** Checks the fields of a deployment that is to be made or changed (prefect/server/schemas/actions.py). Throws a 422. */
export function checkDeploymentBody(body: JsonObject, kind: "create" | "update"): void {
  for (const [field, value] of Object.entries(body)) {
    const isKnown = FIELDS.has(field) && (kind === "create" || !ONLY_AT_CREATION.has(field));
    if (!isKnown && !FORGOTTEN.has(field))
      throw invalidRequest(["body", field], "Extra inputs are not permitted", value);
  }
  const { schedules } = body;
  if (schedules !== undefined && !Array.isArray(schedules))
    throw invalidRequest(["body", "schedules"], "Input should be a valid list", schedules);
  const limit = integerOf(body, "concurrency_limit");
  if (limit !== undefined && limit < 1)
    throw invalidRequest(["body", "concurrency_limit"], "Input should be greater than 0", limit);
  if (limit !== undefined && textOf(body, "global_concurrency_limit_id") !== undefined) {
    throw invalidRequest(
      ["body"],
      "Value error, A deployment cannot have both a concurrency limit and a global concurrency limit.",
      body,
    );
  }
  const version = objectOf(body, "version_info");
  for (const field of ["type", "version"]) {
    if (version !== undefined && typeof version[field] !== "string")
      throw invalidRequest(["body", "version_info", field], "Field required", version);
  }
  checkParameterSize(body);
  concurrencyOptionsOf(body);
  labelsOf(body);
}

/** Throws a 422 for parameters that are too large. */
export function checkParameterSize(body: JsonObject): void {
  const parameters = objectOf(body, "parameters");
  const failure = parameters === undefined ? undefined : sizeFailure(parameters);
  if (failure !== undefined) throw invalidRequest(["body", "parameters"], `Value error, ${failure}`);
}

/** The concurrency options, complete; undefined when they are not given, null when they are to go. Throws a 422. */
export function concurrencyOptionsOf(body: JsonObject): JsonObject | null | undefined {
  if (body["concurrency_options"] === undefined) return undefined;
  const options = objectOf(body, "concurrency_options");
  if (options === undefined) return null;
  const { collision_strategy: strategy } = options;
  const location = ["body", "concurrency_options"];
  if (strategy === undefined)
    throw invalidRequest([...location, "collision_strategy"], "Field required", options);
  if (typeof strategy !== "string" || !STRATEGIES.includes(strategy)) {
    throw invalidRequest(
      [...location, "collision_strategy"],
      "Input should be 'ENQUEUE' or 'CANCEL_NEW'",
      strategy,
    );
  }
  const grace = integerOf(options, "grace_period_seconds") ?? null;
  const at = [...location, "grace_period_seconds"];
  if (grace !== null && grace < MIN_GRACE)
    throw invalidRequest(at, `Input should be greater than or equal to ${MIN_GRACE}`, grace);
  if (grace !== null && grace > MAX_GRACE)
    throw invalidRequest(at, `Input should be less than or equal to ${MAX_GRACE}`, grace);
  return { collision_strategy: strategy, grace_period_seconds: grace };
}

/** Labels: texts, numbers and booleans by name. Throws a 422. */
export function labelsOf(body: JsonObject): JsonObject {
  const labels = objectOf(body, "labels") ?? {};
  for (const [name, label] of Object.entries(labels)) {
    if (!isLabel(label))
      throw invalidRequest(["body", "labels", name], "Input should be a text, a number or a boolean", label);
  }
  return labels;
}

function isLabel(value: Json): boolean {
  return value !== null && !isJsonObject(value) && !Array.isArray(value);
}
