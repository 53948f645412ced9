import { foreman } from "./foreman.ts";
import { lateRuns } from "./late-runs.ts";
import { leases } from "./leases.ts";
import { retention } from "./retention.ts";
import { stuckRuns } from "./stuck-runs.ts";

import type { Service } from "./service.ts";

/** All services, in the order in which they are started. */
export const SERVICES: readonly Service[] = [lateRuns, leases, stuckRuns, foreman, retention];
