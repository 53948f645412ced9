import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

import { packageRoot } from "../lifecycle/package-root.ts";
import { MANIFEST } from "./environments/cache.ts";
import { StepError } from "./errors.ts";
import { findExecutable } from "./executables.ts";
import { outputTail, runTool } from "./tool.ts";

import type { ToolOptions, ToolResult } from "./tool.ts";

export interface InstallOptions extends ToolOptions {
  /** The interpreter to install for. */
  readonly python: string;
  /** Requirements and options as pip takes them. */
  readonly args: readonly string[];
}

const LOCKED_RUN = join(packageRoot, "src", "steps", "locked_run.py");
// Settings of pip that do not change what it installs; with any other one uv could install something else.
const HARMLESS = new Set([
  "PIP_CONFIG_FILE",
  "PIP_DISABLE_PIP_VERSION_CHECK",
  "PIP_NO_CACHE_DIR",
  "PIP_NO_INPUT",
  "PIP_PROGRESS_BAR",
  "PIP_QUIET",
  "PIP_ROOT_USER_ACTION",
]);

/**
 * Installs packages for an interpreter, one installation per environment at a time on this machine. uv does it when it is
 * on the PATH and pip has no configuration of its own that uv would not know; where uv fails, pip has the last word. An
 * environment without pip is always uv's.
 * Any exit code is a result; see {@link installFailure}.
 */
export async function installPackages(options: InstallOptions): Promise<ToolResult> {
  const { python, args } = options;
  if (existsSync(join(dirname(python), "..", MANIFEST))) throw sharedEnvironment(args);
  const withPip = [python, "-m", "pip", "--disable-pip-version-check", "install", ...args];
  const uv = findExecutable("uv", options.env, options.cwd);
  if (uv === undefined) return await runLocked(withPip, options);
  const withUv = [uv, "pip", "install", "--python", python, ...args];
  const [first, second] = prefersUv(options) ? [withUv, withPip] : [withPip, withUv];
  const result = await runLocked(first, options);
  if (result.exitCode === 0 || (first === withPip && !isPipMissing(result))) return result;
  const retried = await runLocked(second, options);
  return isPipMissing(retried) ? result : retried;
}

/** True where uv, not pip, is asked first. */
export function prefersUv({ env, cwd }: Pick<ToolOptions, "env" | "cwd">): boolean {
  return findExecutable("uv", env, cwd) !== undefined && !isPipConfigured(env);
}

/** The StepError of an installation that failed: pip's last lines, and what to try. */
export function installFailure(what: string, python: string, result: ToolResult): StepError {
  return new StepError(`${what} failed with error code ${result.exitCode}`, {
    exitCode: result.exitCode,
    // pip says five times, at length, that it asks again.
    outputTail: outputTail(result).replaceAll(/^WARNING: Retrying .*\n(?=WARNING: Retrying )/gm, ""),
    hint: hintFor(`${result.stdout}\n${result.stderr}`, python),
  });
}

function sharedEnvironment(args: readonly string[]): StepError {
  return new StepError(
    `Installing ${args.join(" ")} would change a cached environment that other runs share`,
    {
      hint: "Add what is missing to the requirements of the python_environment step.",
    },
  );
}

async function runLocked(command: readonly string[], options: InstallOptions): Promise<ToolResult> {
  return await runTool([options.python, LOCKED_RUN, ...command], options);
}

function isPipMissing(result: ToolResult): boolean {
  return result.stderr.includes("No module named pip");
}

function isPipConfigured(env: Readonly<Record<string, string>>): boolean {
  if (Object.keys(env).some((name) => name.startsWith("PIP_") && !HARMLESS.has(name))) return true;
  const named = env["PIP_CONFIG_FILE"];
  if (named !== undefined) return named !== "/dev/null"; // pip's way of reading no file at all
  const home = env["HOME"] ?? "/";
  const userConfig = env["XDG_CONFIG_HOME"] ?? join(home, ".config");
  const files = [
    "/etc/pip.conf",
    "/etc/xdg/pip/pip.conf",
    `${home}/.pip/pip.conf`,
    `${userConfig}/pip/pip.conf`,
  ];
  const environment = env["VIRTUAL_ENV"];
  if (environment !== undefined) files.push(join(environment, "pip.conf"));
  return files.some((file) => existsSync(file));
}

function hintFor(output: string, python: string): string {
  if (output.includes("No module named pip")) {
    return `Install pip there (${python} -m ensurepip), or put uv on the PATH.`;
  }
  if (output.includes("externally-managed-environment") || output.includes("externally managed")) {
    return "The system's Python refuses packages: make a virtual environment and name its interpreter with --python.";
  }
  if (/Could not open requirements file|File not found/.test(output)) {
    return "Check `directory` and `requirements_file`; the directory counts from the current one of the steps.";
  }
  if (/Permission denied|Read-only file system/.test(output)) {
    return `The environment of ${python} cannot be written by the worker's user.`;
  }
  if (
    /NewConnectionError|ConnectTimeout|Temporary failure in name resolution|dns error|client error \(Connect\)/.test(
      output,
    )
  ) {
    return "The package index cannot be reached from the worker's machine: check network, proxy and PIP_INDEX_URL.";
  }
  if (/No matching distribution|No solution found/.test(output)) {
    return `A requirement has no version for ${python} in the configured package index.`;
  }
  return `Run the same installation by hand with ${python} -m pip to see more.`;
}
