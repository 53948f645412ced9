import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { join, resolve } from "node:path";

import { systemClock } from "../lifecycle/clock.ts";
import { findBasePython } from "./environments/base-python.ts";
import { buildEnvironment } from "./environments/build.ts";
import { obtainEnvironment } from "./environments/cache.ts";
import { readRequirements, withoutPasswords } from "./environments/requirements.ts";
import { StepError } from "./errors.ts";
import { StepInputs } from "./step-inputs.ts";

import type { JsonObject } from "../json/value.ts";
import type { CachedEnvironment } from "./environments/cache.ts";
import type { PythonInterpreter } from "./python.ts";
import type { NativeStep, StepContext, StepOutcome } from "./types.ts";

const NAME = "python_environment";
const INPUTS = ["requirements", "requirements_file", "directory", "python", "stream_output"];
const DEFAULT_FILE = "requirements.txt";

/**
 * Gives the flow a Python of its own: a virtual environment with these requirements, made once and shared by all runs that
 * ask for the same. The steps after it and the flow run in it. Only this worker knows the step; Python's has nothing like it.
 */
export const pythonEnvironment: NativeStep = {
  names: [`lighterman.steps.${NAME}`],
  run,
};

async function run(inputs: JsonObject, context: StepContext): Promise<StepOutcome> {
  const given = new StepInputs(NAME, inputs, INPUTS);
  const cwd = resolve(context.cwd, given.optionalText("directory") ?? "");
  const lines = given.lines("requirements");
  const files = filesOf(given.lines("requirements_file"), lines, cwd);
  const wanted = given.optionalText("python");
  const isStreamed = given.flag("stream_output", false);

  const requirements = await readRequirements({ lines, files, cwd, env: context.env });
  const base = await findBasePython(wanted, context);
  const key = await environmentKey(base, requirements, context.env);
  const lock = {
    clock: systemClock,
    signal: context.signal,
    onWait: () => context.log.info("Waiting for the same Python environment, which another run is building"),
  };
  const begin = systemClock.monotonic();
  const environment = await obtainEnvironment(context.environmentsDir, key, lock, (into) =>
    buildEnvironment(into, { base, lines, files, cwd, requirements, isStreamed }, context, systemClock),
  );
  context.log.info(describe(environment, systemClock.monotonic() - begin));
  const python = join(environment.directory, "bin", "python");
  return { outputs: { python, environment: environment.directory }, python };
}

function filesOf(named: readonly string[], lines: readonly string[], cwd: string): readonly string[] {
  if (named.length > 0 || lines.length > 0) return named;
  if (existsSync(join(cwd, DEFAULT_FILE))) return [DEFAULT_FILE];
  throw new StepError(`${NAME} has nothing to install: there is no ${join(cwd, DEFAULT_FILE)}`, {
    hint: "Give it `requirements` (a list) or `requirements_file`, and the `directory` that the file lies in.",
  });
}

// Where packages come from is part of what they are. Passwords in these are not.
const INDEX_VARIABLE =
  /^(?:PIP|UV)_(?:\w*INDEX\w*|FIND_LINKS|CONSTRAINTS?|PRE|PRERELEASE|NO_BINARY|ONLY_BINARY|OVERRIDE)$/;

/** The same for all runs that need the same environment: interpreter, package index, requirements. */
async function environmentKey(
  { path, version }: PythonInterpreter,
  requirements: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const indexes = Object.entries(env)
    .filter(([name]) => INDEX_VARIABLE.test(name))
    .map(([name, value]) => `${name}=${withoutPasswords(value)}`)
    .toSorted();
  // Virtual environments of one interpreter are that interpreter.
  const parts = JSON.stringify([process.arch, await realpath(path), version, indexes, requirements]);
  return createHash("sha256").update(parts).digest("hex").slice(0, 20);
}

function describe({ directory, isNew, python, prefect }: CachedEnvironment, elapsedMs: number): string {
  const what = `Python ${python}, ${prefect === null ? "without Prefect" : `Prefect ${prefect}`}`;
  return isNew
    ? `Built the Python environment in ${Math.round(elapsedMs / 1000)} s: ${what}; kept at ${directory}`
    : `Using the cached Python environment ${directory} (${what})`;
}
