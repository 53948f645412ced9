import { AUTOMATIONS } from "./automations.ts";
import { BLOCKS } from "./blocks.ts";
import { CONCURRENCY_LIMITS } from "./concurrency-limits.ts";
import { DEPLOYMENTS } from "./deployments.ts";
import { EVENTS } from "./events.ts";
import { FLOW_RUNS } from "./flow-runs.ts";
import { FLOWS } from "./flows.ts";
import { RECORDS } from "./records.ts";
import { SERVER } from "./server.ts";
import { TASK_RUNS } from "./task-runs.ts";
import { WORK_POOLS } from "./work-pools.ts";

import type { Call } from "./call.ts";

/** All calls in their order: later nouns use what earlier ones made. */
export const SCENARIO: readonly Call[] = [
  ...SERVER,
  ...FLOWS,
  ...WORK_POOLS,
  ...BLOCKS,
  ...FLOW_RUNS,
  ...TASK_RUNS,
  ...DEPLOYMENTS,
  ...RECORDS,
  ...CONCURRENCY_LIMITS,
  ...EVENTS,
  ...AUTOMATIONS,
];
