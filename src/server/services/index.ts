import { foreman } from "./foreman.ts";
import { lateRuns } from "./late-runs.ts";
import { leases } from "./leases.ts";
import { retention } from "./retention.ts";
import { createScheduler } from "./scheduler.ts";
import { stuckRuns } from "./stuck-runs.ts";
import { createZombies } from "./zombies.ts";

import type { Service } from "./service.ts";

/** The services of one server, in the order in which they are started. */
export function createServices(): readonly Service[] {
  return [createScheduler(), lateRuns, leases, stuckRuns, foreman, createZombies(), retention];
}
