import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { subscribeToEvents } from "../api/events.ts";
import { WorkerError, coerceError } from "../errors.ts";
import { createProcessLauncher } from "../launcher/process/process-launcher.ts";
import { systemClock } from "../lifecycle/clock.ts";
import { discoverPython } from "../steps/python.ts";
import { WorkerEvents } from "../worker/events.ts";
import { Execution } from "../worker/execution.ts";
import { Journal } from "../worker/journal.ts";
import { observeAll } from "../worker/observer.ts";
import { Workspaces } from "../worker/workspace.ts";
import { createRunLogs } from "./run-logs.ts";
import { version } from "./version.ts";

import type { FlowRunLog, FlowRunLogShipper } from "../log/flow-run-logs.ts";
import type { Logger } from "../log/logger.ts";
import type { CancellationAnnouncer } from "../worker/execution.ts";
import type { RunRoom } from "../worker/room.ts";
import type { Io } from "./io.ts";
import type { Session } from "./session.ts";

interface ExecutionAssembly {
  readonly execution: Execution;
  /** Sends what is still buffered, and removes the run's directory. */
  close(): Promise<void>;
}

const LAST_LOGS_MS = 5000;
const LAST_EVENTS_MS = 2000;

// As Prefect's own command calls its runner (prefect/runner/_flow_run_executor.py).
const RUNNER = "standalone";

/** Puts together what executes one flow run: a worker's parts, without its pool, in a directory that goes away with it. */
export async function assembleExecution(
  session: Session,
  io: Io,
  flowRunId: string,
): Promise<ExecutionAssembly> {
  const { config, client, logger } = session;
  const clock = systemClock;
  const home = await mkdtemp(join(io.env["TMPDIR"] ?? tmpdir(), "lighterman-flow-run-"));
  const runLogs = createRunLogs(session);
  const events = new WorkerEvents({
    api: client,
    clock,
    workerName: () => RUNNER,
    workPool: () => null,
    emitter: {
      "prefect.resource.id": `prefect.runner.${RUNNER}`,
      "prefect.resource.name": RUNNER,
      "lighterman.version": version,
    },
    onError: (error) => logger.debug({ err: coerceError(error) }, "Events could not be sent"),
  });
  const launcher = createProcessLauncher({ clock, logger, inheritsOutput: true });
  const closing = new AbortController();
  const execution = new Execution({
    flowRunId,
    announcer: createAnnouncer(session, flowRunId),
    cancellationPollMs: config.cancellationPollMs,
    room: {
      api: client,
      clock,
      logger,
      redactor: session.redactor,
      runLogs: shownToo(runLogs, logger),
      launcher,
      journal: new Journal(join(home, "journal")),
      workspaces: new Workspaces(join(home, "workspaces"), join(home, "output")),
      events: quiet(events),
      observer: observeAll([], () => undefined),
      workerName: RUNNER,
      workPoolName: "",
      workerType: "process",
      version,
      workPool: () => {
        throw new WorkerError("POOL_UNUSABLE", "A flow run that is executed directly knows no work pool");
      },
      workerId: () => null,
      python: async () =>
        (await discoverPython({ configured: config.python, env: io.env, signal: closing.signal })).path,
      environmentsDir: config.environmentsDir,
      env: io.env,
      cwd: io.cwd,
      prefectSettings: session.prefectSettings,
      onOutput: (line) => void io.output.write(`${line}\n`),
      killGraceMs: config.killGraceMs,
    },
  });
  return {
    execution,
    async close() {
      closing.abort(new DOMException("The execution has ended", "AbortError"));
      await Promise.all([runLogs.close(LAST_LOGS_MS), events.flush(LAST_EVENTS_MS), launcher.close()]);
      await rm(home, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** Only what a runner tells: the worker that gave us the run has told of its submission, and tells of its end. */
function quiet(events: WorkerEvents): RunRoom["events"] {
  return {
    started: () => undefined,
    stopped: () => undefined,
    submitted: () => undefined,
    executed: () => undefined,
    container: () => undefined,
    cancelled: (subject) => events.cancelled(subject),
    pullStep: (subject, step) => events.pullStep(subject, step),
  };
}

/** Whoever reads the container's output wants to see what the run's preparation said, too. */
function shownToo(runLogs: FlowRunLogShipper, logger: Logger): RunRoom["runLogs"] {
  return {
    forRun(flowRunId, name) {
      const shipped = runLogs.forRun(flowRunId, name);
      const write = (level: keyof FlowRunLog) => (message: string) => {
        shipped[level](message);
        logger[level](message);
      };
      return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
    },
  };
}

function createAnnouncer({ client, logger }: Session, flowRunId: string): CancellationAnnouncer {
  return async (onCancelling, signal) => {
    await subscribeToEvents({
      transport: client.transport,
      filter: () => ({
        event: { name: ["prefect.flow-run.Cancelling"] },
        any_resource: { id: [`prefect.flow-run.${flowRunId}`] },
      }),
      onEvent: onCancelling,
      onDisconnected: (err) =>
        logger.info({ err }, "The server's event stream is not available; a cancellation is noticed later"),
      onProblem: (err) => logger.debug({ err }, "An event could not be understood"),
      clock: systemClock,
      signal,
    }).done;
  };
}
