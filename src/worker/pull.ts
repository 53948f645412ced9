import { existsSync, readdirSync } from "node:fs";
import { isAbsolute, join } from "node:path";

import { STEPS_VARIABLE } from "../launcher/markers.ts";
import { fetchDeploymentCode } from "../steps/deployment-code.ts";
import { interpreterOfCommand } from "../steps/python.ts";
import { StepError } from "../steps/errors.ts";
import { pullsByItself } from "./job.ts";

import type { StepLog } from "../steps/types.ts";
import type { PreparedRun } from "./prepare.ts";
import type { RunRoom } from "./room.ts";
import type { Timings } from "./timings.ts";

/** Where the flow's code lies, and what the steps changed for the process that follows. */
export interface PulledCode {
  /** Absolute; the process starts here. */
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  readonly pythonPath: readonly string[];
  /** Null when the command finds its code by itself. */
  readonly entrypoint: string | null;
  /** The interpreter of the environment that a step made for the flow. */
  readonly python?: string | undefined;
}

/**
 * Runs the deployment's pull steps in the workspace (protocol §5), or fetches its storage when it has none.
 * Rejects with a StepError that says which step failed and why, or with RunStopped.
 */
export async function pullCode(run: PreparedRun, room: RunRoom, timings: Timings): Promise<PulledCode> {
  const { deployment, job, workspace, control } = run;
  const untouched = { directory: workspace.directory, env: run.env, pythonPath: [], entrypoint: null };
  const isLeftToContainer = room.workerType === "docker";
  if (deployment === null || isLeftToContainer || pullsByItself(job)) return untouched;

  const log = stepLog(run, room);
  const python = (): Promise<string> => flowPython(run, room);
  const stage = {
    cwd: workspace.directory,
    sourceCwd: run.sourceCwd,
    env: { ...run.env, [STEPS_VARIABLE]: run.record.entry.attempt },
    lookups: run.lookups,
    python,
    environmentsDir: room.environmentsDir,
    log,
    signal: control.signal,
    registerSecret: (secret: string) => run.secrets.add(secret),
  };
  const pulled = await fetchDeploymentCode(stage, deployment, {
    onStepBegin: (pullStep) => timings.learn({ pullStep }),
    onStep: (event) => room.events.pullStep(run, event),
  });
  control.signal.throwIfAborted();
  const { [STEPS_VARIABLE]: _, ...env } = pulled.env;
  if (job.engine === "none") return { ...pulled, env, entrypoint: null };
  return { ...pulled, env, entrypoint: checkedEntrypoint(deployment.entrypoint, pulled.directory) };
}

/** The interpreter for steps that need Python: the one that the job's command names, else the worker's choice. */
async function flowPython(run: Pick<PreparedRun, "job">, room: RunRoom): Promise<string> {
  const named = run.job.command === null ? null : interpreterOfCommand(run.job.command);
  return named ?? (await room.python());
}

// The engine would exit with 1 and leave the run PENDING; saying what is missing, and what is there instead, helps more.
function checkedEntrypoint(entrypoint: string | null, directory: string): string {
  if (entrypoint === null) {
    throw new StepError("The deployment has no entrypoint, so there is no flow to run", {
      hint: "Deploy it again with an entrypoint such as flow.py:my_flow.",
    });
  }
  const file = entrypoint.includes(":") ? entrypoint.slice(0, entrypoint.lastIndexOf(":")) : entrypoint;
  if (!file.endsWith(".py")) return entrypoint; // a module path: found through the import path
  const path = isAbsolute(file) ? file : join(directory, file);
  if (existsSync(path)) return entrypoint;
  throw new StepError(`The entrypoint ${entrypoint} was not found: there is no file ${path}`, {
    hint: `${directory} holds: ${listing(directory)}. Check the deployment's entrypoint and the directory of its last pull step.`,
  });
}

function listing(directory: string): string {
  try {
    const names = readdirSync(directory).toSorted();
    const shown = names.slice(0, 12).join(", ");
    return names.length === 0
      ? "nothing"
      : names.length > 12
        ? `${shown}, and ${names.length - 12} more`
        : shown;
  } catch {
    return "nothing that can be read";
  }
}

/** What a step says goes to the run's logs as if the flow's process said it, as with Prefect. */
export function stepLog(run: PreparedRun, room: RunRoom): StepLog {
  const toApi = room.runLogs.forRun(run.flowRun.id, "prefect.flow_runs");
  const { streamOutput } = run.job;
  return {
    debug: (message) => toApi.debug(message),
    info: (message) => toApi.info(message),
    warn: (message) => toApi.warn(message),
    error: (message) => toApi.error(message),
    output: (line) => {
      if (streamOutput) room.onOutput(room.redactor.redact(line));
    },
  };
}
