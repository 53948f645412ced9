import { createProcessLauncher } from "../launcher/process/process-launcher.ts";

import type { Launcher } from "../launcher/types.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { Logger } from "../log/logger.ts";
import type { WorkerType } from "../worker/pool.ts";
import type { Io } from "./io.ts";

export interface LauncherParts {
  readonly io: Io;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called when something can be started again after an outage. */
  readonly onBack: () => void;
}

/** What starts the flow runs of a pool of this type. Rejects when the engine's address cannot be used. */
export async function openLauncher(
  type: WorkerType,
  { io, clock, logger, onBack }: LauncherParts,
): Promise<Launcher> {
  if (type === "process") return createProcessLauncher({ clock, logger });
  // A process worker never loads this.
  const { openDockerLauncher } = await import("../launcher/docker/open-launcher.ts");
  return openDockerLauncher({ env: io.env, cwd: io.cwd, clock, logger, onBack });
}
