import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { until } from "../../support/deadline.ts";
import { FakePrefectServer } from "../../support/fake-prefect-server.ts";
import { processesOf, startWorker, WorkerHome } from "../../support/worker-process.ts";

import type { Json, JsonObject } from "../../../src/json/value.ts";
import type { FakePrefectServerOptions } from "../../support/fake-prefect-server.ts";
import type { FakeFlowRun } from "../../support/fake-prefect/store.ts";
import type { TestProcess } from "../../support/test-process.ts";
import type { WorkerOptions } from "../../support/worker-process.ts";

export const POOL = "pool";

/** Directory of the programs that the tests run as flow runs. */
export const PROGRAMS = fileURLToPath(new URL("programs", import.meta.url));

/** The interpreter itself: one of a version manager is a script that starts others. */
export const PYTHON = execFileSync("python3", ["-c", "import sys; print(sys.executable)"], {
  encoding: "utf8",
}).trim();

/** Quick where Prefect is leisurely, and polling often enough that nothing waits for it. */
export const QUICK = {
  PREFECT_LOGGING_TO_API_BATCH_INTERVAL: "0.05",
  PREFECT_CLIENT_MAX_RETRIES: "0",
  PREFECT_WORKER_QUERY_SECONDS: "1",
  LIGHTERMAN_CANCELLATION_POLL: "300s",
  LIGHTERMAN_KILL_GRACE: "1s",
  LIGHTERMAN_START_CONCURRENCY: "8",
};

/** A fake server with one pool, and a home that all workers of the test share: `await using scene = await openScene()`. */
export interface Scene extends AsyncDisposable {
  readonly server: FakePrefectServer;
  readonly home: WorkerHome;
  /** Starts our worker in the shared home. */
  worker(options?: Pick<WorkerOptions, "args" | "env">): Promise<TestProcess>;
  /** A run of a new deployment with these job variables. */
  run(jobVariables: JsonObject, fields?: RunFields): FakeFlowRun;
  /** A run whose command is a shell script, without an engine. */
  script(script: string, fields?: RunFields): FakeFlowRun;
  /** A run of the engine that `programs/prefect/engine.py` plays. */
  engine(mode: string, fields?: RunFields): FakeFlowRun;
  /** Resolves when the run's logs in the API hold the line. */
  logged(run: FakeFlowRun, line: string): Promise<void>;
  /** Resolves once that many lines are in a file of the home. */
  written(file: string, lines?: number): Promise<readonly string[]>;
  /** Everything that outlived its purpose: processes, workspaces, journal entries. */
  leftovers(): readonly string[];
  path(...parts: readonly string[]): string;
}

export interface RunFields {
  readonly deployment?: Parameters<FakePrefectServer["addDeployment"]>[0];
  readonly run?: Parameters<FakePrefectServer["addFlowRun"]>[0];
  readonly env?: Readonly<Record<string, string>>;
  readonly steps?: readonly Json[];
}

export async function openScene(options: FakePrefectServerOptions = {}): Promise<Scene> {
  const server = new FakePrefectServer(options);
  await server.listen();
  server.addWorkPool({ name: POOL });
  const home = await WorkerHome.create();

  function run(jobVariables: JsonObject, { deployment = {}, run: fields = {}, env, steps }: RunFields = {}) {
    return server.addFlowRun({
      deployment: server.addDeployment({
        name: `deployment-${server.store.deployments.size + 1}`,
        work_pool_name: POOL,
        job_variables: { ...jobVariables, ...(env === undefined ? {} : { env }) },
        ...(steps === undefined ? {} : { pull_steps: steps }),
        ...deployment,
      }),
      ...fields,
    });
  }

  return {
    server,
    home,
    run,
    async worker({ args = [], env = {} } = {}) {
      const { process } = await startWorker({
        apiUrl: server.apiUrl,
        pool: POOL,
        python: PYTHON,
        home,
        args,
        env: { ...QUICK, ...env },
      });
      return process;
    },
    script: (script, fields) => run({ engine: "none", command: ["sh", "-c", script] }, fields),
    engine: (mode, fields) =>
      run(
        {},
        {
          steps: [{ "prefect.deployments.steps.set_working_directory": { directory: PROGRAMS } }],
          ...fields,
          env: { PYTHONPATH: PROGRAMS, ENGINE_MODE: mode, ...fields?.env },
        },
      ),
    async logged({ id }, line) {
      await server.waitFor(
        `the line ${line}`,
        () => server.logsOf(id).includes(line) || undefined,
        10_000,
        () => `lines: ${server.logsOf(id).join(" | ")}; states: ${server.historyOf(id).join(", ")}`,
      );
    },
    written: (file, count = 1) =>
      until(
        `${count} lines in ${file}`,
        () => {
          const lines = linesOf(join(home.path, file));
          return lines.length >= count && lines;
        },
        { timeoutMs: 10_000, everyMs: 20, detail: () => linesOf(join(home.path, file)).join(" | ") },
      ),
    leftovers: () => [
      ...processesOf(home).map(({ pid, argv }) => `process ${pid} ${argv}`),
      ...namesIn(join(home.path, ".lighterman", "journal")).map((name) => `journal ${name}`),
      ...namesIn(join(home.path, ".lighterman", "workspaces")).map((name) => `workspace ${name}`),
    ],
    path: (...parts) => join(home.path, ...parts),
    async [Symbol.asyncDispose]() {
      await home.sweep();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Stops a worker as an operator does, and waits for its end. */
export async function stop(worker: TestProcess): Promise<number | null> {
  worker.signal("SIGTERM");
  return (await worker.end(20_000)).code;
}

function linesOf(file: string): readonly string[] {
  try {
    return readFileSync(file, "utf8").split("\n").slice(0, -1);
  } catch {
    return []; // not written yet
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // not made yet
  }
}
