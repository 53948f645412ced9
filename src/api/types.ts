import type { Json, JsonObject } from "../json/value.ts";

// Shapes of the Prefect REST API, cut to the fields that this product reads. Names are the API's own. A newer or older
// server may send more or fewer fields: everything that is not needed to run a flow is optional.

export type StateType =
  | "SCHEDULED"
  | "PENDING"
  | "RUNNING"
  | "PAUSED"
  | "COMPLETED"
  | "FAILED"
  | "CRASHED"
  | "CANCELLING"
  | "CANCELLED";

export interface State {
  readonly id?: string;
  readonly type: StateType;
  readonly name: string;
  readonly timestamp?: string;
  readonly message?: string | null;
  /** Where its result is. */
  readonly data?: Json;
  readonly state_details?: JsonObject;
}

/** A state to propose; the server sets id and timestamp. */
export interface StateProposal {
  readonly type: StateType;
  readonly name: string;
  readonly message?: string;
  readonly data?: Json;
  readonly state_details?: JsonObject;
}

/** Answer to a proposal (protocol §2.2). */
export interface SetStateResult {
  readonly status: "ACCEPT" | "REJECT" | "ABORT" | "WAIT";
  /** The state that the run has now, also when the proposal was refused. */
  readonly state: State | null;
  readonly reason: string | null;
  /** Only with WAIT. */
  readonly delaySeconds: number | null;
}

export interface WorkPool {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly base_job_template: JsonObject;
  readonly is_paused: boolean;
  readonly concurrency_limit: number | null;
  readonly status?: string | null;
}

export interface WorkQueue {
  readonly id: string;
  readonly name: string;
  readonly is_paused: boolean;
  readonly priority?: number | null;
  readonly concurrency_limit?: number | null;
}

export interface Flow {
  readonly id: string;
  readonly name: string;
}

export interface Deployment {
  readonly id: string;
  readonly name: string;
  readonly flow_id: string;
  readonly entrypoint: string | null;
  readonly path: string | null;
  readonly storage_document_id: string | null;
  readonly pull_steps: readonly Json[] | null;
  /** `infra_overrides` of servers before 2.16.4 is read into this. */
  readonly job_variables: JsonObject;
  readonly work_pool_name: string | null;
  readonly work_queue_name: string | null;
  readonly parameters: JsonObject;
  readonly tags: readonly string[];
  readonly updated?: string | null;
  readonly version?: string | null;
}

export interface FlowRun {
  readonly id: string;
  readonly name: string;
  readonly flow_id: string;
  readonly deployment_id: string | null;
  readonly work_queue_name: string | null;
  readonly parameters: JsonObject;
  readonly job_variables: JsonObject;
  readonly state: State | null;
  readonly tags: readonly string[];
  /** Servers before 3.1.2 have none. */
  readonly labels?: JsonObject;
  readonly run_count: number;
  readonly infrastructure_pid: string | null;
  readonly expected_start_time: string | null;
  readonly next_scheduled_start_time: string | null;
  readonly start_time: string | null;
}

/** One element of the poll's answer. */
export interface ScheduledFlowRun {
  readonly work_pool_id: string;
  readonly work_queue_id: string;
  readonly flow_run: FlowRun;
}

export interface BlockDocument {
  readonly id: string;
  readonly name: string | null;
  readonly data: Json;
  readonly block_type_slug: string | null;
}

export interface RelatedResource {
  readonly "prefect.resource.id": string;
  readonly "prefect.resource.role": string;
  readonly [label: string]: string;
}

/** An event for `POST /events`, or one received from `/events/out`. */
export interface PrefectEvent {
  readonly id: string;
  readonly occurred: string;
  readonly event: string;
  readonly resource: { readonly "prefect.resource.id": string; readonly [label: string]: string };
  readonly related: readonly RelatedResource[];
  readonly payload: JsonObject;
  readonly follows?: string | null;
}

/** States from which a run never comes back by itself (prefect/server/schemas/states.py: TERMINAL_STATES). */
export const TERMINAL_STATES: ReadonlySet<StateType> = new Set([
  "COMPLETED",
  "FAILED",
  "CRASHED",
  "CANCELLED",
]);
