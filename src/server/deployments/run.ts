import { mergeObjects } from "../../json/object.ts";
import { objectOf, parseUuid, textOf, textsOf } from "../http/body.ts";
import { ApiError, notFound } from "../http/errors.ts";
import { ensureQueue } from "../pools/queues.ts";
import { createFlowRun } from "../runs/create.ts";
import { parseState, stateOf } from "../runs/state.ts";
import { objectColumn } from "../store/json-column.ts";
import { timestampOf } from "../store/timestamp.ts";
import { findDeployment } from "./row.ts";

import type { JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { Transaction } from "../store/database.ts";

/**
 * Makes a run of a deployment as the body of `create_flow_run` says (protocol §8.1): its parameters, tags and labels laid over
 * the deployment's. Throws a 404 for an unknown deployment, a 409 when a required parameter is missing.
 */
export function runDeployment(
  context: ServerContext,
  tx: Transaction,
  deploymentId: string,
  body: JsonObject,
): { readonly id: string; readonly isNew: boolean } {
  const deployment = findDeployment(tx, deploymentId);
  if (deployment === undefined) throw notFound("Deployment");
  const now = timestampOf(context.clock.now());
  const parameters = mergeObjects(objectColumn(deployment.parameters), objectOf(body, "parameters") ?? {});
  const isEnforced =
    typeof body["enforce_parameter_schema"] === "boolean"
      ? body["enforce_parameter_schema"]
      : deployment.enforce_parameter_schema === 1;
  if (isEnforced) requireParameters(objectColumn(deployment.parameter_openapi_schema), parameters);
  const queueName = textOf(body, "work_queue_name");
  const pool =
    queueName === undefined || deployment.work_queue_id === null
      ? undefined
      : tx.get<{ name: string }>(
          "SELECT p.name FROM work_pool p JOIN work_queue q ON q.work_pool_id = p.id WHERE q.id = ?",
          deployment.work_queue_id,
        );
  const queue = pool === undefined ? undefined : ensureQueue(context, tx, pool.name, queueName ?? null);
  const parent = textOf(body, "parent_task_run_id");
  return createFlowRun(context, tx, {
    flowId: deployment.flow_id,
    deploymentId,
    deploymentVersion: deployment.version,
    state:
      body["state"] === undefined || body["state"] === null
        ? stateOf("SCHEDULED", { details: { scheduled_time: now } })
        : parseState(body["state"], now),
    name: textOf(body, "name"),
    workQueueId: queue?.id ?? deployment.work_queue_id,
    workQueueName: queue?.name ?? deployment.work_queue_name,
    parameters,
    context: objectOf(body, "context") ?? {},
    empiricalPolicy: objectOf(body, "empirical_policy") ?? {},
    tags: [...(JSON.parse(deployment.tags) as string[]), ...(textsOf(body, "tags") ?? [])],
    labels: { ...objectColumn(deployment.labels), ...objectOf(body, "labels") },
    jobVariables: objectOf(body, "job_variables") ?? {},
    idempotencyKey: textOf(body, "idempotency_key") ?? null,
    parentTaskRunId: parent === undefined ? null : parseUuid(parent),
  });
}

/** Parameters that the schema requires must be there. */
function requireParameters(schema: JsonObject, parameters: JsonObject): void {
  const required = textsOf(schema, "required") ?? [];
  const missing = required.filter((name) => !Object.hasOwn(parameters, name));
  if (missing.length === 0) return;
  throw new ApiError(
    409,
    `Validation failed for field '${missing[0] ?? ""}'. Failure reason: '${missing[0] ?? ""}' is a required property`,
  );
}
