import { resolve } from "node:path";

import { StepError } from "./errors.ts";
import { installFailure, installPackages } from "./install.ts";
import { pythonStrip } from "./python-text.ts";
import { StepInputs } from "./step-inputs.ts";

import type { JsonObject } from "../json/value.ts";
import type { NativeStep, StepContext, StepOutcome } from "./types.ts";

/** Installs a requirements file in the flow's interpreter (protocol §5.5). */
export const pipInstallRequirements: NativeStep = {
  names: [
    "prefect.deployments.steps.pip_install_requirements",
    "prefect.deployments.steps.utility.pip_install_requirements",
    "prefect.projects.steps.pip_install_requirements",
    "prefect.projects.steps.utility.pip_install_requirements",
  ],
  run,
};

async function run(inputs: JsonObject, context: StepContext): Promise<StepOutcome> {
  const given = new StepInputs("pip_install_requirements", inputs, [
    "directory",
    "requirements_file",
    "stream_output",
  ]);
  const directory = given.optionalText("directory");
  const file = "requirements_file" in inputs ? given.text("requirements_file") : "requirements.txt";
  if (directory === "") throw new StepError("The input 'directory' of pip_install_requirements is empty");
  const isStreamed = given.flag("stream_output", true);
  const python = await context.python();
  const result = await installPackages({
    python,
    args: ["-r", file],
    cwd: directory === null ? context.cwd : resolve(context.cwd, directory),
    env: context.env,
    signal: context.signal,
    onLine: (line) => {
      if (isStreamed) context.log.output(line);
    },
  });
  if (result.exitCode !== 0) throw installFailure(`Installing ${file}`, python, result);
  return { outputs: { stdout: pythonStrip(result.stdout), stderr: pythonStrip(result.stderr) } };
}
