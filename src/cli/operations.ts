import { coerceError } from "../errors.ts";
import { redactValue } from "../log/redact-value.ts";
import { startHttpServer } from "../ops/http-server.ts";
import { watchLoopLag } from "../ops/metrics/loop-lag.ts";
import { workerMetrics } from "../ops/metrics/worker-metrics.ts";
import { openNotifySocket } from "../ops/notify-socket.ts";
import { workerPages } from "../ops/pages.ts";
import { startServiceManager, watchdogMsOf } from "../ops/service-manager.ts";
import { statusOf, statusText, summaryOf } from "../ops/status.ts";
import { traceSecrets, traceSettings } from "../ops/tracing/trace-settings.ts";
import { livenessComplaints, readinessComplaints } from "../ops/vital-signs.ts";
import { observeAll } from "../worker/observer.ts";
import { version } from "./version.ts";

import type { Clock } from "../lifecycle/clock.ts";
import type { Status } from "../ops/status.ts";
import type { Rhythm } from "../ops/vital-signs.ts";
import type { WorkerObserver } from "../worker/observer.ts";
import type { WorkerSnapshot } from "../worker/snapshot.ts";
import type { Worker } from "../worker/worker.ts";
import type { Io } from "./io.ts";
import type { Session } from "./session.ts";

const LAST_TRACES_MS = 5000;

/** What lets others watch a worker: nothing of it but SIGUSR2 is there unless it is asked for. */
export interface Operations {
  /** For the worker that is to be watched. */
  readonly observer: Required<WorkerObserver>;
  /** Lets others in. Rejects with CONFIG_INVALID when the port is taken. */
  open(worker: Pick<Worker, "snapshot">): Promise<void>;
  close(): Promise<void>;
}

export async function createOperations(
  session: Session,
  { signals, env }: Io,
  identity: { readonly workerName: () => string; readonly workPoolName: string },
  clock: Clock,
): Promise<Operations> {
  const { config, client, logger, redactor } = session;
  const startedAt = clock.now();
  const facts = { version, pid: process.pid, apiUrl: client.apiUrl };
  const observers: WorkerObserver[] = [];
  const closers: (() => unknown)[] = [];
  let worker: Pick<Worker, "snapshot"> | undefined;

  function snapshot(): WorkerSnapshot {
    if (worker === undefined) throw new Error("There is no worker to look at yet");
    return worker.snapshot();
  }
  const rhythm = (): Rhythm => ({ now: clock.now(), startedAt, pollIntervalMs: config.worker.queryMs });
  const status = (): Status => redactValue(statusOf(snapshot(), rhythm(), facts), redactor);
  const metrics = config.worker.withHealthcheck
    ? workerMetrics({
        snapshot,
        isLive: () => livenessComplaints(snapshot()).length === 0,
        isReady: () => readinessComplaints(snapshot(), rhythm()).length === 0,
        version,
        redact: (text) => redactor.redact(text),
      })
    : null;
  if (metrics !== null) {
    observers.push(metrics.observer);
    session.watchApi(metrics.api);
  }

  await keepTraces();

  async function keepTraces(): Promise<void> {
    const settings = traceSettings(env);
    for (const secret of traceSecrets(env)) redactor.add(secret);
    if (settings.kind === "unsupported") logger.warn(`No traces are kept. ${settings.problem}`);
    if (settings.kind !== "otlp") return;
    // Heavy, so that only who asked for traces pays for them.
    const [{ openTraceExporter }, { traceRuns }] = await Promise.all([
      import("../ops/tracing/exporter.ts"),
      import("../ops/tracing/tracing.ts"),
    ]);
    let problems = 0;
    const exporter = await openTraceExporter({
      protocol: settings.protocol,
      version,
      onProblem(problem) {
        problems += 1;
        const text = ["Traces could not be sent: ", problem, settings.doubt && `. ${settings.doubt}`].join(
          "",
        );
        if (problems === 1) logger.warn({ problem }, text);
        else logger.debug({ problem }, "Traces could not be sent");
      },
    });
    const attributes = () => ({
      "prefect.worker.name": identity.workerName(),
      "prefect.work-pool.name": identity.workPoolName,
    });
    observers.push(
      traceRuns({
        tracer: exporter.tracer,
        attributes,
        now: () => clock.now(),
        redact: (text) => redactor.redact(text),
      }),
    );
    closers.push(() => exporter.close(LAST_TRACES_MS));
  }

  async function serve(): Promise<void> {
    if (metrics === null) return;
    const { host } = config.worker.webserver;
    const server = await startHttpServer({
      ...config.worker.webserver,
      routes: workerPages({ snapshot, rhythm, status, metrics: metrics.text }),
    });
    closers.push(() => server.close(), watchLoopLag(metrics.observeLag));
    logger.info(
      { host, port: server.port },
      `Health, metrics and status are served on ${host}:${server.port} (/health, /livez, /readyz, /metrics, /status)`,
    );
  }

  async function tellServiceManager(): Promise<void> {
    const { NOTIFY_SOCKET: address } = env;
    if (address === undefined || address === "") return;
    const onError = (err: Error): void =>
      logger.debug({ err }, "The service manager could not be told how the worker is");
    const socket = await openNotifySocket(address, onError).catch((thrown: unknown) => {
      logger.warn({ err: coerceError(thrown) }, "The service manager will not be told how the worker is");
      return null;
    });
    if (socket === null) return;
    const manager = startServiceManager({
      socket,
      snapshot,
      summary: () => summaryOf(status()),
      complaints: () => livenessComplaints(snapshot()),
      watchdogMs: watchdogMsOf(env, process.pid),
      onStuck: (complaints) =>
        logger.error(
          { complaints },
          "The worker hangs, so the service manager gets no more signs of life and will start it anew",
        ),
      clock,
    });
    observers.push(manager.observer);
    closers.push(() => manager.stop().finally(() => socket.close()));
  }

  function printStatus(): void {
    const now = status();
    logger.info({ status: now }, statusText(now));
  }

  return {
    observer: observeAll(observers, (thrown) =>
      logger.debug({ err: coerceError(thrown) }, "The worker could not be observed"),
    ),
    async open(watched) {
      worker = watched;
      await serve();
      await tellServiceManager();
      signals.on("SIGUSR2", printStatus);
      closers.push(() => signals.off("SIGUSR2", printStatus));
    },
    async close() {
      await Promise.all(closers.map((close) => close()));
    },
  };
}
