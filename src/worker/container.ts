import { prepareName } from "../templating/index.ts";

import type { ContainerSpec } from "../launcher/types.ts";
import type { PreparedRun } from "./prepare.ts";
import type { RunRoom } from "./room.ts";

/** What Prefect's runner needs inside an image: it fetches the code and starts the engine (protocol §6.1). */
export const EXECUTE_COMMAND = ["prefect", "flow-run", "execute"] as const;

// Without an answer the flow is taken as begun.
const BEGUN_PATIENCE_MS = 5000;

/** What a run's container is made of besides its command and environment. */
export function containerOf(run: PreparedRun, room: RunRoom): ContainerSpec {
  const { job, flow, flowRun } = run;
  return {
    configuration: job.configuration,
    name: prepareName(job.name ?? undefined, { flow: flow ?? {}, flowRun, env: room.env }),
    labels: { ...prefectLabels(run, room), ...job.labels, "io.prefect.version": room.version },
    onStatus: (status, container) => room.events.container(run, status, container),
    aside: (work) => run.aside(work, run.control.signal),
    onProgress: (message) => {
      run.log.info(message);
      room.logger.info({ flowRunId: flowRun.id }, message);
    },
  };
}

/**
 * Whether Prefect's runner in a run's container will see to its cancellation: it does once the flow has begun. Before that
 * nothing is lost when the container is just ended (prefect/workers/base.py: _cancel_run).
 */
export async function hasBegunFlow(flowRunId: string, room: RunRoom): Promise<boolean> {
  const options = { retries: 1, deadlineMs: BEGUN_PATIENCE_MS, signal: room.closing };
  const flowRun = await room.api.readFlowRun(flowRunId, options).catch(() => undefined);
  return flowRun === undefined || (flowRun !== null && flowRun.start_time !== null);
}

/** The labels of prefect/workers/base.py: prepare_for_flow_run. */
function prefectLabels({ flowRun, flow, deployment }: PreparedRun, room: RunRoom): Record<string, string> {
  const pool = room.workPool();
  const updated = deployment?.updated;
  return {
    "prefect.io/flow-run-id": flowRun.id,
    "prefect.io/flow-run-name": flowRun.name,
    "prefect.io/version": room.version,
    "prefect.io/work-pool-name": pool.name,
    "prefect.io/work-pool-id": pool.id,
    "prefect.io/worker-name": room.workerName,
    ...(flow === null ? {} : { "prefect.io/flow-id": flow.id, "prefect.io/flow-name": flow.name }),
    ...(deployment === null
      ? {}
      : { "prefect.io/deployment-id": deployment.id, "prefect.io/deployment-name": deployment.name }),
    ...(updated === null || updated === undefined
      ? {}
      : { "prefect.io/deployment-updated": updated.replace(/Z$/, "+00:00") }),
  };
}
