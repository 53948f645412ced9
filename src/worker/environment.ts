import { apiUrlInContainer, networkModeOf } from "../launcher/docker/network-mode.ts";

import type { Deployment, Flow, FlowRun } from "../api/types.ts";
import type { Job } from "./job.ts";

export interface EnvironmentInputs {
  /** The worker's own environment; a process child inherits all of it. */
  readonly workerEnv: Readonly<Record<string, string | undefined>>;
  /** Every Prefect setting that the user set anywhere, as PREFECT_… (that is how URL and key reach the child). */
  readonly prefectSettings: Readonly<Record<string, string>>;
  readonly workerName: string;
  readonly workerId: string | null;
  /** For the child's own spans (W3C Trace Context); null: no trace is kept. */
  readonly traceparent?: string | null;
  readonly flowRun: FlowRun;
  readonly flow: Flow | null;
  readonly deployment: Deployment | null;
  readonly job: Pick<Job, "env">;
}

/**
 * The child's environment before the pull steps add to it (protocol §3.4, prefect/workers/base.py: prepare_for_flow_run).
 * A null in the job's `env` removes an inherited Prefect setting, but not a variable of the worker's own environment.
 */
export function runEnvironment(inputs: EnvironmentInputs): Record<string, string> {
  return environmentWith(inputs.workerEnv, handedVariables(inputs));
}

/**
 * Files of the worker itself. In a container Prefect would make directories there, or fail: its user may not even look. Other paths
 * (certificates, storage of results) may well be those of the image or of a volume.
 */
const WORKERS_FILES: ReadonlySet<string> = new Set([
  "PREFECT_HOME",
  "PREFECT_PROFILES_PATH",
  "PREFECT_LOGGING_CONFIG_PATH",
  "PREFECT_LOGGING_SETTINGS_PATH",
  "PREFECT_SERVER_MEMO_STORE_PATH",
  "PREFECT_MEMO_STORE_PATH",
]);

/**
 * A container's environment besides its image's own (prefect_docker/worker.py: _base_environment): Prefect's settings without the
 * worker's own files, nothing else of the worker's environment, and an API URL of this machine as it is reached from inside. What
 * the job itself gives stays as it is.
 */
export function containerEnvironment(
  inputs: Omit<EnvironmentInputs, "workerEnv">,
  networking: { readonly networks: readonly string[]; readonly networkMode: string | null | undefined },
): Record<string, string> {
  const { PREFECT_API_URL: apiUrl, ...handed } = inputs.prefectSettings;
  const settings = Object.fromEntries(Object.entries(handed).filter(([name]) => !WORKERS_FILES.has(name)));
  const mode = networkModeOf({ ...networking, apiUrl: inputs.job.env["PREFECT_API_URL"] ?? apiUrl });
  const prefectSettings =
    apiUrl === undefined ? settings : { ...settings, PREFECT_API_URL: apiUrlInContainer(apiUrl, mode) };
  return environmentWith({}, handedVariables({ ...inputs, prefectSettings }));
}

function handedVariables(inputs: Omit<EnvironmentInputs, "workerEnv">): Record<string, string | null> {
  const { flowRun, flow, deployment } = inputs;
  return {
    ...inputs.prefectSettings,
    PREFECT__FLOW_RUN_ID: flowRun.id,
    PREFECT__WORKER_NAME: inputs.workerName,
    ...(inputs.workerId === null ? {} : { PREFECT__WORKER_ID: inputs.workerId }),
    PREFECT__FLOW_ID: flowRun.flow_id,
    ...(flow === null ? {} : { PREFECT__FLOW_NAME: flow.name }),
    ...(inputs.traceparent == null ? {} : { TRACEPARENT: inputs.traceparent }),
    ...(deployment === null
      ? {}
      : { PREFECT__DEPLOYMENT_ID: deployment.id, PREFECT__DEPLOYMENT_NAME: deployment.name }),
    ...inputs.job.env,
  };
}

/** The worker's environment with others laid over it; a null there leaves what the worker has. */
export function environmentWith(
  workerEnv: EnvironmentInputs["workerEnv"],
  handed: Readonly<Record<string, string | null>>,
): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(workerEnv)) if (value !== undefined) environment[name] = value;
  for (const [name, value] of Object.entries(handed)) if (value !== null) environment[name] = value;
  return environment;
}
