import { realpath, stat } from "node:fs/promises";
import { resolve } from "node:path";

import { StepError } from "./errors.ts";
import { StepInputs } from "./step-inputs.ts";

import type { JsonObject } from "../json/value.ts";
import type { NativeStep, StepContext, StepOutcome } from "./types.ts";

/** Changes the current directory (protocol §5.3). */
export const setWorkingDirectory: NativeStep = {
  names: [
    "prefect.deployments.steps.set_working_directory",
    "prefect.deployments.steps.pull.set_working_directory",
    "prefect.projects.steps.set_working_directory",
    "prefect.projects.steps.pull.set_working_directory",
  ],
  run,
};

async function run(inputs: JsonObject, context: StepContext): Promise<StepOutcome> {
  const given = new StepInputs("set_working_directory", inputs, ["directory"]).text("directory");
  const from = context.sourceCwd ?? context.cwd;
  const path = resolve(from, given);
  const found = await stat(path).catch(() => undefined);
  if (given === "" || found?.isDirectory() !== true) {
    const what = given === "" ? "The directory is empty" : `There is no directory ${path}`;
    throw new StepError(what, {
      hint: `A relative path counts from ${from}, ${context.sourceCwd === undefined ? "the directory of the steps before" : "where the command was started"}.`,
    });
  }
  const directory = await realpath(path);
  return { outputs: { directory }, cwd: directory };
}
