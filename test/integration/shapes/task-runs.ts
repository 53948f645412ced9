import { missing } from "./call.ts";

import type { Call } from "./call.ts";

const ONLY = { task_runs: { name: { any_: ["load-0", "store-0"] } }, sort: "NAME_ASC" };

export const TASK_RUNS: readonly Call[] = [
  { request: "POST /flow_runs/", body: { flow_id: "<flow>", name: "parent" }, saves: { parent: "id" } },
  { request: "POST /flow_runs/<parent>/set_state", body: { state: { type: "RUNNING" } } },
  {
    request: "POST /task_runs/",
    body: {
      flow_run_id: "<parent>",
      task_key: "load-1a2b",
      dynamic_key: "0",
      name: "load-0",
      tags: ["t"],
      task_version: "v1",
      empirical_policy: { retries: 1, retry_delay: 5 },
      state: { type: "RUNNING", message: "Going" },
    },
    saves: { task: "id", taskState: "state.id" },
  },
  { request: "POST /task_runs/", body: { flow_run_id: "<parent>", task_key: "load-1a2b", dynamic_key: "0" } },
  { request: "GET /flow_runs/<parent>/graph" },
  {
    request: "POST /task_runs/",
    body: {
      flow_run_id: "<parent>",
      task_key: "store-1a2b",
      dynamic_key: "0",
      name: "store-0",
      task_inputs: { x: [{ input_type: "task_run", id: "<task>" }] },
    },
    saves: { store: "id" },
  },
  {
    request: "POST /task_runs/",
    body: {
      task_key: "lone",
      dynamic_key: "0123456789",
      state: { type: "SCHEDULED", state_details: { scheduled_time: "2040-01-01T00:00:00Z" } },
    },
    saves: { lone: "id", loneName: "name" },
  },
  { request: "POST /task_runs/", body: { flow_run_id: "<parent>", dynamic_key: "0" } },
  { request: "POST /task_runs/", body: { flow_run_id: "<parent>", task_key: "x" } },
  { request: "POST /task_runs/", body: { flow_run_id: "x", task_key: "x", dynamic_key: "0" } },
  { request: "POST /task_runs/", body: { flow_run_id: "<missing>", task_key: "x", dynamic_key: "0" } },
  { request: "GET /task_runs/<task>" },
  { request: "GET /task_runs/no-uuid" },
  { request: "PATCH /task_runs/<store>", body: { name: "store-0" } },
  { request: "PATCH /task_runs/<store>", body: { name: 5 } },
  {
    request: "POST /task_runs/<task>/set_state",
    body: { state: { type: "COMPLETED", data: { type: "unpersisted" } } },
  },
  { request: "POST /task_runs/<store>/set_state", body: { state: { type: "RUNNING" } } },
  { request: "POST /task_runs/<store>/set_state", body: { state: { type: "COMPLETED" } } },
  { request: "POST /task_runs/<store>/set_state", body: { state: {} } },
  { request: "GET /task_runs/<store>" },
  { request: "POST /task_runs/filter", body: ONLY },
  {
    request: "POST /task_runs/filter",
    body: {
      flow_runs: { id: { any_: ["<parent>"] } },
      task_runs: { state: { type: { any_: ["COMPLETED"] } } },
      sort: "NAME_DESC",
    },
  },
  { request: "POST /task_runs/filter", body: { task_runs: { flow_run_id: { is_null_: true } } } },
  { request: "POST /task_runs/filter", body: { limit: 300 } },
  { request: "POST /task_runs/count", body: ONLY },
  { request: "POST /task_runs/count", body: { task_runs: 5 } },
  { request: "POST /task_runs/paginate", body: { ...ONLY, limit: 1, page: 2 } },
  { request: "POST /task_runs/paginate", body: { page: 0 } },
  {
    request: "POST /task_runs/history",
    body: {
      task_runs: { name: { any_: ["<loneName>"] } },
      history_start: "2039-12-31T12:00:00Z",
      history_end: "2040-01-01T12:00:00Z",
      history_interval_seconds: 43_200,
    },
  },
  {
    request: "POST /task_runs/history",
    body: {
      history_start: "2040-01-01T00:00:00Z",
      history_end: "2040-01-02T00:00:00Z",
      history_interval_seconds: 0,
    },
  },
  { request: "POST /task_runs/history", body: {} },
  { request: "GET /task_run_states/?task_run_id=<task>" },
  { request: "GET /task_run_states/?task_run_id=<missing>" },
  { request: "GET /task_run_states/" },
  { request: "GET /task_run_states/<taskState>" },
  {
    request: "GET /flow_runs/<parent>/graph",
    isUnordered: true,
  },
  { request: "GET /flow_runs/<parent>/graph-v2" },
  { request: "POST /task_workers/filter", body: {} },
  { request: "POST /task_workers/filter", body: { task_worker_filter: { task_keys: ["x"] } } },
  { request: "POST /task_workers/filter", body: { task_worker_filter: 5 } },
  { request: "DELETE /task_runs/<lone>" },
  ...missing(
    "GET /task_runs/<missing>",
    "PATCH /task_runs/<missing>",
    "DELETE /task_runs/<missing>",
    "GET /task_run_states/<missing>",
  ),
  { request: "POST /task_runs/<missing>/set_state", body: { state: { type: "RUNNING" } } },
];
