import { coerceError } from "../errors.ts";
import { BRIDGE_SCRIPT } from "./bridge.ts";
import { installPackages } from "./install.ts";
import { runTool } from "./tool.ts";

import type { StepContext } from "./types.ts";

// Asked once per worker: a package that is there stays there.
const known = new Set<string>();

/**
 * Installs what a step that the worker runs itself `requires`. The step does not need it, but with Prefect's own worker the
 * flow finds it installed (`pull_from_s3` usually requires prefect-aws). So a failure is a warning, not the step's failure.
 */
export async function ensureRequirements(requires: readonly string[], context: StepContext): Promise<void> {
  const { log, signal, cwd, env } = context;
  try {
    const python = await context.python();
    const key = JSON.stringify([python, requires]);
    if (known.has(key)) return;
    const check = await runTool([python, BRIDGE_SCRIPT, "check", ...requires], { cwd, env, signal });
    const missing = JSON.parse(check.stdout.trimEnd().split("\n").at(-1) ?? "") as readonly string[];
    if (missing.length > 0) {
      log.info(`Installing what the step requires: ${requires.join(", ")}`);
      const onLine = (line: string): void => log.output(line);
      const result = await installPackages({ python, args: missing, cwd, env, signal, onLine });
      if (result.exitCode !== 0) {
        log.warn(`Unable to install ${requires.join(", ")}; the step itself does not need it`);
        return;
      }
    }
    known.add(key);
  } catch (thrown) {
    signal.throwIfAborted();
    log.warn(`Unable to look for ${requires.join(", ")}: ${coerceError(thrown).message}`);
  }
}
