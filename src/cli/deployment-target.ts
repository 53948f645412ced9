import { WorkerError } from "../errors.ts";
import { PROCESS_BASE_JOB_TEMPLATE } from "../templating/default-job-template.ts";
import { DOCKER_BASE_JOB_TEMPLATE } from "../templating/docker-job-template.ts";

import type { Deployment, WorkPool } from "../api/types.ts";
import type { Session } from "./session.ts";

export interface DeploymentTarget {
  readonly flowName: string;
  readonly deployment: Deployment;
  /** Null when the deployment has no pool, or the pool is gone. */
  readonly workPool: WorkPool | null;
}

/** Reads the deployment that `--deployment FLOW/NAME` names. Throws NOT_FOUND or USAGE. */
export async function readDeploymentTarget(session: Session, name: string): Promise<DeploymentTarget> {
  const slash = name.indexOf("/");
  const flowName = name.slice(0, slash);
  const deploymentName = name.slice(slash + 1);
  if (slash === -1 || flowName === "" || deploymentName === "") {
    throw new WorkerError("USAGE", `'${name}' is no deployment name`, {
      hint: "Write it as FLOW/DEPLOYMENT.",
    });
  }
  const { client, apiUrl } = session;
  const deployment = await client.readDeploymentByName(flowName, deploymentName);
  if (deployment === null) {
    throw new WorkerError("NOT_FOUND", `There is no deployment '${name}' at ${apiUrl}`, {
      hint: "`lighterman deployment ls` lists what there is.",
    });
  }
  const workPool =
    deployment.work_pool_name === null ? null : await client.readWorkPool(deployment.work_pool_name);
  return { flowName, deployment, workPool: workPool === null ? null : withTemplate(workPool) };
}

// A worker writes the default into a pool without a template (protocol §1.3); a command only acts as if it had.
function withTemplate(workPool: WorkPool): WorkPool {
  const isEmpty = Object.keys(workPool.base_job_template).length === 0;
  const template = workPool.type === "docker" ? DOCKER_BASE_JOB_TEMPLATE : PROCESS_BASE_JOB_TEMPLATE;
  return isEmpty ? { ...workPool, base_job_template: template } : workPool;
}
