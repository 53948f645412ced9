import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { startLoop } from "../../lifecycle/loop.ts";
import { activated } from "../environment.ts";
import { StepError } from "../errors.ts";
import { installFailure, installPackages, prefersUv } from "../install.ts";
import { discoverPython } from "../python.ts";
import { outputTail, runTool } from "../tool.ts";
import { MANIFEST } from "./cache.ts";
import { InstallProgress, PROGRESS_PREFIX } from "./progress.ts";

import type { Clock } from "../../lifecycle/clock.ts";
import type { PythonInterpreter } from "../python.ts";
import type { ToolOptions } from "../tool.ts";
import type { StepContext } from "../types.ts";
import type { EnvironmentManifest } from "./cache.ts";

export interface EnvironmentPlan {
  readonly base: PythonInterpreter;
  /** Requirement lines of the deployment itself. */
  readonly lines: readonly string[];
  readonly files: readonly string[];
  /** Where relative paths count from. */
  readonly cwd: string;
  /** What the two come to, for the manifest. */
  readonly requirements: readonly string[];
  /** Hands on each line of the tools. */
  readonly isStreamed: boolean;
}

const PROGRESS_MS = 3000;
const OWN_LINES = "lighterman-requirements.txt";

/** Makes a virtual environment in `into` and installs what is planned; tells in the run's log every few seconds how far it is. */
export async function buildEnvironment(
  into: string,
  plan: EnvironmentPlan,
  context: StepContext,
  clock: Clock,
): Promise<EnvironmentManifest> {
  const progress = new InstallProgress();
  progress.begin(`making it with Python ${plan.base.version}`);
  const begin = clock.monotonic();
  const done = new AbortController();
  const loop = startLoop(
    async () => context.log.info(PROGRESS_PREFIX + progress.text(clock.monotonic() - begin)),
    { intervalMs: PROGRESS_MS, clock, signal: done.signal },
  );
  try {
    return await build(into, plan, context, progress);
  } finally {
    done.abort();
    await loop.done;
  }
}

async function build(
  into: string,
  plan: EnvironmentPlan,
  context: StepContext,
  progress: InstallProgress,
): Promise<EnvironmentManifest> {
  const python = join(into, "bin", "python");
  // What is on the run's import path would count as installed.
  const { PYTHONPATH: _, ...env } = activated(context.env, python);
  const options: ToolOptions = {
    cwd: plan.cwd,
    env: { ...env, PIP_NO_INPUT: "1", PIP_PROGRESS_BAR: "off" },
    signal: context.signal,
    onLine: (line) => {
      progress.see(line);
      if (plan.isStreamed) context.log.output(line);
    },
  };
  await makeVenv(into, plan.base, options);
  const own = join(into, OWN_LINES);
  if (plan.lines.length > 0) await writeFile(own, `${plan.lines.join("\n")}\n`, { mode: 0o600 });
  const files = [...(plan.lines.length > 0 ? [own] : []), ...plan.files];
  progress.begin("asking the package index");
  const result = await installPackages({ ...options, python, args: files.flatMap((file) => ["-r", file]) });
  if (result.exitCode !== 0) {
    const what = plan.files.length > 0 ? plan.files.join(", ") : plan.requirements.join(", ");
    throw installFailure(`Installing ${what} into a new environment`, plan.base.path, result);
  }
  // It may hold passwords.
  await writeFile(own, "");
  const { version, prefectVersion } = await discoverPython({ ...options, configured: python });
  const manifest = { python: version, prefect: prefectVersion, requirements: plan.requirements };
  await writeFile(join(into, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

async function makeVenv(into: string, base: PythonInterpreter, options: ToolOptions): Promise<void> {
  const bare = [base.path, "-m", "venv", "--without-pip", into] as const;
  const result = await runTool(prefersUv(options) ? bare : [base.path, "-m", "venv", into], options);
  if (result.exitCode === 0) return;
  const tail = outputTail(result);
  const minor = base.version.split(".").slice(0, 2).join(".");
  throw new StepError(`${base.path} cannot make a virtual environment (exit code ${result.exitCode})`, {
    exitCode: result.exitCode,
    outputTail: tail,
    hint: /ensurepip|No module named venv/.test(tail)
      ? `On Debian and Ubuntu: apt-get install python${minor}-venv. Elsewhere: put uv on the PATH, or use a complete Python.`
      : `Run it by hand to see more: ${base.path} -m venv /tmp/venv`,
  });
}
