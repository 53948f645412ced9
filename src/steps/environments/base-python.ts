import { coerceError } from "../../errors.ts";
import { StepError } from "../errors.ts";
import { findExecutable } from "../executables.ts";
import { discoverPython } from "../python.ts";
import { runTool } from "../tool.ts";

import type { PythonInterpreter } from "../python.ts";
import type { StepContext } from "../types.ts";

type Surroundings = Pick<StepContext, "cwd" | "env" | "signal" | "python">;

/**
 * The interpreter to make an environment with: the run's own when nothing is `wanted`, else that program, or any interpreter
 * on the PATH or of uv that has that version (`3.12`, `3.12.4`). Rejects with a StepError that says what was tried.
 */
export async function findBasePython(
  wanted: string | null,
  around: Surroundings,
): Promise<PythonInterpreter> {
  const { env, signal } = around;
  if (wanted === null) return await discoverPython({ configured: await around.python(), env, signal });
  if (!/^\d+(?:\.\d+){0,2}$/.test(wanted)) return await discoverPython({ configured: wanted, env, signal });

  const tried: string[] = [];
  const minor = wanted.split(".").slice(0, 2).join(".");
  const candidates = [
    () => around.python(),
    () => Promise.resolve(`python${minor}`),
    () => Promise.resolve("python3"),
    () => pythonOfUv(wanted, around),
  ];
  for (const candidate of candidates) {
    try {
      const found = await discoverPython({ configured: await candidate(), env, signal });
      if (`${found.version}.`.startsWith(`${wanted}.`)) return found;
      tried.push(`${found.path} is ${found.version}`);
    } catch (thrown) {
      signal.throwIfAborted();
      tried.push(coerceError(thrown).message);
    }
  }
  throw new StepError(
    `There is no Python ${wanted} for the environment (${[...new Set(tried)].join("; ")})`,
    {
      hint: `Install it on the worker's machine (\`uv python install ${wanted}\` does), or leave the input 'python' out to use the worker's own.`,
    },
  );
}

async function pythonOfUv(version: string, { cwd, env, signal }: Surroundings): Promise<string> {
  const uv = findExecutable("uv", env, cwd);
  if (uv === undefined) throw new StepError("there is no uv");
  const { exitCode, stdout } = await runTool([uv, "python", "find", "--no-project", version], {
    cwd,
    env,
    signal,
  });
  if (exitCode !== 0) throw new StepError("uv has none");
  return stdout.trim();
}
