import { dirname } from "node:path";

// What Prefect's own preparation puts back after the steps (prefect/runner/_workspace_supervisor.py, 3.8.8).
const RUNNERS_OWN = new Set([
  "PATH",
  "PREFECT_RUNNER_AUTO_INSTALL_DEPENDENCIES",
  "PREFECT__WORKER_ID",
  "PREFECT__WORKER_NAME",
  "PREFECT__FLOW_ID",
  "PREFECT__FLOW_NAME",
  "PREFECT__FLOW_RUN_ID",
  "PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS",
  "PREFECT__CONTROL_PORT",
  "PREFECT__CONTROL_TOKEN",
  "PREFECT__DEPLOYMENT_ID",
  "PREFECT__DEPLOYMENT_NAME",
  "PREFECT_FLOWS_HEARTBEAT_FREQUENCY",
]);

/** The environment as the steps left it, but for the variables by which the run finds its interpreter and its server. */
export function keepRunnersOwn(
  changed: Readonly<Record<string, string>>,
  original: Readonly<Record<string, string>>,
): Record<string, string> {
  return {
    ...Object.fromEntries(Object.entries(changed).filter(([name]) => !isRunnersOwn(name))),
    ...Object.fromEntries(Object.entries(original).filter(([name]) => isRunnersOwn(name))),
  };
}

function isRunnersOwn(name: string): boolean {
  return RUNNERS_OWN.has(name) || name.startsWith("PREFECT_API_");
}

/** The environment as the activation of the virtual environment of that interpreter leaves it. */
export function activated(env: Readonly<Record<string, string>>, python: string): Record<string, string> {
  const bin = dirname(python);
  const { PYTHONHOME: _, ...rest } = env;
  return { ...rest, VIRTUAL_ENV: dirname(bin), PATH: [bin, env["PATH"] ?? "/bin:/usr/bin"].join(":") };
}

/** What the engine finds its code by (protocol §6.2, §6.4): the steps' directory is in front of the import path. */
export function codeEnvironment(
  env: Readonly<Record<string, string>>,
  code: { readonly entrypoint: string; readonly directory: string; readonly pythonPath: readonly string[] },
): Record<string, string> {
  const inherited = env["PYTHONPATH"];
  return {
    ...env,
    PREFECT__FLOW_ENTRYPOINT: code.entrypoint,
    PYTHONPATH: [
      code.directory,
      ...code.pythonPath,
      ...(inherited === undefined || inherited === "" ? [] : [inherited]),
    ].join(":"),
  };
}
