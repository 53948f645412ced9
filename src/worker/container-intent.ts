import { existsSync } from "node:fs";
import { join } from "node:path";

import { noteCancellation } from "../steps/image-bridge.ts";

import type { Infrastructure } from "../launcher/types.ts";

/** Below the workspace of a run whose code the worker has pulled: what its container needs of us. */
export const STEPS_DIRECTORY = "steps";

/** The same attempt, whose engine learns of a cancellation before it is ended; other attempts are given back as they are. */
export function tellingWhy(infrastructure: Infrastructure, workspace: string | undefined): Infrastructure {
  if (workspace === undefined || !existsSync(join(workspace, STEPS_DIRECTORY))) return infrastructure;
  return {
    identifier: infrastructure.identifier,
    handle: infrastructure.handle,
    ready: infrastructure.ready,
    exited: infrastructure.exited,
    async stop(options) {
      if (options.intent === "cancel")
        await noteCancellation(join(workspace, STEPS_DIRECTORY)).catch(() => undefined); // it ends without knowing why
      return await infrastructure.stop(options);
    },
  };
}
