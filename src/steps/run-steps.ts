import { realpath } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

import { WorkerError, coerceError } from "../errors.ts";
import { mergeObjects } from "../json/object.ts";
import { isPythonTruthy, pythonStr } from "../json/python.ts";
import { isJsonObject } from "../json/value.ts";
import { applyValues, resolveBlockReferences, resolveVariables } from "../templating/index.ts";
import { activated, keepRunnersOwn } from "./environment.ts";
import { StepError } from "./errors.ts";
import { placeOf, readSteps } from "./deployment-steps.ts";
import { PythonSteps } from "./python-steps.ts";
import { currentName, findNativeStep } from "./registry.ts";
import { ensureRequirements } from "./requirements.ts";
import { entrypointExists, prepareStorage } from "./storage.ts";

import type { Json, JsonObject } from "../json/value.ts";
import type { PulledCode, PullStage } from "./pull-stage.ts";
import type { DeploymentStep, StepKind } from "./deployment-steps.ts";
import type { StorageFields } from "./storage.ts";
import type { ReferenceLookups, StepContext, StepOutcome } from "./types.ts";

export interface StepsOptions extends PullStage {
  /** `deployment.pull_steps` as it came, or the steps of a project. */
  readonly steps: Json;
  /** Default `pull`. */
  readonly kind?: StepKind;
  /** What earlier steps gave. */
  readonly outputs?: JsonObject;
  readonly lookups: ReferenceLookups;
  readonly onStepBegin?: (step: RunningStep) => void;
  readonly onStep?: (event: StepEvent) => void;
}

export interface PullStepsOptions extends StepsOptions {
  /** Where the code lies when no step selects a directory and the entrypoint is not in `cwd` (3.8.8 falls back to it). */
  readonly fallback?: StorageFields;
}

/** A step that is on its way. */
export interface RunningStep {
  /** From 1. */
  readonly number: number;
  /** Of all steps. */
  readonly count: number;
  /** `git_clone` */
  readonly name: string;
}

/** For `prefect.flow-run.pull-step.executed` and `.failed`; the inputs are those of the deployment, nothing resolved. */
export interface StepEvent {
  readonly index: number;
  readonly qualifiedName: string;
  readonly stepName: string;
  readonly id: Json;
  readonly inputs: JsonObject;
  readonly status: "executed" | "failed";
}

/** What one step finds and the next one goes on with. */
interface Progress {
  cwd: string;
  env: Record<string, string>;
  outputs: JsonObject;
  pythonPath: readonly string[];
  /** Of the environment that a step made. */
  python: string | undefined;
  /** The last directory that a step selected. */
  selected: string | undefined;
}

/**
 * Runs a deployment's pull steps one after the other, with the results of Prefect 3.8.8's own preparation (protocol §5.1,
 * prefect/deployments/steps/core.py, prefect/runner/_workspace_resolver.py). Rejects with a StepError that names the step,
 * or with the signal's reason.
 */
export async function runPullSteps(options: PullStepsOptions): Promise<PulledCode> {
  const { progress, stage } = await runAll(options);
  const kept = keepRunnersOwn(progress.env, options.env);
  const env = progress.python === undefined ? kept : activated(kept, progress.python);
  const { outputs, pythonPath } = progress;
  const rest = { outputs, env, pythonPath, python: progress.python };
  const { image } = options;
  if (progress.selected !== undefined) {
    const isThere = image?.isImagePath(progress.selected) === true;
    return { ...rest, directory: isThere ? progress.selected : await existing(progress.selected) };
  }
  const { fallback } = options;
  if (fallback === undefined || (await entrypointExists(fallback.entrypoint, progress.cwd))) {
    return { ...rest, directory: progress.cwd };
  }
  if (image !== undefined) return { ...rest, directory: await image.workingDirectory() };
  const { directory } = await prepareStorage({ ...stage, ...fallback, env, onlyForEntrypoint: true });
  return { ...rest, directory };
}

/**
 * Runs a project's build or push steps one after the other. Resolves with the outputs of all steps so far: each step's under its
 * `id`, and all of them flat, the last one winning. Rejects like {@link runPullSteps}.
 */
export async function runProjectSteps(options: StepsOptions): Promise<JsonObject> {
  const { progress } = await runAll(options);
  return progress.outputs;
}

async function runAll(
  options: StepsOptions,
): Promise<{ readonly progress: Progress; readonly stage: PullStage }> {
  const { log, kind = "pull" } = options;
  const steps = readSteps(options.steps, kind);
  const progress: Progress = {
    cwd: await realpath(options.cwd),
    env: { ...options.env },
    outputs: options.outputs ?? {},
    pythonPath: [],
    python: undefined,
    selected: undefined,
  };
  const stage = stageOf(options, progress);
  const python = new PythonSteps(stage, options.sourceCwd ?? progress.cwd);
  try {
    if (steps.total > 0) log.info(`Running ${steps.total} deployment ${kind} step(s)`);
    for (const step of steps.items) {
      options.signal.throwIfAborted();
      await runStep(step, steps.total, progress, python, stage, options);
    }
    if (steps.total > 0) log.info("All deployment steps completed successfully");
  } finally {
    await python.stop();
  }
  options.signal.throwIfAborted();
  return { progress, stage };
}

async function runStep(
  step: DeploymentStep,
  total: number,
  progress: Progress,
  python: PythonSteps,
  stage: PullStage,
  options: StepsOptions,
): Promise<void> {
  const { log, onStep, onStepBegin } = options;
  const { index, name, id, inputs } = step;
  const stepName = name.split(".").at(-1) ?? name;
  const event = { index, qualifiedName: name, stepName, id: id ?? null, inputs: step.written };
  log.info(`Executing deployment step: ${stepName}`);
  onStepBegin?.({ number: index + 1, count: total, name: stepName });
  try {
    const resolved = await resolveInputs(inputs, progress, options);
    const context: StepContext = {
      ...stage,
      cwd: progress.cwd,
      // An image that brings its code: only the first step finds it by a relative path.
      sourceCwd: index === 0 ? stage.sourceCwd : undefined,
      env: { ...progress.env },
    };
    const outcome =
      (await stage.image?.run(currentName(name), resolved, step.requires, context)) ??
      (await execute(step, resolved, context, {
        python,
        // In a container the flow finds what its image has.
        needsRequirements: (options.kind ?? "pull") === "pull" && stage.image === undefined,
      }));
    options.signal.throwIfAborted();
    settle(outcome, step, progress);
    // Prefect says nothing more about a step that returned no mapping.
    if (outcome.outputs === undefined) return;
    log.info(`Deployment step '${stepName}' completed successfully`);
    onStep?.({ ...event, status: "executed" });
  } catch (thrown) {
    options.signal.throwIfAborted();
    onStep?.({ ...event, status: "failed" });
    throw stepFailure(`${placeOf(options.kind ?? "pull", index, total)} (${name})`, coerceError(thrown));
  }
}

/** Outputs so far, then blocks, then variables, then the environment, once by bare names too. */
async function resolveInputs(
  inputs: JsonObject,
  progress: Progress,
  options: StepsOptions,
): Promise<JsonObject> {
  const { env } = progress;
  const filled = applyValues(inputs, progress.outputs, { env });
  const withBlocks = await resolveBlockReferences(filled, options.lookups, {
    onSecret: (secret) => options.registerSecret(secret),
  });
  const withVariables = await resolveVariables(withBlocks, options.lookups);
  if (!isJsonObject(withVariables)) throw new StepError("The block that stands for its inputs is no mapping");
  return applyValues(withVariables, env, { env });
}

async function execute(
  step: DeploymentStep,
  inputs: JsonObject,
  context: StepContext,
  { python, needsRequirements }: { readonly python: PythonSteps; readonly needsRequirements: boolean },
): Promise<StepOutcome> {
  const native = await findNativeStep(step.name);
  if (native === undefined || native.fits?.(inputs) === false) {
    return await python.run(currentName(step.name), inputs, step.requires, context);
  }
  // The flow may count on what a pull step requires; a build or push step that is not Python's needs nothing of it.
  if (step.requires.length > 0 && needsRequirements) await ensureRequirements(step.requires, context);
  return await native.run(inputs, context);
}

function settle(outcome: StepOutcome, step: DeploymentStep, progress: Progress): void {
  const { outputs } = outcome;
  const cwd = outcome.cwd ?? progress.cwd;
  for (const [name, value] of Object.entries(outcome.env ?? {})) {
    if (value === null) delete progress.env[name];
    else progress.env[name] = value;
  }
  if (outcome.pythonPath !== undefined) progress.pythonPath = outcome.pythonPath;
  if (outcome.python !== undefined) {
    progress.python = outcome.python;
    progress.env = activated(progress.env, outcome.python);
  }
  const directory = outputs?.["directory"];
  if (isPythonTruthy(directory)) {
    if (typeof directory !== "string") throw new StepError("The step returned a `directory` that is no text");
    progress.selected = resolve(cwd, withHome(directory, progress.env));
  } else if (cwd !== progress.cwd) {
    progress.selected = cwd;
  }
  progress.cwd = cwd;
  if (outputs === undefined) return;
  const named: JsonObject = isPythonTruthy(step.id) ? { [pythonStr(step.id ?? null)]: outputs } : {};
  progress.outputs = mergeObjects(progress.outputs, named, outputs);
}

function withHome(path: string, env: Readonly<Record<string, string>>): string {
  return path === "~" || path.startsWith("~/") ? join(env["HOME"] ?? homedir(), path.slice(1)) : path;
}

async function existing(directory: string): Promise<string> {
  try {
    return await realpath(directory);
  } catch (error) {
    throw new StepError(`The pull steps selected the directory ${directory}, which does not exist`, {
      cause: error,
      hint: "The last step that returned a `directory` decides; a relative one counts from the current directory.",
    });
  }
}

function stageOf(stage: PullStage, progress: Pick<Progress, "python">): PullStage {
  return {
    cwd: stage.cwd,
    sourceCwd: stage.sourceCwd,
    image: stage.image,
    env: stage.env,
    python: async () => progress.python ?? (await stage.python()),
    environmentsDir: stage.environmentsDir,
    repeated: stage.repeated,
    log: stage.log,
    signal: stage.signal,
    registerSecret: (secret) => stage.registerSecret(secret),
  };
}

function stepFailure(where: string, error: Error): StepError {
  const known = error instanceof StepError ? error : undefined;
  const hint = error instanceof WorkerError ? error.hint : undefined;
  return new StepError(`${where} failed: ${error.message}`, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
    ...(known?.toolExitCode === undefined ? {} : { exitCode: known.toolExitCode }),
    ...(known?.outputTail === undefined || known.outputTail === "" ? {} : { outputTail: known.outputTail }),
  });
}
