import { basename, join } from "node:path";

import { coerceError } from "../errors.ts";
import { StepError } from "./errors.ts";
import { findExecutable } from "./executables.ts";
import { runTool } from "./tool.ts";

export interface PythonInterpreter {
  /** Absolute; what the interpreter itself calls its executable, so no shim of a version manager. */
  readonly path: string;
  /** `3.12.4` */
  readonly version: string;
  /** Null when Prefect is not installed there. */
  readonly prefectVersion: string | null;
  readonly source: PythonSource;
}

/** Where the choice came from: the setting, the active virtual environment, or the search path. */
type PythonSource = "configured" | "virtual environment" | "PATH";

export interface DiscoverPythonOptions {
  /** The user's choice: a path, or a name on the PATH. No other is tried then. */
  readonly configured?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

// Asked without importing Prefect, which would take a second. The current directory is taken off the import path first.
const PROBE = `
import sys
sys.path = [entry for entry in sys.path if entry]
import json
try:
    from importlib.metadata import version
    prefect = version("prefect")
except Exception:
    prefect = None
print(json.dumps({"path": sys.executable, "version": list(sys.version_info[:3]), "prefect": prefect}))
`;
const PROBE_TIMEOUT_MS = 20_000;
const OLDEST = [3, 8] as const;

// One interpreter serves all runs of a worker; asking it again would cost each run a process.
const known = new Map<string, Omit<PythonInterpreter, "source">>();

/**
 * Finds the interpreter of the flows: the configured one, else that of the active virtual environment, else `python3`,
 * then `python` on the PATH. Rejects with a StepError that says what was tried.
 */
export async function discoverPython(options: DiscoverPythonOptions): Promise<PythonInterpreter> {
  const tried: string[] = [];
  for (const { name, source } of candidates(options)) {
    const file = findExecutable(name, options.env);
    if (file === undefined) {
      tried.push(`${name}: not found`);
      continue;
    }
    try {
      const interpreter = known.get(file) ?? (await probe(file, options));
      known.set(file, interpreter);
      return { ...interpreter, source };
    } catch (thrown) {
      options.signal.throwIfAborted();
      tried.push(`${file}: ${coerceError(thrown).message}`);
    }
  }
  throw new StepError(`No usable Python interpreter for flows (${tried.join("; ")})`, {
    hint:
      options.configured === undefined
        ? "Install Python 3.8 or newer with Prefect, or name an interpreter with --python PATH."
        : "Check the path given with --python.",
  });
}

/**
 * The interpreter that a job's command starts (`/x/venv/bin/python -m prefect.engine`), so that steps which install packages
 * do so there; null when the command's program is no Python. A bare name stays a name, to be looked up in the run's PATH.
 */
export function interpreterOfCommand(command: readonly string[]): string | null {
  const [program] = command;
  return program !== undefined && /^(?:python|pypy)[\d.]*$/.test(basename(program)) ? program : null;
}

function candidates(options: DiscoverPythonOptions): { name: string; source: PythonSource }[] {
  if (options.configured !== undefined && options.configured !== "") {
    return [{ name: options.configured, source: "configured" }];
  }
  const environment = options.env["VIRTUAL_ENV"];
  return [
    ...(environment === undefined || environment === ""
      ? []
      : [{ name: join(environment, "bin", "python"), source: "virtual environment" } as const]),
    { name: "python3", source: "PATH" },
    { name: "python", source: "PATH" },
  ];
}

async function probe(
  file: string,
  options: DiscoverPythonOptions,
): Promise<Omit<PythonInterpreter, "source">> {
  const env = Object.fromEntries(
    Object.entries(options.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(PROBE_TIMEOUT_MS)]);
  const { exitCode, stdout, stderr } = await runTool([file, "-c", PROBE], { cwd: "/", env, signal });
  const answer = parseAnswer(stdout);
  if (exitCode !== 0 || answer === undefined) {
    const lastLine = stderr.trimEnd().split("\n").at(-1) ?? "";
    throw new StepError(`it does not answer (exit code ${exitCode}) ${lastLine}`.trimEnd());
  }
  const [major = 0, minor = 0] = answer.version;
  const version = answer.version.join(".");
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    throw new StepError(`it is Python ${version}, and ${OLDEST.join(".")} is the oldest that serves`);
  }
  return { path: answer.path === "" ? file : answer.path, version, prefectVersion: answer.prefect };
}

interface ProbeAnswer {
  readonly path: string;
  readonly version: readonly number[];
  readonly prefect: string | null;
}

// A sitecustomize may print, so only the last line counts.
function parseAnswer(stdout: string): ProbeAnswer | undefined {
  try {
    return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as ProbeAnswer;
  } catch {
    return undefined;
  }
}
