import { isJsonObject } from "../json/value.ts";
import { FieldError, flagOf, mapOf, numberOf, objectIn, requiredText, textOf, textsOf } from "./fields.ts";

import type { Json, JsonObject } from "../json/value.ts";
import type {
  BlockDocument,
  Deployment,
  Flow,
  FlowRun,
  PrefectEvent,
  RelatedResource,
  ScheduledFlowRun,
  SetStateResult,
  State,
  StateType,
  WorkPool,
  WorkQueue,
} from "./types.ts";

// One function a shape. Each throws a FieldError when the value cannot be that shape.

const STATE_TYPES: ReadonlySet<string> = new Set<StateType>([
  "SCHEDULED",
  "PENDING",
  "RUNNING",
  "PAUSED",
  "COMPLETED",
  "FAILED",
  "CRASHED",
  "CANCELLING",
  "CANCELLED",
]);

export function decodeState(value: Json): State {
  const object = objectIn(value, "state");
  const type = requiredText(object, "type");
  if (!isStateType(type)) throw new FieldError(`has the unknown state type ${type}`);
  const id = textOf(object, "id");
  const timestamp = textOf(object, "timestamp");
  const { data = null } = object;
  return {
    ...(id === null ? {} : { id }),
    type,
    name: textOf(object, "name") ?? type,
    ...(timestamp === null ? {} : { timestamp }),
    message: textOf(object, "message"),
    ...(data === null ? {} : { data }),
    state_details: mapOf(object, "state_details"),
  };
}

export function decodeSetStateResult(value: Json): SetStateResult {
  const object = objectIn(value, "answer to a state proposal");
  const status = requiredText(object, "status");
  if (status !== "ACCEPT" && status !== "REJECT" && status !== "ABORT" && status !== "WAIT") {
    throw new FieldError(`has the unknown status ${status}`);
  }
  const details = mapOf(object, "details");
  return {
    status,
    state: decodeOptional(object["state"], decodeState),
    reason: textOf(details, "reason"),
    delaySeconds: status === "WAIT" ? (numberOf(details, "delay_seconds") ?? 0) : null,
  };
}

export function decodeWorkPool(value: Json): WorkPool {
  const object = objectIn(value, "work pool");
  return {
    id: requiredText(object, "id"),
    name: requiredText(object, "name"),
    type: requiredText(object, "type"),
    base_job_template: mapOf(object, "base_job_template"),
    is_paused: flagOf(object, "is_paused"),
    concurrency_limit: numberOf(object, "concurrency_limit"),
    status: textOf(object, "status"),
  };
}

export function decodeWorkQueue(value: Json): WorkQueue {
  const object = objectIn(value, "work queue");
  return {
    id: requiredText(object, "id"),
    name: requiredText(object, "name"),
    is_paused: flagOf(object, "is_paused"),
    priority: numberOf(object, "priority"),
    concurrency_limit: numberOf(object, "concurrency_limit"),
  };
}

export function decodeFlow(value: Json): Flow {
  const object = objectIn(value, "flow");
  return { id: requiredText(object, "id"), name: requiredText(object, "name") };
}

export function decodeDeployment(value: Json): Deployment {
  const object = objectIn(value, "deployment");
  const steps = object["pull_steps"];
  const overrides = object["job_variables"] ?? object["infra_overrides"];
  return {
    id: requiredText(object, "id"),
    name: requiredText(object, "name"),
    flow_id: requiredText(object, "flow_id"),
    entrypoint: textOf(object, "entrypoint"),
    path: textOf(object, "path"),
    storage_document_id: textOf(object, "storage_document_id"),
    pull_steps: Array.isArray(steps) ? (steps as readonly Json[]) : null,
    job_variables: isJsonObject(overrides) ? overrides : {},
    work_pool_name: textOf(object, "work_pool_name"),
    work_queue_name: textOf(object, "work_queue_name"),
    parameters: mapOf(object, "parameters"),
    tags: textsOf(object, "tags"),
    updated: textOf(object, "updated"),
    version: textOf(object, "version"),
  };
}

export function decodeFlowRun(value: Json): FlowRun {
  const object = objectIn(value, "flow run");
  return {
    id: requiredText(object, "id"),
    name: textOf(object, "name") ?? requiredText(object, "id"),
    flow_id: requiredText(object, "flow_id"),
    deployment_id: textOf(object, "deployment_id"),
    work_queue_name: textOf(object, "work_queue_name"),
    parameters: mapOf(object, "parameters"),
    job_variables: mapOf(object, "job_variables"),
    state: decodeOptional(object["state"], decodeState),
    tags: textsOf(object, "tags"),
    labels: mapOf(object, "labels"),
    run_count: numberOf(object, "run_count") ?? 0,
    infrastructure_pid: textOf(object, "infrastructure_pid"),
    expected_start_time: textOf(object, "expected_start_time"),
    next_scheduled_start_time: textOf(object, "next_scheduled_start_time"),
    start_time: textOf(object, "start_time"),
  };
}

export function decodeScheduledFlowRun(value: Json): ScheduledFlowRun {
  const object = objectIn(value, "scheduled flow run");
  return {
    work_pool_id: requiredText(object, "work_pool_id"),
    work_queue_id: requiredText(object, "work_queue_id"),
    flow_run: decodeFlowRun(object["flow_run"] ?? null),
  };
}

export function decodeBlockDocument(value: Json): BlockDocument {
  const object = objectIn(value, "block document");
  const data = object["data"];
  if (data === undefined) throw new FieldError("has no data");
  return {
    id: requiredText(object, "id"),
    name: textOf(object, "name"),
    data,
    block_type_slug: textOf(mapOf(object, "block_type"), "slug"),
  };
}

/** The value of a variable: any JSON on 3.x, a text on 2.x. */
export function decodeVariable(value: Json): Json {
  const variable = objectIn(value, "variable")["value"];
  if (variable === undefined) throw new FieldError("has no value");
  return variable;
}

export function decodeEvent(value: Json): PrefectEvent {
  const object = objectIn(value, "event");
  const resource = labelsOf(mapOf(object, "resource"));
  const related = object["related"];
  return {
    id: requiredText(object, "id"),
    occurred: requiredText(object, "occurred"),
    event: requiredText(object, "event"),
    resource: { ...resource, "prefect.resource.id": resource["prefect.resource.id"] ?? "" },
    related: Array.isArray(related) ? related.flatMap((item: Json) => relatedOf(item)) : [],
    payload: mapOf(object, "payload"),
    follows: textOf(object, "follows"),
  };
}

function relatedOf(value: Json): readonly RelatedResource[] {
  if (!isJsonObject(value)) return [];
  const labels = labelsOf(value);
  const id = labels["prefect.resource.id"];
  const role = labels["prefect.resource.role"];
  if (id === undefined || role === undefined) return [];
  return [{ ...labels, "prefect.resource.id": id, "prefect.resource.role": role }];
}

function labelsOf(object: JsonObject): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [key, value] of Object.entries(object)) if (typeof value === "string") labels[key] = value;
  return labels;
}

function decodeOptional<T>(value: Json | undefined, decode: (value: Json) => T): T | null {
  return value === undefined || value === null ? null : decode(value);
}

function isStateType(text: string): text is StateType {
  return STATE_TYPES.has(text);
}
