import { coerceError, WorkerError } from "../errors.ts";
import { changesTo } from "./deployment-changes.ts";
import { FlowReader } from "./flow-reader.ts";
import { hasOverrides } from "./overrides.ts";
import { expectParameters, finishTarget, labelOf, prepareTarget, resolveTarget } from "./preparation.ts";
import { ProjectError } from "./problem.ts";
import { Registrar } from "./registration.ts";
import { Pace } from "./pace.ts";
import { parseServerVersion, planForServer } from "./server-fields.ts";
import { selectDeclarations } from "./selection.ts";
import { inferVersionInfo } from "./version-info.ts";

import type { JsonObject } from "../json/value.ts";
import type { DeploymentPlan } from "./deployment-body.ts";
import type { Change } from "./deployment-changes.ts";
import type { FlowInfo } from "./flow-reader.ts";
import type { DeployOverrides } from "./overrides.ts";
import type { Steps } from "./prefect-file.ts";
import type { Preparation, PreparationOptions, ResolvedTarget, Target } from "./preparation.ts";
import type { Registered, RegistrationApi } from "./registration.ts";
import type { ChooseDeclaration } from "./selection.ts";
import type { ServerVersion } from "./server-fields.ts";
import type { VersionInfo } from "./version-info.ts";

export interface DeployOptions extends Omit<PreparationOptions, "flowProblem" | "isOneOfSeveral"> {
  readonly names: readonly string[];
  readonly all: boolean;
  /** Of the one deployment; ignored, with a warning, when several are deployed. */
  readonly overrides: DeployOverrides;
  /** Undefined without prompts. */
  readonly choose?: ChooseDeclaration | undefined;
  /** Stop at the first deployment that fails, as Prefect does. */
  readonly failFast: boolean;
  /** How many are registered at once, to begin with and at most. */
  readonly pace: { readonly first: number; readonly most: number };
  /** Only tell what would change. Steps are not run, nothing is written. */
  readonly dryRun: boolean;
  readonly api: RegistrationApi;
  /** Release of the server; null where it does not tell. */
  readonly readServerVersion: () => Promise<string | null>;
  /** Absolute path of the flows' interpreter. */
  readonly python: () => Promise<string>;
  /** Runs build or push steps with the outputs so far; resolves with all outputs. */
  readonly runSteps: (kind: "build" | "push", steps: Steps, outputs: JsonObject) => Promise<JsonObject>;
  readonly signal: AbortSignal;
  readonly report: DeployReport;
}

/** Told of what happens, as it happens. */
export interface DeployReport {
  /** Lines that a flow's module prints while it is imported. */
  output(line: string): void;
  warning(message: string): void;
  /** The deployments that will be deployed, in order. */
  selected(labels: readonly string[]): void;
  /** The deployment's turn has come. */
  begins(label: string): void;
  ended(outcome: DeployOutcome): void;
}

export type DeployOutcome = {
  /** For messages, such as `Deployment 'nightly'`. */
  readonly label: string;
  readonly plan?: DeploymentPlan;
  readonly preparation?: Preparation;
} & (
  | { readonly kind: Registered["kind"]; readonly plan: DeploymentPlan; readonly id: string }
  /** Of a dry run. */
  | {
      readonly kind: "planned";
      readonly plan: DeploymentPlan;
      readonly isNew: boolean;
      readonly changes: readonly Change[];
    }
  | { readonly kind: "skipped"; readonly reason: string }
  | { readonly kind: "failed"; readonly error: Error }
);

/**
 * Deploys what is selected (prefect/cli/deploy/_core.py, in its order): references filled and everything checked that can be,
 * for all of them, before any step runs; then build and push steps one deployment after the other, and the registrations
 * a few at a time. Resolves with what became of each, in order; one that fails leaves the others alone.
 * Rejects, with nothing registered, when the selection or anything in the file is wrong.
 */
export async function deployProject(options: DeployOptions): Promise<readonly DeployOutcome[]> {
  await using flows = new FlowReader({ ...options, onLine: (line) => options.report.output(line) });
  const serverVersion = parseServerVersion(await options.readServerVersion());
  const flowProblem = async (entrypoint: string): Promise<string | undefined> => {
    const flow = (await flows.read([entrypoint])).get(entrypoint);
    return flow instanceof Error ? flow.message : undefined;
  };
  return await deploySelected({ ...options, flows, flowProblem, serverVersion });
}

interface Deploying extends DeployOptions, Pick<PreparationOptions, "flowProblem"> {
  readonly flows: FlowReader;
  readonly serverVersion: ServerVersion | undefined;
}

async function deploySelected(options: Deploying): Promise<readonly DeployOutcome[]> {
  const { report, serverVersion: version } = options;
  const targets = [...(await selectTargets(options))];
  report.selected(targets.map((target) => labelOf(target)));
  const settled = new Map<Target, DeployOutcome>();
  const settle = (target: Target, outcome: DeployOutcome): void => {
    settled.set(target, outcome);
    report.ended(outcome);
  };
  const isOnly = targets.length === 1;
  const named: Target[] = [];
  for (const [index, target] of targets.entries()) {
    const isLeftOut = !isOnly && !isNamed(target);
    const asked = isLeftOut ? await askName(target, options) : target;
    if (asked === undefined) {
      settle(target, { label: labelOf(target), kind: "skipped", reason: "it has no name" });
    } else {
      targets[index] = asked;
      named.push(asked);
    }
  }
  const versions = new VersionInfos(options);
  versions.of(undefined).catch(() => undefined); // while the flows are read; whoever needs it hears of it
  const prepared = await prepareAll(named, isOnly ? options : { ...options, interview: undefined }, !isOnly);
  const pace = new Pace(options.pace);
  const registrar = new Registrar(options.api, version, { signal: options.signal, onRetry: pace.onRetry });
  registrar.expect(
    [...prepared.values()].flatMap((preparation) =>
      preparation instanceof Error ? [] : [{ flowName: preparation.flow.name, name: preparation.name }],
    ),
  );
  const registrations: Promise<void>[] = [];
  for (const [target, preparation] of prepared) {
    if (options.failFast && [...settled.values()].some(({ kind }) => kind === "failed")) break;
    report.begins(labelOf(target));
    try {
      if (preparation instanceof Error) throw preparation;
      if (!options.dryRun) await options.questions?.settle();
      if (isOnly && !options.dryRun) await options.interview?.settle();
      const made = await planTarget(preparation, versions, options);
      const plan = planForServer(made, version, options.onWarning);
      const register = pace.do(async () => {
        const outcome = await registerTarget(preparation, plan, registrar, options);
        if (outcome.kind === "created" || outcome.kind === "updated") pace.succeed();
        settle(target, outcome);
      });
      registrations.push(register);
      if (options.failFast) await register;
    } catch (thrown) {
      settle(target, failed(target, thrown, options));
      if (isOnly) throw thrown;
    }
  }
  await Promise.all(registrations);
  for (const outcome of settled.values()) if (isOnly && outcome.kind === "failed") throw outcome.error;
  return targets.flatMap((target) => settled.get(target) ?? []);
}

async function selectTargets(options: Deploying): Promise<readonly Target[]> {
  const { file, names, all, overrides, choose, report } = options;
  const selection = await selectDeclarations({
    declarations: file?.declarations ?? [],
    names,
    all,
    entrypoint: overrides.entrypoint,
    choose,
    flowName: async ({ fields }) => {
      const { entrypoint } = fields;
      if (typeof entrypoint !== "string") return undefined;
      const flow = (await options.flows.read([entrypoint])).get(entrypoint);
      return flow === undefined || flow instanceof Error ? undefined : flow.name;
    },
  });
  for (const warning of selection.warnings) report.warning(warning);
  const isOne = selection.picked.length === 1;
  if (!isOne && hasOverrides(overrides)) {
    report.warning(
      "You have passed options to the deploy command, but you are creating or updating multiple deployments. These options will be ignored.",
    );
  }
  return selection.picked.map((declaration) => ({
    declaration,
    overrides: isOne ? overrides : {},
    name: isOne ? selection.name : undefined,
  }));
}

/** Everything that can be known before steps run. Rejects when something in the file is wrong: it is all told at once. */
async function prepareAll(
  targets: readonly Target[],
  deploying: Deploying,
  isOneOfSeveral: boolean,
): Promise<ReadonlyMap<Target, Preparation | Error>> {
  const options = { ...deploying, isOneOfSeveral };
  const resolved = new Map<Target, ResolvedTarget | Error>();
  const resolve = async (target: Target): Promise<void> => {
    resolved.set(
      target,
      await resolveTarget(target, options).catch((thrown: unknown) => coerceError(thrown)),
    );
  };
  // Questions come one after the other.
  if (options.questions === undefined) await Promise.all(targets.map((target) => resolve(target)));
  else for (const target of targets) await resolve(target);
  const inOrder = targets.map((target) => resolved.get(target));
  refuseProblems(inOrder);
  const sound = inOrder.flatMap((result) =>
    result === undefined || result instanceof Error ? [] : [result],
  );
  expectParameters(sound);
  const flows = await options.flows.read(sound.map(({ entrypoint }) => entrypoint));
  options.flows.end();
  const prepared = new Map<Target, Preparation | Error>();
  for (const target of targets) {
    const result = resolved.get(target);
    if (result === undefined) continue;
    prepared.set(target, result instanceof Error ? result : await prepare(result, flows, options));
  }
  refuseProblems([...prepared.values()]);
  return prepared;
}

/** What is wrong in the file is told at once, and nothing of it is registered. */
function refuseProblems(results: readonly unknown[]): void {
  const wrong = results.filter((result) => result instanceof ProjectError);
  if (wrong.length === 0) return;
  const problems = wrong.flatMap((error) => error.problems);
  throw new ProjectError(problems, "Nothing was registered.");
}

async function prepare(
  resolved: ResolvedTarget,
  flows: ReadonlyMap<string, FlowInfo | WorkerError>,
  options: DeployOptions & PreparationOptions,
): Promise<Preparation | Error> {
  try {
    const flow = flows.get(resolved.entrypoint);
    if (flow === undefined)
      throw new WorkerError("FLOW_UNREADABLE", `The flow '${resolved.entrypoint}' was not read`);
    if (flow instanceof Error) throw flow;
    return await prepareTarget(resolved, flow, options);
  } catch (thrown) {
    options.signal.throwIfAborted();
    return coerceError(thrown);
  }
}

async function planTarget(
  preparation: Preparation,
  versions: VersionInfos,
  options: DeployOptions,
): Promise<DeploymentPlan> {
  const { build, push, fields } = preparation;
  const type = fields["version_type"];
  const versionInfo = versions.of(typeof type === "string" ? type : undefined);
  let outputs: JsonObject = {};
  if (!options.dryRun) {
    if (build.length > 0) outputs = await options.runSteps("build", build, outputs);
    if (push.length > 0) outputs = await options.runSteps("push", push, outputs);
  }
  return finishTarget(preparation, outputs, await versionInfo, options);
}

async function registerTarget(
  preparation: Preparation,
  plan: DeploymentPlan,
  registrar: Registrar,
  options: DeployOptions,
): Promise<DeployOutcome> {
  const { target } = preparation;
  const label = labelOf(target);
  try {
    if (options.dryRun) {
      const existing = await registrar.find(plan);
      return {
        label,
        plan,
        preparation,
        kind: "planned",
        isNew: existing === null,
        changes: changesTo(existing, plan),
      };
    }
    return { label, plan, preparation, ...(await registrar.register(plan)) };
  } catch (thrown) {
    return { ...failed(target, thrown, options), plan };
  }
}

function failed(target: Target, thrown: unknown, { signal }: DeployOptions): DeployOutcome {
  signal.throwIfAborted();
  return { label: labelOf(target), kind: "failed", error: coerceError(thrown) };
}

/** Of several deployments those without a name are left out, where nobody can name them. */
async function askName(target: Target, { questions }: DeployOptions): Promise<Target | undefined> {
  const { entrypoint } = target.declaration?.fields ?? {};
  const label = `${labelOf(target)}${typeof entrypoint === "string" ? ` (${entrypoint})` : ""}`;
  const isToBeNamed = (await questions?.isToBeNamed(label)) === true;
  return questions !== undefined && isToBeNamed
    ? { ...target, name: await questions.name(label) }
    : undefined;
}

function isNamed({ declaration, name }: Target): boolean {
  const own = name ?? declaration?.fields["name"];
  return own !== undefined && own !== null && own !== "";
}

/** Asked once per type: all deployments of one command are of one commit. */
class VersionInfos {
  readonly #known = new Map<string | undefined, Promise<VersionInfo | null>>();
  readonly #options: DeployOptions;

  constructor(options: DeployOptions) {
    this.#options = options;
  }

  of(type: string | undefined): Promise<VersionInfo | null> {
    const known = this.#known.get(type) ?? inferVersionInfo(type, this.#options);
    this.#known.set(type, known);
    return known;
  }
}
