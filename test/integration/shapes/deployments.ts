import { missing } from "./call.ts";

import type { Call } from "./call.ts";

const FUTURE = "2040-01-01T00:00:00Z";
const ONLY = { deployments: { name: { any_: ["nightly", "plain"] } } };
const SCHEMA = {
  title: "Parameters",
  type: "object",
  properties: { n: { title: "n", position: 0, type: "integer", default: 3 } },
};

export const DEPLOYMENTS: readonly Call[] = [
  {
    request: "POST /deployments/",
    body: {
      name: "nightly",
      flow_id: "<flow>",
      paused: true,
      parameters: { n: 5 },
      parameter_openapi_schema: SCHEMA,
      enforce_parameter_schema: true,
      tags: ["a"],
      labels: { team: "x" },
      pull_steps: [{ "prefect.deployments.steps.set_working_directory": { directory: "/tmp" } }],
      work_pool_name: "pool",
      work_queue_name: "urgent",
      entrypoint: "flow.py:main",
      path: "/tmp",
      description: "Every night",
      job_variables: { env: { A: "1" } },
      version: "v1",
      version_info: { type: "prefect:simple", version: "v1" },
      concurrency_limit: 2,
      concurrency_options: { collision_strategy: "CANCEL_NEW", grace_period_seconds: 120 },
      schedules: [
        {
          schedule: { cron: "0 3 * * *", timezone: "Europe/Paris", day_or: true },
          active: true,
          parameters: { n: 9 },
          slug: "night",
        },
      ],
    },
    saves: { deployment: "id", limit: "global_concurrency_limit.id" },
  },
  { request: "POST /deployments/", body: { name: "plain", flow_id: "<flow>" }, saves: { plain: "id" } },
  {
    request: "POST /deployments/",
    body: { name: "plain", flow_id: "<flow>", description: "Again", work_pool_name: "pool" },
  },
  {
    request: "POST /deployments/",
    body: { name: "x", flow_id: "<missing>" },
    differs: { detail: "Ours names the flow and says what to do." },
  },
  { request: "POST /deployments/", body: { name: "x", flow_id: "<flow>", work_pool_name: "nothing" } },
  {
    request: "POST /deployments/",
    body: { name: "a/b", flow_id: "<flow>" },
    differs: { answer: "The real one fails with status 500." },
  },
  { request: "POST /deployments/", body: { flow_id: "<flow>", parameters: {} } },
  { request: "POST /deployments/", body: { name: "x", parameters: {} } },
  { request: "POST /deployments/", body: { name: "x", flow_id: "<flow>", storage_document_id: "<missing>" } },
  { request: "GET /deployments/<deployment>" },
  { request: "GET /deployments/no-uuid" },
  { request: "GET /deployments/name/etl/nightly" },
  { request: "GET /deployments/name/etl/nothing" },
  {
    request: "PATCH /deployments/<plain>",
    body: { description: "New", tags: ["b"], paused: true, version: "v2" },
  },
  { request: "PATCH /deployments/<plain>", body: { tags: 5 } },
  { request: "GET /deployments/<plain>" },
  { request: "POST /deployments/filter", body: ONLY },
  { request: "POST /deployments/filter", body: { ...ONLY, sort: "NAME_DESC", limit: 1 } },
  { request: "POST /deployments/filter", body: { deployments: { tags: { all_: ["a"] } } } },
  {
    request: "POST /deployments/filter",
    body: { deployments: { flow_or_deployment_name: { like_: "night" } } },
  },
  { request: "POST /deployments/filter", body: { sort: "SIDEWAYS" } },
  { request: "POST /deployments/filter", body: { limit: 300 } },
  { request: "POST /deployments/count", body: ONLY },
  { request: "POST /deployments/count", body: { deployments: 5 } },
  { request: "POST /deployments/paginate", body: { ...ONLY, limit: 1, page: 2 } },
  { request: "POST /deployments/paginate", body: { page: 0 } },

  { request: "GET /deployments/<deployment>/schedules", saves: { schedule: "0.id" } },
  {
    request: "POST /deployments/<plain>/schedules",
    body: [{ schedule: { interval: 3600, anchor_date: FUTURE, timezone: "UTC" }, active: false }],
    saves: { interval: "0.id" },
  },
  { request: "POST /deployments/<plain>/schedules", body: {} },
  { request: "POST /deployments/<plain>/schedules", body: [{}] },
  {
    request: "PATCH /deployments/<plain>/schedules/<interval>",
    body: { active: false, parameters: { n: 1 } },
  },
  { request: "PATCH /deployments/<plain>/schedules/<interval>", body: { active: "perhaps" } },
  { request: "GET /deployments/<plain>/schedules" },
  { request: "DELETE /deployments/<plain>/schedules/<interval>" },
  { request: "DELETE /deployments/<plain>/schedules/<interval>" },
  { request: "PATCH /deployments/<plain>/schedules/<interval>", body: { active: false } },
  { request: "POST /deployments/<deployment>/resume_deployment" },
  { request: "POST /deployments/<deployment>/pause_deployment" },

  {
    request: "POST /deployments/<deployment>/create_flow_run",
    body: {
      name: "of-nightly",
      state: { type: "SCHEDULED", state_details: { scheduled_time: FUTURE } },
      tags: ["b"],
      parameters: { n: 6 },
    },
    saves: { deployed: "id" },
  },
  // One run at a time holds a slot: their order is by chance.
  { request: "POST /flow_runs/<scheduled>/set_state", body: { state: { type: "CANCELLED" }, force: true } },
  { request: "POST /deployments/<deployment>/create_flow_run", body: { name: 5 } },
  {
    request: "POST /deployments/<plain>/create_flow_run",
    body: { name: "of-plain", idempotency_key: "once" },
  },
  { request: "POST /deployments/<plain>/create_flow_run", body: { idempotency_key: "once" } },
  {
    request: "POST /deployments/<deployment>/create_flow_run/bulk",
    body: [{ name: "bulk-1", state: { type: "SCHEDULED", state_details: { scheduled_time: FUTURE } } }],
    // SQLite may be locked by the real server's services.
    until: { "results.0.status": "CREATED" },
  },
  { request: "POST /deployments/<deployment>/create_flow_run/bulk", body: [] },
  { request: "POST /deployments/<deployment>/create_flow_run/bulk", body: {} },
  {
    request: "POST /flow_runs/filter",
    body: { deployments: { name: { any_: ["nightly"] } }, sort: "NAME_ASC" },
  },
  { request: "POST /flow_runs/<deployed>/set_state", body: { state: { type: "PENDING" } } },
  { request: "POST /flow_runs/<deployed>/set_state", body: { state: { type: "PENDING" } } },
  {
    request: "POST /work_pools/pool/get_scheduled_flow_runs",
    body: { work_queue_names: ["urgent"], scheduled_before: "2040-01-02T00:00:00Z" },
  },
  { request: "POST /work_pools/pool/concurrency_status", body: {} },
  { request: "POST /work_queues/<queue>/concurrency_status", body: {} },
  {
    request: "POST /work_queues/<queue>/get_runs",
    body: { scheduled_before: "2040-01-02T00:00:00Z" },
    differs: {
      "0.work_pool_id": "The real one does not read the pool.",
      "0.work_pool_name": "The real one does not read the pool.",
    },
  },
  { request: "PATCH /flow_runs/<deployed>", body: { job_variables: { a: 1 } } },
  { request: "GET /v2/concurrency_limits/<limit>" },
  { request: "DELETE /flow_runs/<deployed>" },
  { request: "GET /v2/concurrency_limits/<limit>" },

  {
    request: "POST /deployments/",
    body: { name: "brief", flow_id: "<flow>" },
    saves: { briefDeployment: "id" },
  },
  { request: "POST /deployments/bulk_delete", body: { deployments: { name: { any_: ["brief"] } } } },
  { request: "POST /deployments/bulk_delete", body: { deployments: { name: { any_: ["brief"] } } } },
  { request: "POST /deployments/bulk_delete", body: { limit: 51 } },
  { request: "DELETE /deployments/<plain>" },
  ...missing(
    "GET /deployments/<missing>",
    "PATCH /deployments/<missing>",
    "DELETE /deployments/<missing>",
    "GET /deployments/<missing>/schedules",
    "PATCH /deployments/<missing>/schedules/<missing>",
    "DELETE /deployments/<missing>/schedules/<missing>",
    "POST /deployments/<missing>/pause_deployment",
    "POST /deployments/<missing>/resume_deployment",
    "POST /deployments/<missing>/create_flow_run",
  ),
  { request: "POST /deployments/<missing>/schedules", body: [] },
  { request: "POST /deployments/<missing>/create_flow_run/bulk", body: [] },
  { request: "POST /deployments/get_scheduled_flow_runs", body: { deployment_ids: ["<missing>"] } },
  { request: "POST /deployments/get_scheduled_flow_runs", body: {} },
];
