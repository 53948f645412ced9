import { coerceError } from "../errors.ts";

import type { Clock } from "../lifecycle/clock.ts";
import type { Logger } from "../log/logger.ts";
import type { Workspaces } from "./workspace.ts";

export interface HousekeepingOptions {
  /** When to sweep, in local time; undefined for never. */
  readonly cron: string | undefined;
  readonly workspaces: Workspaces;
  readonly worker: { hasRun(flowRunId: string): boolean };
  readonly logger: Logger;
  readonly clock: Clock;
}

// Output of ended runs stays this long for whoever wants to look; a workspace so old belongs to no living worker's run,
// unless it is in hand.
const KEEP_MS = 7 * 24 * 3600 * 1000;

/** Sweeps old workspaces and outputs on a schedule. Returns the function that ends it. */
export function startHousekeeping({
  cron,
  workspaces,
  worker,
  logger,
  clock,
}: HousekeepingOptions): () => void {
  if (cron === undefined) return () => undefined;
  async function sweep(): Promise<void> {
    try {
      const removed = await workspaces.sweep((id) => worker.hasRun(id), clock.now(), KEEP_MS);
      if (removed > 0) logger.info({ removed }, `Housekeeping removed ${removed} old workspaces and outputs`);
    } catch (thrown) {
      logger.warn({ err: coerceError(thrown) }, "Housekeeping failed; it is tried again at its next time");
    }
  }
  let stop: (() => void) | undefined;
  let isStopped = false;
  void import("node-cron").then(({ schedule }) => {
    if (isStopped) return;
    const task = schedule(cron, sweep, { name: "housekeeping", noOverlap: true });
    stop = () => void task.stop();
  });
  return () => {
    isStopped = true;
    stop?.();
  };
}
