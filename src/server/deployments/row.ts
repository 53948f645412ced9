import { limitReply } from "../concurrency/limits.ts";
import { jsonText } from "../http/reply.ts";

import type { LimitRow } from "../concurrency/limits.ts";
import type { Reply } from "../http/reply.ts";
import type { Reader, SqlValue } from "../store/database.ts";

/** A row of deployment; JSON columns are texts. */
export interface DeploymentRow {
  readonly id: string;
  readonly created: string;
  readonly updated: string;
  readonly name: string;
  readonly flow_id: string;
  readonly version: string | null;
  readonly version_id: string | null;
  readonly version_info: string | null;
  readonly description: string | null;
  readonly paused: number;
  readonly tags: string;
  readonly labels: string;
  readonly parameters: string;
  readonly parameter_openapi_schema: string | null;
  readonly enforce_parameter_schema: number;
  readonly job_variables: string;
  readonly pull_steps: string | null;
  readonly path: string | null;
  readonly entrypoint: string | null;
  readonly storage_document_id: string | null;
  readonly infrastructure_document_id: string | null;
  readonly work_queue_id: string | null;
  readonly work_queue_name: string | null;
  readonly last_polled: string | null;
  readonly status: string;
  readonly concurrency_limit_id: string | null;
  readonly concurrency_options: string | null;
}

interface JoinedRow extends DeploymentRow {
  readonly work_pool_name: string | null;
  readonly queue_name: string | null;
}

interface ScheduleRow {
  readonly id: string;
  readonly created: string;
  readonly updated: string;
  readonly deployment_id: string;
  readonly schedule: string;
  readonly active: number;
  readonly max_scheduled_runs: number | null;
  readonly parameters: string;
  readonly slug: string | null;
}

const SELECT = `SELECT deployment.*, work_pool.name AS work_pool_name, work_queue.name AS queue_name FROM deployment
LEFT JOIN work_queue ON work_queue.id = deployment.work_queue_id LEFT JOIN work_pool ON work_pool.id = work_queue.work_pool_id`;

/** The answers for the deployments that a clause chooses: `WHERE …` with ORDER BY and LIMIT. */
export function selectDeployments(reader: Reader, clause: string, values: readonly SqlValue[]): Reply[] {
  return reader.all<JoinedRow>(`${SELECT} ${clause}`, ...values).map((row) => replyOf(reader, row));
}

export function findDeployment(reader: Reader, id: string): DeploymentRow | undefined {
  return reader.get<DeploymentRow>("SELECT * FROM deployment WHERE id = ?", id);
}

export function schedulesOf(reader: Reader, deploymentId: string): Reply[] {
  return reader
    .all<ScheduleRow>(
      "SELECT * FROM deployment_schedule WHERE deployment_id = ? ORDER BY updated DESC, rowid",
      deploymentId,
    )
    .map((row) => ({
      id: row.id,
      created: row.created,
      updated: row.updated,
      deployment_id: row.deployment_id,
      schedule: jsonText(row.schedule),
      active: row.active === 1,
      max_scheduled_runs: row.max_scheduled_runs,
      parameters: jsonText(row.parameters),
      slug: row.slug,
    }));
}

function replyOf(reader: Reader, row: JoinedRow): Reply {
  const limit =
    row.concurrency_limit_id === null
      ? undefined
      : reader.get<LimitRow>("SELECT * FROM concurrency_limit_v2 WHERE id = ?", row.concurrency_limit_id);
  return {
    id: row.id,
    created: row.created,
    updated: row.updated,
    name: row.name,
    version: row.version,
    description: row.description,
    flow_id: row.flow_id,
    paused: row.paused === 1,
    schedules: schedulesOf(reader, row.id),
    concurrency_limit: null,
    global_concurrency_limit: limit === undefined ? null : limitReply(limit),
    concurrency_options: jsonText(row.concurrency_options),
    job_variables: jsonText(row.job_variables),
    parameters: jsonText(row.parameters),
    pull_steps: jsonText(row.pull_steps ?? "[]"),
    tags: jsonText(row.tags),
    labels: jsonText(row.labels),
    work_queue_name: row.queue_name ?? row.work_queue_name,
    work_queue_id: row.work_queue_id,
    last_polled: row.last_polled,
    parameter_openapi_schema: jsonText(row.parameter_openapi_schema ?? "{}"),
    path: row.path,
    entrypoint: row.entrypoint,
    storage_document_id: row.storage_document_id,
    infrastructure_document_id: row.infrastructure_document_id,
    created_by: null,
    updated_by: null,
    work_pool_name: row.work_pool_name,
    status: row.status,
    enforce_parameter_schema: row.enforce_parameter_schema === 1,
  };
}
