import { mkdir } from "node:fs/promises";
import { join, relative } from "node:path";

import { WorkerError, coerceError } from "../../errors.ts";
import { packageRoot } from "../../lifecycle/package-root.ts";
import { Scope } from "../../lifecycle/scope.ts";
import { exitCodeOf, listenForSignals } from "../../lifecycle/shutdown.ts";
import { TERMINAL_STATES } from "../../api/types.ts";
import { findLocalServer, reachDirectly, startEmbeddedServer } from "../embedded-server.ts";
import { followRun } from "../run-news.ts";
import { readSettings, sessionOf } from "../session.ts";
import { assembleWorker } from "../worker-assembly.ts";
import { checkPython, hasGit } from "./checks.ts";
import { FLOWS, POOL, registerDeployments, startRun } from "./deployments.ts";
import { copyProject, makeRepository } from "./repository.ts";
import { DemoView } from "./view.ts";

import type { FlagValues } from "../../config/flags.ts";
import type { Logger } from "../../log/logger.ts";
import type { RunningServer } from "../../server/server.ts";
import type { Worker } from "../../worker/worker.ts";
import type { Io } from "../io.ts";
import type { Settings } from "../session.ts";
import type { DemoRun } from "./deployments.ts";

export interface DemoOptions {
  /** End when both runs have. */
  readonly isOnce: boolean;
  readonly timeoutMs: number;
  /** Undefined: Prefect's own, or a free one when that is taken. */
  readonly port: string | undefined;
  /** Those of settings, as commander gives them. */
  readonly flags: FlagValues;
}

/**
 * Server and worker in this process, two deployments, a run of each, shown until both have ended. Then serves until a signal
 * comes, or ends. Returns the exit status: 0 when both runs completed. Rejects with a WorkerError that says what is missing on
 * this machine.
 */
export async function runDemo(options: DemoOptions, io: Io): Promise<number> {
  const view = new DemoView(io);
  const stopping = new AbortController();
  let worker: Worker | undefined;
  let isServing = false;
  const unlisten = listenForSignals(io.signals, {
    first(signal) {
      if (!isServing) {
        stopping.abort(new Interruption(exitCodeOf(signal)));
        worker?.kill();
        return;
      }
      io.stdout.write("Stopping; runs in progress may go on for up to 30 s. Again to end them now.\n");
      worker?.stop();
    },
    second: () => worker?.kill(),
    third: (code) => io.exit(code),
  });
  // Not `await using`: the signals must be listened to until all has been closed.
  const scope = new Scope();
  try {
    const demo = await open(options, io, view, stopping.signal, scope, () => isServing);
    worker = demo.worker;
    const working = demo.worker.run();
    scope.defer(async () => {
      demo.worker.stop();
      await working;
    });
    const runs = await demo.start();
    const timeout = AbortSignal.timeout(options.timeoutMs);
    view.open(runs);
    const watching = AbortSignal.any([stopping.signal, timeout]);
    await Promise.race([Promise.all(runs.map((run) => show(run, demo, view, watching))), working]);
    view.close();
    stopping.signal.throwIfAborted();
    if (!conclude(runs, view, options, io)) {
      worker.kill();
      return 1;
    }
    if (options.isOnce) return 0;
    isServing = true;
    io.stdout.write(nextSteps(demo, io));
    demo.logger.level = "info";
    await working;
    return 0;
  } catch (thrown) {
    view.close();
    worker?.kill();
    if (thrown instanceof Interruption) return thrown.exitCode;
    throw thrown;
  } finally {
    await scope.close();
    unlisten();
  }
}

class Interruption extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super("Interrupted");
    this.exitCode = exitCode;
  }
}

interface Demo {
  readonly server: RunningServer;
  readonly worker: Worker;
  readonly logger: Logger;
  readonly client: ReturnType<typeof sessionOf>["client"];
  /** Absolute; all that the demo writes is below. */
  readonly directory: string;
  /** Creates a run of each deployment. */
  start(): Promise<readonly DemoRun[]>;
}

async function open(
  options: DemoOptions,
  io: Io,
  view: DemoView,
  signal: AbortSignal,
  scope: Scope,
  isServing: () => boolean,
): Promise<Demo> {
  // Of the user's settings only those that say where things are: nothing of the demo may reach another server.
  const env = reachDirectly(ownEnvironment(io.env));
  const { config } = await readSettings({ ...io, env }, options.flags);
  const directory = join(config.dataDir, "demo");
  const python = await checkPython(config.python, env, signal);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const project = join(directory, "project");
  const isRepository = await makeProject(project, env, io, signal);

  const demoIo: Io = {
    ...io,
    env: {
      ...env,
      PREFECT_HOME: join(directory, "prefect"),
      PREFECT_LOGGING_TO_API_BATCH_INTERVAL: "0.5",
      DO_NOT_TRACK: "1",
    },
    cwd: directory,
    // Until then the view shows what there is to say of a run, from its own log.
    log: {
      write: (text) =>
        isServing()
          ? io.log.write(text)
          : text.includes("flowRunId=")
            ? undefined
            : view.print(text.trimEnd()),
    },
    output: { write: (text) => (isServing() ? io.output.write(text) : undefined) },
  };
  const flags = {
    logFormat: "pretty",
    logLevel: "WARNING",
    ...options.flags,
    dataDir: directory,
    python: python.path,
    pool: POOL,
    name: "demo",
  };
  const { server, settings } = await startServer(demoIo, flags, options, io);
  scope.defer(() => server.close());
  const session = sessionOf(settings);
  scope.defer(() => session.close());
  const { client } = session;
  const deployments = await registerDeployments(client, { directory: project, isRepository });
  const assembly = await assembleWorker(session, demoIo);
  scope.defer(() => assembly.close());
  io.stdout.write(
    `Server   ${server.url}, with a worker for the pool '${POOL}', both in this process\n` +
      `Flow     Python ${python.version} (${python.path})\n` +
      `Data     ${directory}, apart from that of your own servers and workers\n\n`,
  );
  return {
    server,
    worker: assembly.worker,
    client,
    directory,
    logger: settings.logger,
    start: () => Promise.all(FLOWS.map((flow) => startRun(client, flow, deployments.get(flow) ?? ""))),
  };
}

function ownEnvironment(env: Io["env"]): Io["env"] {
  const kept = /^LIGHTERMAN_(?:DATA_DIR|PYTHON)$/i;
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^(?:PREFECT|LIGHTERMAN)_/i.test(name) || kept.test(name)),
  );
}

async function makeProject(directory: string, env: Io["env"], io: Io, signal: AbortSignal): Promise<boolean> {
  if (!(await hasGit(env, signal))) {
    io.stdout.write(
      "git is not installed, so the runs take their code from a plain directory instead of cloning it.\n" +
        "To see them clone: apt-get install git (Debian, Ubuntu; as root), xcode-select --install (macOS).\n\n",
    );
    await copyProject(directory);
    return false;
  }
  if (!(await makeRepository({ directory, env, signal }))) {
    io.stdout.write(`The demo's project in ${directory} has changes of yours: it stays as it is.\n\n`);
  }
  return true;
}

async function startServer(
  demoIo: Io,
  flags: FlagValues,
  options: DemoOptions,
  io: Io,
): Promise<{ server: RunningServer; settings: Settings }> {
  async function attempt(port: string | undefined): Promise<{ server: RunningServer; settings: Settings }> {
    const first = await readSettings(demoIo, { ...flags, port });
    const server = await startEmbeddedServer(first.config, first.logger);
    return { server, settings: await readSettings(demoIo, { ...flags, apiUrl: server.apiUrl }) };
  }
  try {
    return await attempt(options.port);
  } catch (thrown) {
    if (thrown instanceof WorkerError && thrown.code === "DATABASE_UNUSABLE") throw runningAlready(thrown);
    const cause = thrown instanceof WorkerError ? coerceError(thrown.cause) : undefined;
    const isTaken = cause !== undefined && "code" in cause && cause.code === "EADDRINUSE";
    if (!isTaken || options.port !== undefined) throw thrown;
    const { config } = await readSettings(demoIo, flags);
    const owner = (await findLocalServer(config)) === undefined ? "another program" : "a Prefect server";
    io.stdout.write(
      `Port ${config.server.port} belongs to ${owner}, which is left alone; the demo takes a free one.\n\n`,
    );
    return await attempt("0");
  }
}

function runningAlready(error: WorkerError): WorkerError {
  return new WorkerError(
    error.code,
    `The demo is running already, or its data cannot be used: ${error.message}`,
    {
      cause: error,
      hint: "Use or stop that one, or give this one a place of its own with --data-dir DIR.",
    },
  );
}

async function show(run: DemoRun, { client }: Demo, view: DemoView, signal: AbortSignal): Promise<void> {
  await followRun({
    client,
    run: run.run,
    onNews: (news) => view.tell(run, news),
    onOutage: (error) => view.print(error.message),
    signal,
  });
}

/** Says how the runs ended. Returns whether all have completed. */
function conclude(
  runs: readonly DemoRun[],
  view: DemoView,
  { timeoutMs }: DemoOptions,
  { stdout }: Io,
): boolean {
  const lines = runs.map((run) => {
    const state = view.stateOf(run);
    if (state?.type === "COMPLETED") return `${view.paint("green", "✔")} ${run.deployment} COMPLETED`;
    const subject = `${view.paint("red", "✘")} ${run.deployment}`;
    if (state !== undefined && TERMINAL_STATES.has(state.type))
      return `${subject} ${state.type}: ${firstLine(state.message)}`;
    const seconds = Math.round(timeoutMs / 1000);
    return `${subject} has not ended within ${seconds} s: it is ${state?.name ?? "unknown"}. Give a slow network more time with --timeout.`;
  });
  stdout.write(`\n${lines.join("\n")}\n`);
  return runs.every((run) => view.stateOf(run)?.type === "COMPLETED");
}

function firstLine(message: string | null | undefined): string {
  return message?.split("\n")[0] ?? "no reason was given; its log above may tell";
}

function nextSteps({ server, directory }: Demo, { cwd }: Io): string {
  const isAtHand = cwd === packageRoot || packageRoot.includes("node_modules");
  const program = isAtHand
    ? "npx lighterman"
    : `node ${relative(cwd, join(packageRoot, "dist", "lighterman.js"))}`;
  const local = `PREFECT_API_URL=${server.apiUrl}`;
  return `
What next

  Look at it            ${server.url}
  Run the flow again    ${local} ${program} deployment run ${FLOWS[1]}/demo --watch
  See all runs          ${local} ${program} flow-run ls
  Change the flow       edit ${join(directory, "project", "flow.py")}, commit it with git, run it again
  Use another client    export ${local}
  Serve your own pool   PREFECT_API_URL=http://your-server:4200/api ${program} worker start --pool my-pool
  Stop                  Ctrl-C; the data stays in ${directory}

`;
}
