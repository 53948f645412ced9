import { PROCESS_BASE_JOB_TEMPLATE } from "../../templating/default-job-template.ts";

import type { PrefectClient } from "../../api/client.ts";
import type { FlowRun } from "../../api/types.ts";
import type { JsonObject } from "../../json/value.ts";

export const POOL = "demo";
const DEPLOYMENT = "demo";

/** A run of one of the demo's deployments. */
export interface DemoRun {
  readonly run: FlowRun;
  readonly flow: string;
  /** `inspect-repository/demo`, as one runs it again. */
  readonly deployment: string;
}

/** The flow that is a program, and the one in Python. */
export const FLOWS = ["machine-report", "inspect-repository"] as const;

/** Registers the pool and both deployments (again), and ends what an earlier demo has left waiting. Returns their ids by flow. */
export async function registerDeployments(
  client: PrefectClient,
  project: { readonly directory: string; readonly isRepository: boolean },
): Promise<ReadonlyMap<string, string>> {
  await client.createWorkPool({ name: POOL, type: "process", base_job_template: PROCESS_BASE_JOB_TEMPLATE });
  const code: JsonObject = project.isRepository
    ? { "prefect.deployments.steps.git_clone": { id: "clone", repository: `file://${project.directory}` } }
    : { "prefect.deployments.steps.set_working_directory": { id: "clone", directory: project.directory } };
  const [program, flow] = FLOWS;
  const ids = new Map<string, string>();
  ids.set(
    program,
    await createDeployment(client, program, {
      description: "A program without Prefect: the worker runs it and reports for it.",
      pull_steps: [code],
      job_variables: { engine: "none", command: "sh report.sh" },
    }),
  );
  ids.set(
    flow,
    await createDeployment(client, flow, {
      description: "A Python flow in an environment that the worker makes for it.",
      entrypoint: "flow.py:inspect_repository",
      pull_steps: [
        code,
        {
          "lighterman.steps.python_environment": {
            directory: "{{ clone.directory }}",
            requirements_file: "requirements.txt",
          },
        },
      ],
      parameter_openapi_schema: {
        type: "object",
        title: "Parameters",
        properties: { pattern: { title: "pattern", type: "string", default: "*", position: 0 } },
      },
    }),
  );
  await dropWaiting(client, [...ids.values()]);
  return ids;
}

export async function startRun(client: PrefectClient, flow: string, deploymentId: string): Promise<DemoRun> {
  const run = await client.createFlowRunFromDeployment(deploymentId, {});
  return { run, flow, deployment: `${flow}/${DEPLOYMENT}` };
}

async function createDeployment(client: PrefectClient, flow: string, fields: JsonObject): Promise<string> {
  const flow_id = await client.createFlow(flow);
  return await client.createDeployment({
    name: DEPLOYMENT,
    flow_id,
    work_pool_name: POOL,
    tags: ["demo"],
    ...fields,
  });
}

// A demo that was stopped in the middle hands its runs back; nobody wants them as well.
async function dropWaiting(client: PrefectClient, deploymentIds: readonly string[]): Promise<void> {
  const waiting = await client.filterFlowRuns({
    deployments: { id: { any_: [...deploymentIds] } },
    flow_runs: { state: { type: { any_: ["SCHEDULED"] } } },
  });
  for (const run of waiting) {
    const proposal = { type: "CANCELLED", name: "Cancelled", message: "The demo was started anew." } as const;
    await client.setFlowRunState(run.id, proposal, { force: true });
  }
}
