import { v7 as uuidv7 } from "uuid";

import { stringifyJson } from "../../json/stringify.ts";
import { timestampOf } from "../store/timestamp.ts";
import { randomName } from "./random-name.ts";
import { setFlowRunState } from "./set-state.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { Transaction } from "../store/database.ts";
import type { ProposedState } from "./state.ts";

/** A run to be; whatever is absent is as in Prefect. */
export interface NewFlowRun {
  readonly flowId: string;
  readonly state: ProposedState | undefined;
  readonly name?: string | undefined;
  readonly deploymentId?: string | undefined;
  readonly deploymentVersion?: string | null;
  readonly workQueueId?: string | null;
  readonly workQueueName?: string | null;
  readonly flowVersion?: string | null;
  readonly parameters?: Json;
  readonly context?: Json;
  readonly empiricalPolicy?: JsonObject;
  readonly tags?: readonly string[];
  readonly labels?: JsonObject;
  readonly jobVariables?: Json | undefined;
  readonly idempotencyKey?: string | null;
  readonly parentTaskRunId?: string | null;
  readonly isAutoScheduled?: boolean;
  readonly createdBy?: JsonObject | null;
}

/** A run's policy as far as nothing else was said. */
export const DEFAULT_POLICY: JsonObject = {
  max_retries: 0,
  retry_delay_seconds: 0,
  retries: null,
  retry_delay: null,
  pause_keys: [],
  resuming: false,
  retry_type: null,
};

/** Writes a run and its first state; a run of the same flow with the same idempotency key is given back as it is. */
export function createFlowRun(
  context: ServerContext,
  tx: Transaction,
  input: NewFlowRun,
): { readonly id: string; readonly isNew: boolean } {
  const key = input.idempotencyKey ?? null;
  if (key !== null) {
    const known = tx.get<{ id: string }>(
      "SELECT id FROM flow_run WHERE flow_id = ? AND idempotency_key = ?",
      input.flowId,
      key,
    );
    if (known !== undefined) return { id: known.id, isNew: false };
  }
  // In the order of time, so that the indexes of a large store are written at their ends.
  const id = uuidv7();
  const now = timestampOf(context.clock.now());
  tx.run(
    `INSERT INTO flow_run (id, created, updated, name, flow_id, deployment_id, deployment_version, work_queue_id, work_queue_name, flow_version,
       idempotency_key, parameters, context, empirical_policy, tags, labels, job_variables, parent_task_run_id, auto_scheduled, created_by)
     VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
    id,
    now,
    now,
    input.name ?? randomName(),
    input.flowId,
    input.deploymentId ?? null,
    input.deploymentVersion ?? null,
    input.workQueueId ?? null,
    input.workQueueName ?? null,
    input.flowVersion ?? null,
    key,
    stringifyJson(input.parameters ?? {}),
    stringifyJson(input.context ?? {}),
    stringifyJson({ ...DEFAULT_POLICY, ...input.empiricalPolicy }),
    stringifyJson([...new Set(input.tags ?? [])]),
    stringifyJson({
      "prefect.flow.id": input.flowId,
      ...(input.deploymentId === undefined ? {} : { "prefect.deployment.id": input.deploymentId }),
      ...input.labels,
    }),
    jobVariablesColumn(input.jobVariables, key),
    input.parentTaskRunId ?? null,
    input.isAutoScheduled === true ? 1 : 0,
    input.createdBy === undefined || input.createdBy === null ? null : stringifyJson(input.createdBy),
  );
  if (input.state !== undefined) setFlowRunState(context, tx, id, input.state, { policy: "forced" });
  return { id, isNew: true };
}

/** With an idempotency key Prefect leaves variables that were not given null. */
function jobVariablesColumn(given: Json | undefined, idempotencyKey: string | null): string | null {
  if (given !== undefined) return stringifyJson(given);
  return idempotencyKey === null ? "{}" : null;
}
