import { resolve } from "node:path";

import { checkProject } from "../project/check.ts";
import { describeProblem, ProjectError } from "../project/problem.ts";
import { readPrefectFile } from "../project/prefect-file.ts";
import { discoverPython } from "../steps/python.ts";
import { environmentWith } from "../worker/environment.ts";
import { readSettings } from "./session.ts";

import type { CheckResult } from "../project/check.ts";
import type { ProjectCheckFlags } from "./commands/project.ts";
import type { Io } from "./io.ts";

/** What `lighterman project check` does. Returns the exit status. */
export async function runProjectCheck(io: Io, flags: ProjectCheckFlags): Promise<number> {
  const { config, prefectSettings } = await readSettings(io, flags);
  const { signal } = new AbortController();
  const name = flags.prefectFile ?? "prefect.yaml";
  let result: CheckResult;
  try {
    result = await checkProject(await readPrefectFile(resolve(io.cwd, name), name), {
      cwd: io.cwd,
      env: environmentWith(io.env, prefectSettings),
      signal,
      onLine: (line) => io.stderr.write(`${line}\n`),
      python: async () => (await discoverPython({ configured: config.python, env: io.env, signal })).path,
    });
  } catch (thrown) {
    if (!(thrown instanceof ProjectError)) throw thrown;
    result = { errors: thrown.problems, warnings: [] };
  }
  const { errors, warnings } = result;
  if (flags.json === true) io.stdout.write(`${JSON.stringify({ errors, warnings }, null, 2)}\n`);
  else {
    for (const problem of warnings) io.stdout.write(`${describeProblem(problem)} (warning)\n`);
    for (const problem of errors) io.stdout.write(`${describeProblem(problem)}\n`);
    io.stdout.write(
      errors.length > 0
        ? `${errors.length} problem${errors.length === 1 ? "" : "s"} in ${name}.\n`
        : `${name} is sound.\n`,
    );
  }
  return errors.length > 0 ? 1 : 0;
}
