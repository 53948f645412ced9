import { coerceError, WorkerError } from "../../errors.ts";
import { findExecutable } from "../../steps/executables.ts";
import { discoverPython } from "../../steps/python.ts";
import { runTool } from "../../steps/tool.ts";

import type { PythonInterpreter } from "../../steps/python.ts";

type Environment = Readonly<Record<string, string | undefined>>;

// What Prefect 3.8.8 runs on.
const OLDEST_MINOR = 10;
const NEWEST_MINOR = 14;

/**
 * The interpreter for the demo's flow: the chosen one, or the first of the usual that Prefect runs on. Throws a WorkerError with
 * the command that helps when there is none, or when it cannot make virtual environments.
 */
export async function checkPython(
  chosen: string | undefined,
  env: Environment,
  signal: AbortSignal,
): Promise<PythonInterpreter> {
  const found = await findPython(chosen, env, signal);
  // uv makes environments without Python's own means.
  if (findExecutable("uv", env) !== undefined) return found;
  const command = [found.path, "-c", "import ensurepip, venv"] as const;
  const { exitCode } = await runTool(command, { cwd: "/", env: definedOf(env), signal });
  if (exitCode === 0) return found;
  throw new WorkerError(
    "MACHINE_UNFIT",
    `${found.path} (Python ${found.version}) cannot make virtual environments: its module ensurepip is missing`,
    {
      hint: `Debian, Ubuntu: apt-get install python${minorOf(found)}-venv (as root); macOS: brew install python. Then run this again.`,
    },
  );
}

/** True when git works; false when it is missing, or only promises to be installed (macOS). */
export async function hasGit(env: Environment, signal: AbortSignal): Promise<boolean> {
  try {
    const { exitCode } = await runTool(["git", "--version"], { cwd: "/", env: definedOf(env), signal });
    return exitCode === 0;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

async function findPython(
  chosen: string | undefined,
  env: Environment,
  signal: AbortSignal,
): Promise<PythonInterpreter> {
  const minors = Array.from({ length: NEWEST_MINOR - OLDEST_MINOR + 1 }, (_, index) => NEWEST_MINOR - index);
  const names = chosen === undefined ? [undefined, ...minors.map((minor) => `python3.${minor}`)] : [chosen];
  const seen: string[] = [];
  for (const configured of names) {
    try {
      const found = await discoverPython({ configured, env, signal });
      const minor = Number(found.version.split(".")[1]);
      if (found.version.startsWith("3.") && minor >= OLDEST_MINOR && minor <= NEWEST_MINOR) return found;
      seen.push(`${found.path} is Python ${found.version}`);
    } catch (thrown) {
      signal.throwIfAborted();
      // The usual names are only tried.
      if (configured === chosen) seen.push(coerceError(thrown).message);
    }
  }
  throw new WorkerError(
    "MACHINE_UNFIT",
    `The demo's flow needs Python 3.${OLDEST_MINOR} to 3.${NEWEST_MINOR}: ${seen.join("; ")}`,
    {
      hint: "Debian, Ubuntu: apt-get install python3 python3-venv (as root); macOS: brew install python. Or name one with --python PATH.",
    },
  );
}

function minorOf({ version }: PythonInterpreter): string {
  return version.split(".").slice(0, 2).join(".");
}

function definedOf(env: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
