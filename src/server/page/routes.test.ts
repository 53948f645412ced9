import { expect, test } from "vitest";

import { routeOf } from "./routes.ts";

const id = "019ab000-0000-7000-8000-00000000000a";

test.for([
  ["/", { view: "overview" }],
  ["/work-pools/work-pool/mine", { view: "overview" }],
  ["/runs", { view: "runs" }],
  ["/runs/", { view: "runs" }],
  [`/runs/${id}`, { view: "run", id }],
  [`/runs/flow-run/${id.toUpperCase()}`, { view: "run", id }],
  [`/flow-runs/flow-run/${id}`, { view: "run", id }],
  ["/runs/none", { view: "not-found" }],
  ["/deployments", { view: "deployments" }],
  [`/deployments/deployment/${id}`, { view: "deployment", id }],
  ["/variables", { view: "variables" }],
  ["/blocks/block/x", { view: "blocks" }],
  ["/elsewhere", { view: "not-found" }],
] as const)("routeOf(%s)", ([path, route]) => {
  expect(routeOf(path)).toEqual(route);
});
