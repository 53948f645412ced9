import { WorkerError } from "../errors.ts";
import { stringifyJson } from "../json/stringify.ts";
import { isPythonTruthy } from "../json/python.ts";
import { isJsonObject } from "../json/value.ts";
import { applyValues, findAllPlaceholders } from "../templating/index.ts";
import { defaultPull } from "./default-pull.ts";
import { planDeployment } from "./deployment-body.ts";
import { conductInterview } from "./interview.ts";
import { layOver, objectAt } from "./overrides.ts";
import { pathText, ProjectError } from "./problem.ts";
import { resolveDeclaration } from "./resolution.ts";
import { checkTimes, scheduleBody } from "./schedules.ts";
import { isUpsertOnly } from "./server-fields.ts";
import { readTrigger } from "./triggers.ts";

import type { WorkPool } from "../api/types.ts";
import type { Json, JsonObject } from "../json/value.ts";
import type { DeploymentPlan } from "./deployment-body.ts";
import type { FlowInfo } from "./flow-reader.ts";
import type { DeployInterview, DeployQuestions, FlowProblem } from "./interview.ts";
import type { DeployOverrides } from "./overrides.ts";
import type { Actions, Declaration, PrefectFile, Steps } from "./prefect-file.ts";
import type { ResolutionOptions } from "./resolution.ts";
import type { Reading } from "../schemas/adapt.ts";
import type { SchemaValidator } from "../schemas/validator.ts";
import type { VersionInfo } from "./version-info.ts";

/** One deployment that was picked. */
export interface Target {
  /** Undefined for one that only the arguments describe. */
  readonly declaration: Declaration | undefined;
  readonly overrides: DeployOverrides;
  /** Undefined: the declaration's own. */
  readonly name: string | undefined;
}

export interface PreparationOptions extends ResolutionOptions {
  /** Absolute. */
  readonly cwd: string;
  /** Undefined when there is no file. */
  readonly file: PrefectFile | undefined;
  /** Fills the gap when neither declaration nor flags name a pool. */
  readonly defaultPool: string | undefined;
  /** Only there do service level agreements exist. */
  readonly isCloud: boolean;
  readonly onNote?: (message: string) => void;
  /** Why a flow cannot be read; undefined when it can. */
  readonly flowProblem: FlowProblem;
  /** Whether questions must tell which deployment is meant. */
  readonly isOneOfSeveral: boolean;
  /** Undefined where nobody can be asked. */
  readonly questions?: DeployQuestions | undefined;
  /** Undefined where nobody can be asked, and for several deployments at once. */
  readonly interview?: DeployInterview | undefined;
}

/** A declaration whose references are filled; its flow and pool are still to be looked up. */
export interface ResolvedTarget {
  readonly target: Target;
  readonly fields: JsonObject;
  /** The declaration with arguments and answers, its references not filled: what may be saved. */
  readonly written: JsonObject;
  /** Whether answers are among it. */
  readonly isAsked: boolean;
  readonly name: string;
  readonly entrypoint: string;
}

/** All that is known of a deployment before its steps run. */
export interface Preparation extends ResolvedTarget {
  readonly flow: FlowInfo;
  readonly workPool: WorkPool;
  readonly build: Steps;
  readonly push: Steps;
  readonly pull: Steps;
  /** The pull steps as they may be saved; undefined for default ones that nobody was asked about. */
  readonly declaredPull: Steps | undefined;
}

/**
 * Lays the command line over a declaration and fills its references. Throws a WorkerError for what is missing, and
 * a ProjectError for a schedule or trigger that is wrong: before any step runs and anything is registered.
 */
export async function resolveTarget(target: Target, options: PreparationOptions): Promise<ResolvedTarget> {
  const { declaration, overrides } = target;
  const declared = withLegacySchedule(declaration?.fields ?? {});
  const named = target.name === undefined ? declared : { ...declared, name: target.name };
  const laidOver = await layOver(named, overrides, options.cwd);
  const known = withDefaultPool(await resolveDeclaration(laidOver, options), options.defaultPool);
  const answers = options.questions === undefined ? {} : await askMissing(known, target, options);
  const fields = withAnswers(known, answers);
  const written = withAnswers(withDefaultPool(laidOver, options.defaultPool), answers);
  const { entrypoint, name } = fields;
  if (typeof entrypoint !== "string" || entrypoint === "") {
    throw new WorkerError("DEPLOY_REFUSED", `${labelOf(target)}: an entrypoint must be provided`, {
      hint: "Give one (`lighterman deploy path/to/file.py:flow_function`), or write it into prefect.yaml.",
    });
  }
  if (typeof name !== "string" || name === "") {
    throw new WorkerError("DEPLOY_REFUSED", `${labelOf(target)}: a deployment name must be provided`, {
      hint: "Give --name, or write it into prefect.yaml.",
    });
  }
  if (/[/%]/.test(name)) {
    throw new WorkerError(
      "DEPLOY_REFUSED",
      `The deployment name '${name}' holds a character that no name may hold`,
      {
        hint: "Leave out / and %.",
      },
    );
  }
  if (Array.isArray(fields["sla"]) && !options.isCloud) {
    const why = "service level agreements exist on Prefect Cloud only; leave them out for a server";
    throw placed(target, ["sla"], options.file, why);
  }
  checkSchedulesAndTriggers(fields, target, options);
  const isAsked = Object.keys(answers).length > 0;
  return { target, fields, written, isAsked, name, entrypoint };
}

/**
 * Checks the parameters, looks up pool and pull steps. Throws a ProjectError for parameters that the flow does not take, a
 * WorkerError for a pool that is missing or of a kind that runs no such deployments.
 */
export async function prepareTarget(
  resolved: ResolvedTarget,
  flow: FlowInfo,
  options: PreparationOptions,
): Promise<Preparation> {
  const { target, entrypoint, name } = resolved;
  let { fields, written, isAsked } = resolved;
  let isLocal = false;
  await checkParameters(resolved, flow, options);
  const workPool = await readPool(fields, target, options);
  const shared = options.file?.actions ?? {};
  const own: Actions = target.declaration ?? {};
  let build = ("build" in own ? own.build : shared.build) ?? [];
  // Null means none, for push as for build.
  let push = ("push" in own ? own.push : shared.push) ?? [];
  let declaredPull = ("pull" in own && own.pull !== null ? own.pull : shared.pull) ?? undefined;
  if (options.interview !== undefined) {
    const deployment = { name, flowName: flow.name, workPoolName: workPool.name, workPool };
    const isBuildRefused = "build" in own && (own.build ?? []).length === 0;
    const steps = { build, push, pull: declaredPull, isBuildRefused };
    const known = { ...deployment, ...steps, cwd: options.cwd, fields };
    const answered = await conductInterview(options.interview, known);
    ({ build, push, pull: declaredPull } = answered);
    fields = answered.layOver(fields);
    written = answered.layOver(written);
    isAsked ||= answered.isChanged;
    isLocal = answered.isLocal;
  }
  let pull = declaredPull;
  if (pull === undefined) {
    const jobVariables = objectAt(objectAt(fields, "work_pool"), "job_variables");
    const made = defaultPull({ cwd: options.cwd, entrypoint, buildSteps: build, jobVariables });
    pull = made.steps;
    if (isLocal) declaredPull = pull;
    if (made.warning !== undefined) options.onWarning(made.warning);
    if (made.note !== undefined) options.onNote?.(made.note);
  }
  return { ...resolved, fields, written, isAsked, flow, workPool, build, push, pull, declaredPull };
}

/** Puts what the steps gave into the declaration (templating.md §7), and the deployment together. Throws like {@link resolveTarget}. */
export function finishTarget(
  preparation: Preparation,
  outputs: JsonObject,
  versionInfo: VersionInfo | null,
  {
    env,
    onWarning,
    file,
    dryRun,
  }: Pick<PreparationOptions, "env" | "onWarning" | "file"> & { readonly dryRun: boolean },
): DeploymentPlan {
  const { fields, flow, entrypoint, name, pull, target } = preparation;
  const { schedules, triggers, ...rest } = fields;
  const missing = new Set<string>();
  // Without the steps' outputs their placeholders stay.
  const unknown = { env, removeNotset: !dryRun, keepNotsetItems: dryRun };
  const filled = applyValues(rest, outputs, {
    ...unknown,
    skipPrefixes: ["ctx."],
    onNotset: ({ text }) => missing.add(text),
  });
  if (missing.size > 0 && !dryRun) {
    onWarning(
      `${name}: nothing gives a value for ${[...missing].join(", ")}; it is left out. Known are ${Object.keys(outputs).join(", ") || "no step outputs"}.`,
    );
  }
  return planDeployment({
    fields: filled,
    flow,
    entrypoint,
    versionInfo,
    pullSteps: applyValues(pull, outputs, { env, removeNotset: false, keepNotsetItems: true }) as Steps,
    schedules: Array.isArray(schedules)
      ? applyValues(schedules as readonly Json[], outputs, unknown).map((item, index) =>
          inPlace(target, ["schedules", index], file, () => scheduleBody(isJsonObject(item) ? item : {})),
        )
      : undefined,
    automations: triggersOf(triggers).map((item, index) => {
      const { parameters, ...others } = item;
      const known = applyValues(others, outputs, unknown);
      const whole = parameters === undefined ? known : { ...known, parameters };
      return inPlace(target, ["triggers", index], file, () =>
        readTrigger(whole, `${name}__automation_${index + 1}`),
      );
    }),
  });
}

interface Answers {
  readonly entrypoint?: string;
  readonly name?: string;
  readonly pool?: string;
}

async function askMissing(
  fields: JsonObject,
  target: Target,
  { questions, readPool: read, flowProblem, isOneOfSeveral, onWarning }: PreparationOptions,
): Promise<Answers> {
  if (questions === undefined) return {};
  const label = isOneOfSeveral ? labelOf(target) : undefined;
  const { name: poolName } = objectAt(fields, "work_pool");
  const isMissing = (value: Json | undefined): boolean => !isPythonTruthy(value);
  const isOfAgents = typeof poolName === "string" && (await read(poolName))?.type === "prefect-agent";
  if (isOfAgents) {
    onWarning(
      `The work pool '${poolName}' is one of agents, which run no such deployments: choose another one.`,
    );
  }
  const hasNoEntrypoint = isMissing(fields["entrypoint"]);
  return {
    ...(hasNoEntrypoint ? { entrypoint: await questions.entrypoint(label, flowProblem) } : {}),
    ...(isMissing(fields["name"]) ? { name: await questions.name(label) } : {}),
    ...(isMissing(poolName) || isOfAgents ? { pool: await questions.pool(label) } : {}),
  };
}

function withAnswers(fields: JsonObject, { pool, ...answers }: Answers): JsonObject {
  return {
    ...fields,
    ...answers,
    ...(pool === undefined ? {} : { work_pool: { ...objectAt(fields, "work_pool"), name: pool } }),
  };
}

function withLegacySchedule(fields: JsonObject): JsonObject {
  const { schedule, ...rest } = fields;
  return isJsonObject(schedule) && isPythonTruthy(schedule) ? { ...rest, schedules: [schedule] } : rest;
}

function withDefaultPool(fields: JsonObject, defaultPool: string | undefined): JsonObject {
  const pool = objectAt(fields, "work_pool");
  if (defaultPool === undefined || isPythonTruthy(pool["name"])) return fields;
  return { ...fields, work_pool: { ...pool, name: defaultPool } };
}

/** What holds no output of a step can be checked now. */
function checkSchedulesAndTriggers(fields: JsonObject, target: Target, { file }: PreparationOptions): void {
  const { schedules } = fields;
  for (const [index, item] of (Array.isArray(schedules) ? (schedules as readonly Json[]) : []).entries()) {
    if (!isJsonObject(item) || waitsForSteps(item)) continue;
    const at = ["schedules", index] as const;
    inPlace(target, at, file, () => checkTimes(scheduleBody(item)["schedule"] ?? null));
  }
  for (const [index, item] of triggersOf(fields["triggers"]).entries()) {
    if (!waitsForSteps(item)) inPlace(target, ["triggers", index], file, () => readTrigger(item, ""));
  }
}

// Parameters may be incomplete: a run's are laid over them.
const INCOMPLETE: Reading = { preprocess: true, ignoreRequired: true, allowNoneWithDefault: false };

async function checkParameters(
  { target, fields }: ResolvedTarget,
  flow: FlowInfo,
  { file, serverVersion }: PreparationOptions,
): Promise<void> {
  const parameters = objectAt(fields, "parameters");
  const enforce = fields["enforce_parameter_schema"] ?? !isUpsertOnly(serverVersion);
  if (enforce === false || Object.keys(parameters).length === 0) return;
  const text = stringifyJson(parameters);
  // Outputs of steps, and what the server fills in, are not known yet.
  if (text.includes("{{") || text.includes("__prefect_kind")) return;
  const validator = await loadValidator();
  const failure = validator.failure(stringifyJson(flow.parameterSchema), parameters, INCOMPLETE);
  if (failure !== undefined) throw placed(target, ["parameters"], file, failure);
}

let validator: Promise<SchemaValidator> | undefined;

// One for all deployments: most share their flow's schema with others, and to compile it takes longer than all the rest.
function loadValidator(): Promise<SchemaValidator> {
  validator ??= import("../schemas/validator.ts").then((room) => room.SchemaValidator.load());
  return validator;
}

/** Loads what the parameters of these will be checked with, while their flows are read. */
export function expectParameters(targets: readonly ResolvedTarget[]): void {
  const have = targets.some(({ fields }) => Object.keys(objectAt(fields, "parameters")).length > 0);
  if (have) loadValidator().catch(() => undefined); // whoever needs it hears of it
}

function waitsForSteps(item: JsonObject): boolean {
  // Parameters are left for the events that they are filled from.
  return findAllPlaceholders({ ...item, parameters: null }).some(
    ({ kind }) => kind === "standard" || kind === "env",
  );
}

function triggersOf(triggers: Json | undefined): readonly JsonObject[] {
  return Array.isArray(triggers) ? triggers.filter((item: Json) => isJsonObject(item)) : [];
}

async function readPool(
  fields: JsonObject,
  target: Target,
  { readPool: read }: PreparationOptions,
): Promise<WorkPool> {
  const { name } = objectAt(fields, "work_pool");
  if (typeof name !== "string" || name === "") {
    throw new WorkerError(
      "DEPLOY_REFUSED",
      `${labelOf(target)}: a work pool is required to deploy this flow`,
      {
        hint: "Give --pool, or write work_pool.name into prefect.yaml.",
      },
    );
  }
  const pool = await read(name);
  if (pool === null) {
    throw new WorkerError(
      "NOT_FOUND",
      `${labelOf(target)} refers to the work pool '${name}', which does not exist: no worker could pick up its runs`,
      {
        hint: `\`lighterman work-pool create ${name} --type process\` makes it; \`lighterman work-pool ls\` shows what there is.`,
      },
    );
  }
  if (pool.type === "prefect-agent") {
    throw new WorkerError(
      "POOL_UNUSABLE",
      `${labelOf(target)}: the work pool '${name}' is one of agents, which run no such deployments`,
      {
        hint: "Choose a pool of another type.",
      },
    );
  }
  return pool;
}

/** Runs what throws a RangeError, and says where in the file its cause stands. */
function inPlace<T>(
  target: Target,
  at: readonly (string | number)[],
  file: PrefectFile | undefined,
  read: () => T,
): T {
  try {
    return read();
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown;
    throw placed(target, at, file, thrown.message);
  }
}

function placed(
  target: Target,
  at: readonly (string | number)[],
  file: PrefectFile | undefined,
  message: string,
): ProjectError {
  const { declaration } = target;
  const path = declaration === undefined ? at : ["deployments", declaration.index, ...at];
  const source = declaration === undefined ? undefined : file?.source;
  return new ProjectError(
    [
      {
        file: source?.file ?? "the command line",
        position: source?.positionOf(path),
        path: pathText(path),
        message,
      },
    ],
    "Nothing was registered for it.",
  );
}

export function labelOf({ declaration, name }: Target): string {
  const own = name ?? declaration?.fields["name"];
  if (typeof own === "string" && own !== "") return `Deployment '${own}'`;
  return declaration === undefined
    ? "The new deployment"
    : `Deployment #${declaration.index + 1} of the file`;
}
