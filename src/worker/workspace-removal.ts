import { coerceError } from "../errors.ts";

import type { Launcher } from "../launcher/types.ts";
import type { RunRoom } from "./room.ts";
import type { RemoveFiles } from "./workspace.ts";

/** What the launcher takes to remove files of other users; it has to pull no image for it. */
const PATIENCE_MS = 60_000;

/** Removes an ended run's temporary workspace. Never rejects: what cannot be removed is told, and left to housekeeping. */
export async function removeWorkspace(
  flowRunId: string,
  workspace: string,
  room: Pick<RunRoom, "workspaces" | "launcher" | "logger" | "closing">,
): Promise<void> {
  try {
    await room.workspaces.remove(workspace, byLauncher(room.launcher, room.closing));
  } catch (thrown) {
    room.logger.warn(
      { flowRunId, workspace, err: coerceError(thrown) },
      "A flow run's workspace could not be removed; housekeeping tries again",
    );
  }
}

/** Lets the launcher remove the files, for a minute at most. */
export function byLauncher(launcher: Pick<Launcher, "removeFiles">, signal: AbortSignal): RemoveFiles {
  return async (rubbish) =>
    await launcher.removeFiles(rubbish, AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]));
}
