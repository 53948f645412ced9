import { mergeObjects } from "../../json/object.ts";
import { objectOf, textOf, textsOf, uuidOf } from "../http/body.ts";
import { ApiError, notFound } from "../http/errors.ts";
import { checkRunVariables } from "../pools/job-variables.ts";
import { ensureQueue } from "../pools/queues.ts";
import { createFlowRun } from "../runs/create.ts";
import { parseState, stateOf } from "../runs/state.ts";
import { objectColumn } from "../store/json-column.ts";
import { timestampOf } from "../store/timestamp.ts";
import { checkParameterSize, labelsOf } from "./body.ts";
import { checkRunParameters, hydrateParameters } from "./parameters.ts";
import { findDeployment } from "./row.ts";

import type { JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { SchemaTools } from "../schema-tools/tools.ts";
import type { Transaction } from "../store/database.ts";

interface DeploymentPool {
  readonly id: string;
  readonly name: string;
  readonly updated: string;
}

/**
 * Makes a run of a deployment as the body of `create_flow_run` says (protocol §8.1): its parameters, tags and labels laid over
 * the deployment's. Throws a 404 for an unknown deployment, a 400 for parameters that cannot be filled in, a 409 for those that do
 * not fit the schema, a 422 for job variables that do not fit the pool.
 */
export function runDeployment(
  context: ServerContext,
  tx: Transaction,
  tools: SchemaTools,
  deploymentId: string,
  body: JsonObject,
  createdBy: JsonObject | null = null,
): { readonly id: string; readonly isNew: boolean } {
  const deployment = findDeployment(tx, deploymentId);
  if (deployment === undefined) throw notFound("Deployment");
  checkParameterSize(body);
  const parameters = hydrateParameters(
    tx,
    tools,
    mergeObjects(objectColumn(deployment.parameters), objectOf(body, "parameters") ?? {}),
    "Error hydrating flow run parameters",
  );
  const isEnforced =
    typeof body["enforce_parameter_schema"] === "boolean"
      ? body["enforce_parameter_schema"]
      : deployment.enforce_parameter_schema === 1;
  if (isEnforced) checkRunParameters(tools, deployment.parameter_openapi_schema, parameters);
  const pool =
    deployment.work_queue_id === null
      ? undefined
      : tx.get<DeploymentPool>(
          "SELECT p.id, p.name, p.updated FROM work_pool p JOIN work_queue q ON q.work_pool_id = p.id WHERE q.id = ?",
          deployment.work_queue_id,
        );
  const jobVariables = objectOf(body, "job_variables") ?? {};
  if (pool !== undefined)
    checkRunVariables(context, tx, tools, pool, [objectColumn(deployment.job_variables), jobVariables]);
  const queueName = textOf(body, "work_queue_name");
  if (queueName !== undefined && queueName !== "" && pool === undefined) {
    throw new ApiError(
      400,
      `Cannot create flow run in work queue ${queueName} because deployment ${deploymentId} is not associated with a work pool. Please remove work_pool_name and try again.`,
    );
  }
  const queue =
    queueName === undefined || pool === undefined
      ? undefined
      : ensureQueue(context, tx, pool.name, queueName);
  const now = timestampOf(context.clock.now());
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
    labels: { ...objectColumn(deployment.labels), ...labelsOf(body) },
    jobVariables,
    idempotencyKey: textOf(body, "idempotency_key") ?? null,
    parentTaskRunId: uuidOf(body, "parent_task_run_id") ?? null,
    createdBy,
  });
}

/** What came of one run of many. */
export type RunResult = {
  readonly flow_run_id: string | null;
  readonly status: "CREATED" | "FAILED";
  readonly error: string | null;
};

const MAX_AT_ONCE = 100;

/** Makes many runs of a deployment; one that is not valid does not stop the others. Throws a 404, or a 400 for too many. */
export function runDeploymentOften(
  context: ServerContext,
  tx: Transaction,
  tools: SchemaTools,
  deploymentId: string,
  bodies: readonly JsonObject[],
): RunResult[] {
  if (bodies.length > MAX_AT_ONCE)
    throw new ApiError(400, `Cannot create more than ${MAX_AT_ONCE} flow runs at once.`);
  if (findDeployment(tx, deploymentId) === undefined) throw notFound("Deployment");
  return bodies.map((body) => {
    try {
      const { id } = runDeployment(context, tx, tools, deploymentId, body);
      return { flow_run_id: id, status: "CREATED", error: null };
    } catch (thrown) {
      if (!(thrown instanceof ApiError)) throw thrown;
      return { flow_run_id: null, status: "FAILED", error: thrown.message };
    }
  });
}
