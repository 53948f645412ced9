import { readNetworking } from "../launcher/docker/network-mode.ts";
import { containerEnvironment, runEnvironment } from "./environment.ts";
import { resolveJob } from "./job.ts";
import { apiLookups } from "./lookups.ts";
import { submitting } from "./states.ts";

import type { FlowRunLog } from "../log/flow-run-logs.ts";
import type { SecretRegistry } from "../log/redactor.ts";
import type { ReferenceLookups } from "../steps/types.ts";
import type { Claim, Subject } from "./claim.ts";
import type { RunControl } from "./control.ts";
import type { Job } from "./job.ts";
import type { RunRoom } from "./room.ts";
import type { RunProgress } from "./run.ts";
import type { Workspace } from "./workspace.ts";

// A server that does not answer must not keep the run waiting for its cosmetics.
const ANNOUNCEMENT_MS = 5000;

/** A claimed run whose job configuration is resolved and whose workspace exists. */
export interface PreparedRun extends Subject, Pick<Claim, "flowRun" | "record"> {
  readonly job: Job;
  readonly env: Readonly<Record<string, string>>;
  readonly workspace: Workspace;
  /** Where relative paths of the code's source count from, where that is not the workspace. */
  readonly sourceCwd?: string;
  readonly outputFile: string;
  readonly lookups: ReferenceLookups;
  readonly control: RunControl;
  readonly aside: RunProgress["aside"];
  /** The worker's own lines in the run's logs. */
  readonly log: FlowRunLog;
  /** Resolves when the cosmetic calls of the submission are through, so that they can't overtake the engine's. */
  readonly announced: Promise<void>;
  /** What was learned for this run and must not be shown. */
  readonly secrets: SecretRegistry;
}

/** Resolves the job configuration (protocol §3) and opens the workspace. */
export async function prepareRun(
  claim: Claim,
  announced: Promise<void>,
  control: RunControl,
  secrets: SecretRegistry,
  room: RunRoom,
): Promise<Omit<PreparedRun, "aside">> {
  const { flowRun, record } = claim;
  const log = room.runLogs.forRun(flowRun.id, "prefect.flow_runs.worker");
  log.info(`Worker '${room.workerName}' submitting flow run '${flowRun.id}'`);
  const { flow, deployment } = await claim.subject;
  const lookups = apiLookups(room.api, control.signal, (secret) => secrets.add(secret));
  const job = await resolveJob({
    workPool: room.workPool(),
    deployment,
    flowRun,
    env: room.env,
    lookups,
    onSecret: (secret) => secrets.add(secret),
  });
  control.signal.throwIfAborted();
  const { attempt } = record.entry;
  const isContainer = room.workerType === "docker";
  // A container's working directory is inside it.
  const workingDirectory = isContainer ? null : job.workingDirectory;
  const workspace = room.workspaces.place(flowRun.id, attempt, workingDirectory, room.cwd);
  const outputFile = room.workspaces.outputFile(flowRun.id, attempt);
  record.update({
    outputFile,
    isCommandRun: job.engine === "none",
    ...(workspace.isTemporary ? { workspace: workspace.directory } : {}),
  });
  await workspace.create();
  const handed = {
    prefectSettings: room.prefectSettings,
    workerName: room.workerName,
    workerId: room.workerId(),
    traceparent: room.observer.traceparent(flowRun.id),
    flowRun,
    flow,
    deployment,
    job,
  };
  return {
    flowRun,
    flow,
    deployment,
    record,
    job,
    env: isContainer
      ? containerEnvironment(handed, readNetworking(job.configuration))
      : runEnvironment({ ...handed, workerEnv: room.env }),
    workspace,
    outputFile,
    lookups,
    control,
    log,
    announced,
    secrets,
  };
}

/**
 * Says on the server that the run is being submitted. Labels and the state "Submitting" are cosmetics, which never fail and
 * hardly delay a run: servers before 3.1.2 and 3.6.22 lack them (protocol §2.1, §11.6). Never rejects.
 */
export async function announceSubmission({ flowRun, record }: Claim, room: RunRoom): Promise<void> {
  const { api, closing } = room;
  const pool = room.workPool();
  const options = { retries: 0, deadlineMs: ANNOUNCEMENT_MS, signal: closing };
  const proposal = submitting(record.entry.transitionIds.submitting);
  await api.setFlowRunState(flowRun.id, proposal, { force: false, ...options }).catch(() => undefined);
  const traceparent = room.observer.traceparent(flowRun.id);
  // After the state, for at the same time a SQLite server answers 503 to one of them.
  const labelled = api
    .updateFlowRunLabels(flowRun.id, {
      // Where the engine finds its parent span (prefect/telemetry/run_telemetry.py).
      ...(traceparent === null ? {} : { __OTEL_TRACEPARENT: traceparent }),
      "prefect.worker.name": room.workerName,
      "prefect.worker.type": pool.type,
      "prefect.work-pool.name": pool.name,
      "prefect.work-pool.id": pool.id,
    })
    .catch(() => undefined);
  // Labels may come late, but for the one that the engine reads when it starts.
  if (traceparent !== null) await labelled;
}
