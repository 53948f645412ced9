import { prepareName } from "../templating/index.ts";

import type { ContainerSpec } from "../launcher/types.ts";
import type { PreparedRun } from "./prepare.ts";
import type { RunRoom } from "./room.ts";

/** What Prefect's runner needs inside an image: it fetches the code and starts the engine (protocol §6.1). */
export const EXECUTE_COMMAND = ["prefect", "flow-run", "execute"] as const;

/** What a run's container is made of besides its command and environment. */
export function containerOf(run: PreparedRun, room: RunRoom): ContainerSpec {
  const { job, flow, flowRun } = run;
  return {
    configuration: job.configuration,
    name: prepareName(job.name ?? undefined, { flow: flow ?? {}, flowRun, env: room.env }),
    labels: { ...prefectLabels(run, room), ...job.labels, "io.prefect.version": room.version },
    onProgress: (message) => {
      run.log.info(message);
      room.logger.info({ flowRunId: flowRun.id }, message);
    },
  };
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
