import { resolve } from "node:path";

import { WorkerError } from "../errors.ts";
import { pythonStr } from "../json/python.ts";
import { isJsonObject } from "../json/value.ts";
import { splitCommand } from "../launcher/command.ts";
import {
  environmentStrings,
  mergeJobConfiguration,
  resolveBlockReferences,
  resolveVariables,
} from "../templating/index.ts";

import type { Deployment, FlowRun, WorkPool } from "../api/types.ts";
import type { Json, JsonObject } from "../json/value.ts";
import type { ReferenceLookups } from "../steps/types.ts";

/** The finished job configuration of a process run (protocol §3.5), nothing left to resolve. */
export interface Job {
  /** Null: the engine in the flow's interpreter. */
  readonly command: readonly [string, ...string[]] | null;
  /** As configured; null removes an inherited Prefect setting (protocol §3.4). */
  readonly env: Readonly<Record<string, string | null>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly name: string | null;
  readonly streamOutput: boolean;
  readonly workingDirectory: string | null;
  /** "none": any program, the worker itself reports its states. */
  readonly engine: "prefect" | "none";
  /** Who fetches the code of a run in a container. */
  readonly pull: PullMode;
  /** The resolved configuration as a whole, for `render`. */
  readonly configuration: JsonObject;
}

const PULL_MODES = ["container", "worker", "auto"] as const;
type PullMode = (typeof PULL_MODES)[number];

export interface JobInputs {
  readonly workPool: Pick<WorkPool, "base_job_template">;
  readonly deployment: Pick<Deployment, "job_variables"> | null;
  readonly flowRun: Pick<FlowRun, "job_variables"> | null;
  /** The worker's environment, for `{{ $NAME }}`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly lookups: ReferenceLookups;
  /** Called with each text that came out of a block, so that it can be masked. */
  readonly onSecret: (secret: string) => void;
  /** Changes what blocks supply before it is put in; `render` hides it so. */
  readonly transform?: (value: Json) => Json;
}

/** Merges template and job variables, resolves all references, checks what a process needs. Throws TEMPLATE_INVALID. */
export async function resolveJob(inputs: JobInputs): Promise<Job> {
  const merged = mergeJobConfiguration({
    baseJobTemplate: inputs.workPool.base_job_template,
    deploymentJobVariables: inputs.deployment?.job_variables ?? {},
    flowRunJobVariables: inputs.flowRun?.job_variables ?? {},
    env: inputs.env,
  });
  const configuration = await resolveReferences(merged.configuration, inputs);
  // Variables that no template of Prefect's knows: they count wherever they are given.
  const { engine = null, pull = null } = merged.variables;
  const own = await resolveReferences({ engine, pull }, inputs);
  return {
    command: commandOf(configuration["command"]),
    env: environmentStrings(configuration["env"]),
    labels: textValues(configuration["labels"]),
    name: textOf(configuration["name"]),
    streamOutput: configuration["stream_output"] !== false,
    workingDirectory: textOf(configuration["working_dir"]),
    engine: own["engine"] === "none" ? "none" : "prefect",
    pull: pullModeOf(own["pull"]),
    configuration,
  };
}

function pullModeOf(value: Json | undefined): PullMode {
  const text = textOf(value) ?? "container";
  const mode = PULL_MODES.find((known) => known === text);
  if (mode !== undefined) return mode;
  throw new WorkerError("TEMPLATE_INVALID", `The job variable pull cannot be ${JSON.stringify(text)}`, {
    hint: "Set it to container (the container's command pulls the code), worker (the worker does, for its engine on the same machine), or auto.",
  });
}

async function resolveReferences(configuration: JsonObject, inputs: JobInputs): Promise<JsonObject> {
  const { onSecret, transform } = inputs;
  const withBlocks = await resolveBlockReferences(configuration, inputs.lookups, {
    onSecret,
    ...(transform === undefined ? {} : { transform }),
  });
  const resolved = await resolveVariables(withBlocks, inputs.lookups);
  if (!isJsonObject(resolved))
    throw new WorkerError("TEMPLATE_INVALID", "The job configuration is no object");
  return resolved;
}

function commandOf(value: Json | undefined): Job["command"] {
  if (value === undefined || value === null || value === "") return null;
  const [program, ...args] = Array.isArray(value)
    ? value.map((item: Json) => pythonStr(item))
    : splitCommand(pythonStr(value));
  return program === undefined ? null : [program, ...args];
}

function textValues(value: Json | undefined): Record<string, string> {
  if (!isJsonObject(value)) return {};
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, pythonStr(item)]));
}

function textOf(value: Json | undefined): string | null {
  return value === undefined || value === null || value === "" ? null : pythonStr(value);
}

/**
 * The program to start. A relative path counts from the workspace, as it does for Prefect's worker, although the child
 * itself starts in the directory that the pull steps chose.
 */
export function commandLine(
  job: Job,
  python: string,
  workspaceDirectory: string,
): readonly [string, ...string[]] {
  if (job.command === null) return [python, "-m", "prefect.engine"];
  const [program, ...args] = job.command;
  return [program.includes("/") ? resolve(workspaceDirectory, program) : program, ...args];
}

/**
 * `prefect flow-run execute` runs the pull steps itself and ignores PREFECT__FLOW_ENTRYPOINT (protocol §6.1), so the worker
 * must leave them alone.
 */
export function pullsByItself(job: Job): boolean {
  const index = job.command?.indexOf("flow-run") ?? -1;
  return index !== -1 && job.command?.[index + 1] === "execute";
}

/** True when what is started is Prefect's engine, or its runner, which starts one: it reports the run's states itself. */
export function runsEngine(job: Job): boolean {
  return job.command === null || pullsByItself(job);
}
