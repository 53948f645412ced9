import { missing } from "./call.ts";

import type { Call } from "./call.ts";

export const CONCURRENCY_LIMITS: readonly Call[] = [
  { request: "POST /v2/concurrency_limits/", body: { name: "database", limit: 2 }, saves: { global: "id" } },
  {
    request: "POST /v2/concurrency_limits/",
    body: { name: "rate", limit: 5, slot_decay_per_second: 0.5, active: true },
  },
  { request: "POST /v2/concurrency_limits/", body: { name: "database", limit: 2 } },
  { request: "POST /v2/concurrency_limits/", body: { name: "x" } },
  { request: "POST /v2/concurrency_limits/", body: { limit: 1 } },
  { request: "POST /v2/concurrency_limits/", body: { name: "x", limit: -1 } },
  { request: "GET /v2/concurrency_limits/database" },
  { request: "GET /v2/concurrency_limits/<global>" },
  { request: "GET /v2/concurrency_limits/nothing" },
  { request: "PATCH /v2/concurrency_limits/database", body: { limit: 3 } },
  { request: "PATCH /v2/concurrency_limits/database", body: { limit: "many" } },
  { request: "PATCH /v2/concurrency_limits/nothing", body: { limit: 1 } },
  { request: "POST /v2/concurrency_limits/filter", body: { limit: 200 } },
  { request: "POST /v2/concurrency_limits/filter", body: { limit: 500 } },
  { request: "POST /v2/concurrency_limits/increment", body: { names: ["database"], slots: 2 } },
  { request: "POST /v2/concurrency_limits/increment", body: { names: ["database"], slots: 2 } },
  { request: "POST /v2/concurrency_limits/increment", body: { names: ["database"], slots: 4 } },
  {
    request: "POST /v2/concurrency_limits/increment",
    body: { names: ["database"], slots: 1, mode: "rate_limit" },
  },
  {
    request: "POST /v2/concurrency_limits/increment",
    body: { names: ["rate"], slots: 1, mode: "rate_limit" },
  },
  { request: "POST /v2/concurrency_limits/increment", body: { names: ["nothing"], slots: 1 } },
  { request: "POST /v2/concurrency_limits/increment", body: { names: ["database"], slots: 0 } },
  { request: "POST /v2/concurrency_limits/increment", body: { slots: 1 } },
  { request: "GET /v2/concurrency_limits/database" },
  {
    request: "POST /v2/concurrency_limits/decrement",
    body: { names: ["database"], slots: 2, occupancy_seconds: 1.5 },
  },
  { request: "POST /v2/concurrency_limits/decrement", body: { names: ["nothing"], slots: 1 } },
  { request: "POST /v2/concurrency_limits/decrement", body: { names: ["database"] } },
  {
    request: "POST /v2/concurrency_limits/increment-with-lease",
    body: { names: ["database"], slots: 1, lease_duration: 60, holder: { type: "flow_run", id: "<run>" } },
    saves: { lease: "lease_id" },
  },
  { request: "POST /v2/concurrency_limits/increment-with-lease", body: { names: ["database"], slots: 3 } },
  {
    request: "POST /v2/concurrency_limits/increment-with-lease",
    body: { names: ["database"], slots: 1, lease_duration: 5 },
  },
  { request: "POST /v2/concurrency_limits/leases/<lease>/renew", body: { lease_duration: 60 } },
  { request: "POST /v2/concurrency_limits/leases/<lease>/renew", body: { lease_duration: 5 } },
  { request: "POST /v2/concurrency_limits/leases/<missing>/renew", body: { lease_duration: 60 } },
  { request: "POST /v2/concurrency_limits/decrement-with-lease", body: { lease_id: "<lease>" } },
  { request: "POST /v2/concurrency_limits/decrement-with-lease", body: { lease_id: "<missing>" } },
  { request: "POST /v2/concurrency_limits/decrement-with-lease", body: {} },
  { request: "GET /v2/concurrency_limits/database" },
  { request: "DELETE /v2/concurrency_limits/database" },
  { request: "DELETE /v2/concurrency_limits/nothing" },
  ...missing(
    "GET /v2/concurrency_limits/<missing>",
    "PATCH /v2/concurrency_limits/<missing>",
    "DELETE /v2/concurrency_limits/<missing>",
  ),
];
