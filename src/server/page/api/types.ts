/** What the page reads of the answers of Prefect's API; the answers hold more. */

export type StateType =
  | "SCHEDULED"
  | "PENDING"
  | "RUNNING"
  | "COMPLETED"
  | "FAILED"
  | "CANCELLED"
  | "CRASHED"
  | "PAUSED"
  | "CANCELLING";

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

export interface RunState {
  readonly id: string;
  readonly type: StateType;
  readonly name: string;
  readonly timestamp: string;
  readonly message: string | null;
  readonly state_details: {
    readonly scheduled_time?: string | null;
    readonly run_input_keyset?: { readonly schema?: string; readonly description?: string } | null;
  };
}

export interface FlowRun {
  readonly id: string;
  readonly created: string;
  readonly name: string;
  readonly flow_id: string;
  readonly deployment_id: string | null;
  readonly work_pool_name: string | null;
  readonly work_queue_name: string | null;
  readonly parameters: JsonObject;
  readonly tags: readonly string[];
  readonly labels: JsonObject;
  readonly job_variables: JsonObject | null;
  readonly parent_task_run_id: string | null;
  readonly auto_scheduled: boolean;
  readonly infrastructure_pid: string | null;
  readonly run_count: number;
  readonly expected_start_time: string | null;
  readonly next_scheduled_start_time: string | null;
  readonly start_time: string | null;
  readonly end_time: string | null;
  readonly total_run_time: number;
  readonly state_type: StateType | null;
  readonly state_name: string | null;
  readonly state: RunState | null;
}

export interface TaskRun {
  readonly id: string;
  readonly name: string;
  readonly flow_run_id: string | null;
  readonly task_key: string;
  readonly tags: readonly string[];
  readonly run_count: number;
  readonly expected_start_time: string | null;
  readonly start_time: string | null;
  readonly end_time: string | null;
  readonly total_run_time: number;
  readonly state_type: StateType | null;
  readonly state_name: string | null;
  readonly state: RunState | null;
}

export interface Flow {
  readonly id: string;
  readonly name: string;
}

export interface Schedule {
  readonly cron?: string;
  readonly day_or?: boolean;
  readonly interval?: number;
  readonly anchor_date?: string;
  readonly rrule?: string;
  readonly timezone?: string | null;
}

interface DeploymentSchedule {
  readonly id: string;
  readonly active: boolean;
  readonly schedule: Schedule;
}

export interface Deployment {
  readonly id: string;
  readonly name: string;
  readonly flow_id: string;
  readonly description: string | null;
  readonly version: string | null;
  readonly paused: boolean;
  readonly status: string | null;
  readonly tags: readonly string[];
  readonly schedules: readonly DeploymentSchedule[];
  readonly parameters: JsonObject;
  readonly parameter_openapi_schema: JsonObject | null;
  readonly job_variables: JsonObject;
  readonly pull_steps: readonly JsonObject[] | null;
  readonly entrypoint: string | null;
  readonly path: string | null;
  readonly work_pool_name: string | null;
  readonly work_queue_name: string | null;
  readonly global_concurrency_limit: { readonly limit: number; readonly active_slots: number } | null;
}

export interface WorkPool {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly type: string;
  readonly is_paused: boolean;
  readonly concurrency_limit: number | null;
  /** Only servers that count them. */
  readonly active_slots?: number;
  readonly status: string | null;
}

export interface WorkQueue {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly is_paused: boolean;
  readonly concurrency_limit: number | null;
  readonly active_slots?: number;
  readonly priority: number;
  readonly last_polled: string | null;
  readonly status: string | null;
}

export interface Worker {
  readonly id: string;
  readonly name: string;
  readonly status: string | null;
  readonly last_heartbeat_time: string | null;
}

export interface LogLine {
  readonly id: string;
  readonly name: string;
  readonly level: number;
  readonly message: string;
  readonly timestamp: string;
  readonly task_run_id: string | null;
}

export interface Artifact {
  readonly id: string;
  readonly key: string | null;
  readonly type: string | null;
  readonly description: string | null;
  readonly data: JsonValue;
  readonly created: string;
}

export interface Variable {
  readonly id: string;
  readonly name: string;
  readonly value: JsonValue;
  readonly tags: readonly string[];
  readonly updated: string;
}

export interface BlockDocument {
  readonly id: string;
  readonly name: string | null;
  readonly block_type_name: string | null;
  readonly updated: string;
}

/** An event as `/events/out` sends it. */
export interface LiveEvent {
  readonly id: string;
  readonly occurred: string;
  readonly event: string;
  readonly resource: Readonly<Record<string, string>>;
  readonly related: readonly Readonly<Record<string, string>>[];
  readonly payload: JsonObject;
}
