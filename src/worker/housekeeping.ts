import { coerceError } from "../errors.ts";
import { startLoop } from "../lifecycle/loop.ts";
import { sweepEnvironments } from "../steps/environments/cache.ts";
import { byLauncher } from "./workspace-removal.ts";

import type { Rubbish, SweepOptions } from "../launcher/types.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { Logger } from "../log/logger.ts";
import type { Journal } from "./journal.ts";
import type { Workspaces } from "./workspace.ts";

export interface HousekeepingOptions {
  /** When to sweep, in local time; "off" for never, undefined for every hour. */
  readonly cron: string | undefined;
  readonly workspaces: Workspaces;
  /** Cached Python environments, and how long one stays after its last use. */
  readonly environments: { readonly directory: string; readonly keepMs: number };
  /** Removes the containers of ended runs; see `Launcher.sweep`. */
  readonly sweepContainers: (options: Pick<SweepOptions, "isInHand" | "now" | "signal">) => Promise<number>;
  /** See `Launcher.removeFiles`. */
  readonly removeFiles: (rubbish: Rubbish, signal: AbortSignal) => Promise<void>;
  readonly journal: Pick<Journal, "has">;
  readonly logger: Logger;
  readonly clock: Clock;
}

const HOUR_MS = 3600 * 1000;

// Output of ended runs stays this long for whoever wants to look.
const KEEP_MS = 7 * 24 * 3600 * 1000;

/** Sweeps old workspaces, outputs, Python environments and containers on a schedule. Returns the function that ends it. */
export function startHousekeeping({
  cron,
  workspaces,
  environments,
  sweepContainers,
  removeFiles,
  journal,
  logger,
  clock,
}: HousekeepingOptions): () => void {
  if (cron === "off") return () => undefined;
  const stopping = new AbortController();
  async function sweep(): Promise<void> {
    try {
      const removed = await workspaces.sweep({
        isKnownRun: (id) => journal.has(id),
        now: clock.now(),
        minAgeMs: KEEP_MS,
        removeFiles: byLauncher({ removeFiles }, stopping.signal),
        onError: (path, err) => logger.warn({ path, err }, `Housekeeping could not remove ${path}`),
      });
      if (removed > 0) logger.info({ removed }, `Housekeeping removed ${removed} old workspaces and outputs`);
      const { directory, keepMs } = environments;
      const unused = await sweepEnvironments(directory, { clock, signal: stopping.signal }, keepMs);
      if (unused > 0)
        logger.info({ removed: unused }, `Housekeeping removed ${unused} unused Python environments`);
      const options = {
        now: clock.now(),
        isInHand: (id: string) => journal.has(id),
        signal: stopping.signal,
      };
      const containers = await sweepContainers(options);
      if (containers > 0)
        logger.info(
          { removed: containers },
          `Housekeeping removed ${containers} containers of ended flow runs`,
        );
    } catch (thrown) {
      logger.warn({ err: coerceError(thrown) }, "Housekeeping failed; it is tried again at its next time");
    }
  }
  if (cron === undefined) {
    // node-cron loads the time zones, which would be an eighth of an idle worker's memory.
    startLoop(() => sweep(), { intervalMs: HOUR_MS, clock, signal: stopping.signal });
  } else {
    void import("node-cron").then(({ schedule }) => {
      if (stopping.signal.aborted) return;
      const task = schedule(cron, sweep, { name: "housekeeping", noOverlap: true });
      stopping.signal.addEventListener("abort", () => void task.stop());
    });
  }
  return () => stopping.abort();
}
