import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { subscribeToEvents } from "../api/events.ts";
import { ConfigError } from "../config/issues.ts";
import { coerceError } from "../errors.ts";
import { parseJson } from "../json/parse.ts";
import { isJsonObject } from "../json/value.ts";
import { systemClock } from "../lifecycle/clock.ts";
import { discoverPython } from "../steps/python.ts";
import { withoutServiceManager } from "../ops/service-manager.ts";
import { WorkerEvents } from "../worker/events.ts";
import { startHousekeeping } from "../worker/housekeeping.ts";
import { Journal } from "../worker/journal.ts";
import { PoolSync } from "../worker/pool.ts";
import { Worker } from "../worker/worker.ts";
import { Workspaces } from "../worker/workspace.ts";
import { openLauncher } from "./launchers.ts";
import { createOperations } from "./operations.ts";
import { createRunLogs } from "./run-logs.ts";
import { isCloud } from "./session.ts";
import { version } from "./version.ts";

import type { JsonObject } from "../json/value.ts";
import type { Launcher } from "../launcher/types.ts";
import type { PythonInterpreter } from "../steps/python.ts";
import type { Announcer } from "../worker/worker-options.ts";
import type { Io } from "./io.ts";
import type { Session } from "./session.ts";

export interface WorkerAssembly {
  readonly worker: Worker;
  /** Sends what is still buffered and ends everything but the worker's runs. */
  close(): Promise<void>;
}

const LAST_LOGS_MS = 5000;
const LAST_EVENTS_MS = 2000;

/** Puts a worker together from the settings: the one place that knows all rooms. */
export async function assembleWorker(session: Session, io: Io): Promise<WorkerAssembly> {
  const { config, client, logger, redactor } = session;
  const clock = systemClock;
  const workPoolName = config.worker.pool ?? "";
  const closing = new AbortController();
  const pool = new PoolSync({
    api: client,
    logger,
    workPoolName,
    workerName: config.worker.name ?? null,
    type: config.worker.type ?? null,
    canCreatePool: config.worker.createPoolIfNotFound,
    baseJobTemplate: await readTemplate(config.worker.baseJobTemplate),
    heartbeatIntervalMs: config.worker.heartbeatMs,
    wantsWorkerId: isCloud(config),
  });
  const workerName = (): string => pool.workerName;
  const operations = await createOperations(session, io, { workerName, workPoolName }, clock);
  const runLogs = createRunLogs(session);
  const events = new WorkerEvents({
    api: client,
    clock,
    workerName,
    workPool: () => pool.workPool,
    onError: (error) => logger.debug({ err: coerceError(error) }, "Worker events could not be sent"),
  });
  let launcher: Launcher | undefined;
  const workspaces = new Workspaces(config.workspaceRoot, join(config.dataDir, "output"));
  workspaces.spreadOverDisk();
  const journal = new Journal(join(config.dataDir, "journal"));
  let interpreter: Promise<PythonInterpreter> | undefined;
  function python(): Promise<PythonInterpreter> {
    interpreter ??= discoverPython({ configured: config.python, env: io.env, signal: closing.signal });
    // A missing interpreter may be installed while the worker runs: ask again next time.
    interpreter.catch(() => (interpreter = undefined));
    return interpreter;
  }

  const worker = new Worker({
    closing,
    pool,
    announcer: createAnnouncer(session),
    settings: {
      workQueues: config.worker.workQueues,
      limit: config.worker.limit ?? null,
      startLimit: config.startConcurrency,
      prefetchMs: config.worker.prefetchMs,
      pollIntervalMs: config.worker.queryMs,
      heartbeatIntervalMs: config.worker.heartbeatMs,
      cancellationPollMs: config.cancellationPollMs,
      drainTimeoutMs: config.drainTimeoutMs,
      requestTimeoutMs: config.api.deadlineMs,
      runOnce: config.worker.runOnce,
    },
    onReady: () => void announce(session, pool, python),
    openLauncher: async (type, onBack) =>
      (launcher = await openLauncher(type, { io, clock, logger, onBack })),
    room: {
      api: client,
      clock,
      logger,
      redactor,
      runLogs,
      journal,
      workspaces,
      events,
      observer: operations.observer,
      workPoolName,
      version,
      python: async () => (await python()).path,
      environmentsDir: config.environmentsDir,
      env: withoutServiceManager(io.env),
      cwd: io.cwd,
      prefectSettings: session.prefectSettings,
      onOutput: (line) => void io.output.write(`${line}\n`),
      killGraceMs: config.killGraceMs,
    },
  });

  await operations.open(worker);
  const stopHousekeeping = startHousekeeping({
    cron: config.housekeeping.cron,
    workspaces,
    environments: { directory: config.environmentsDir, keepMs: config.housekeeping.keepEnvironmentsMs },
    sweepContainers: async (options) =>
      (await launcher?.sweep({
        ...options,
        keepMs: config.housekeeping.keepContainersMs,
        keepCount: config.housekeeping.maxContainers,
      })) ?? 0,
    removeFiles: async (rubbish, signal) => await launcher?.removeFiles(rubbish, signal),
    journal,
    logger,
    clock,
  });

  return {
    worker,
    async close() {
      stopHousekeeping();
      await Promise.all([runLogs.close(LAST_LOGS_MS), events.flush(LAST_EVENTS_MS)]);
      closing.abort(new DOMException("The worker has ended", "AbortError"));
      await Promise.all([launcher?.close(), operations.close()]);
    },
  };
}

async function readTemplate(file: string | undefined): Promise<JsonObject | null> {
  if (file === undefined) return null;
  const issue = {
    key: "worker.base_job_template",
    source: file,
    expected: "a JSON file with a base job template",
  };
  try {
    const template = parseJson(await readFile(file, "utf8"));
    if (isJsonObject(template)) return template;
  } catch (thrown) {
    throw new ConfigError([{ ...issue, found: coerceError(thrown).message }]);
  }
  throw new ConfigError([{ ...issue, found: "no JSON object" }]);
}

/** The server's announcements over `/events/out`; without them the worker polls as ever. */
function createAnnouncer({ client, logger }: Session): Announcer {
  return {
    async subscribe({ workPoolId, onConnected, onDisconnected, onScheduled, onCancelling, signal }) {
      await subscribeToEvents({
        transport: client.transport,
        filter: () => ({
          event: { name: ["prefect.flow-run.Scheduled", "prefect.flow-run.Cancelling"] },
          any_resource: { id: [`prefect.work-pool.${workPoolId}`] },
        }),
        onEvent(event) {
          const flowRunId = event.resource["prefect.resource.id"].replace("prefect.flow-run.", "");
          if (event.event === "prefect.flow-run.Cancelling") onCancelling(flowRunId);
          else onScheduled(flowRunId);
        },
        onConnected,
        onDisconnected(err) {
          onDisconnected();
          logger.info(
            { err },
            "The server's event stream is not available; polling goes on, with some seconds of delay",
          );
        },
        onProblem: (err) => logger.debug({ err }, "An event could not be understood"),
        clock: systemClock,
        signal,
      }).done;
    },
  };
}

// Versions are only told, never needed, so they don't delay the first poll.
async function announce(
  { client, config, logger, apiUrl }: Session,
  pool: PoolSync,
  python: () => Promise<PythonInterpreter>,
): Promise<void> {
  const { worker } = config;
  const wantsVersion = config.client.serverVersionCheckEnabled;
  const [version, queues] = await Promise.all([
    wantsVersion ? client.readVersion({ retries: 0 }).catch(() => null) : null,
    client
      .filterWorkQueues(worker.pool ?? "", worker.workQueues.length === 0 ? null : worker.workQueues)
      .catch(() => []),
  ]);
  const queueNames = worker.workQueues.length === 0 ? "all queues" : `queues ${worker.workQueues.join(", ")}`;
  logger.info(
    { workPool: worker.pool, workPoolType: pool.workPool?.type, apiUrl, serverVersion: version },
    `Worker '${pool.workerName}' started: pool '${worker.pool ?? ""}' (${pool.workPool?.type ?? "?"}), ${queueNames}, ` +
      `limit ${worker.limit ?? "none"}, server ${version ?? "of unknown version"} at ${apiUrl}`,
  );
  if (pool.workPool?.is_paused === true) {
    logger.warn(
      { workPool: worker.pool },
      "The work pool is paused: no flow runs will be started. Resume it with `lighterman work-pool resume`",
    );
  } else if (queues.length > 0 && queues.every((queue) => queue.is_paused)) {
    logger.warn(
      { workPool: worker.pool },
      "All work queues are paused: no flow runs will be started until one is resumed",
    );
  }
  const missing = worker.workQueues.filter((name) => queues.every((queue) => queue.name !== name));
  if (missing.length > 0) logger.warn({ workQueues: missing }, "Some work queues do not exist yet");
  await python().then(
    ({ path, version: pythonVersion, prefectVersion, source }) =>
      logger.info(
        { python: path },
        `Flows run with ${path} (Python ${pythonVersion}, ${prefectVersion === null ? "without Prefect" : `Prefect ${prefectVersion}`}; ${source})`,
      ),
    (error: unknown) =>
      logger.warn({ err: coerceError(error) }, "No Python interpreter was found for flow runs"),
  );
}
