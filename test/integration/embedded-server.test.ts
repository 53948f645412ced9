import { copyFile, mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { AsyncDisposables } from "../support/disposables.ts";
import { EmbeddedServer } from "../support/embedded-server.ts";
import { PrefectApi, uniqueName } from "../support/prefect-api.ts";
import { freePort, prefectProgram } from "../support/prefect-server.ts";
import { TestProcess } from "../support/test-process.ts";
import { WorkerHome, startPythonWorker, startWorker, workerBundle } from "../support/worker-process.ts";
import type { FlowRun } from "../support/prefect-api.ts";

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));
const pullSteps = [{ "prefect.deployments.steps.set_working_directory": { directory: fixtures } }];

const disposables = new AsyncDisposables();
let server: EmbeddedServer;
let api: PrefectApi;

beforeAll(async () => {
  server = disposables.use(await EmbeddedServer.start());
  api = new PrefectApi(server.url);
});

afterAll(() => disposables.dispose());

interface TaskRun {
  readonly name: string;
  readonly state_type: string;
  readonly run_count: number;
}

describe("the real 3.8.8 engine, on the embedded server", () => {
  const pool = uniqueName("embedded");

  beforeAll(async () => {
    await api.createPool(pool);
    disposables.use(await startWorker({ apiUrl: server.url, pool }));
  });

  async function run(flow: string, states: readonly string[] = ["COMPLETED"]): Promise<FlowRun> {
    const deployment = await api.createDeployment({
      pool,
      pullSteps,
      entrypoint: `embedded_flows.py:${flow}`,
    });
    return api.waitFor(await api.run(deployment), states);
  }

  it("runs tasks with retries, subflows, a flow with retries, concurrency() and variables", async () => {
    await api.call("POST", "/v2/concurrency_limits/", { name: "embedded-slots", limit: 1 });
    await api.createVariable("embedded_answer", "42");
    const ended = await run("everything");
    expect((ended as FlowRun & { name: string }).name).toBe("everything-3");
    expect(await api.states(ended)).toEqual(["SCHEDULED", "PENDING", "PENDING", "RUNNING", "COMPLETED"]);
    await expect
      .poll(async () => (await api.logs(ended)).map(({ message }) => message), { timeout: 15_000 })
      .toContain("result 12 variable 42");
    const tasks = await api.call<readonly TaskRun[]>("POST", "/task_runs/filter", {
      flow_runs: { id: { any_: [ended.id] } },
    });
    expect(tasks.map(({ state_type }) => state_type)).toEqual(["COMPLETED", "COMPLETED", "COMPLETED"]);
    expect(tasks.find(({ name }) => name.startsWith("double"))).toMatchObject({ run_count: 2 });
    const subflows = await api.call<readonly FlowRun[]>("POST", "/flow_runs/filter", {
      flow_runs: { parent_flow_run_id: { any_: [ended.id] } },
    });
    expect(subflows.map(({ state }) => state.type)).toEqual(["COMPLETED", "COMPLETED"]);
    const [limit] = await api.call<readonly { active_slots: number }[]>(
      "POST",
      "/v2/concurrency_limits/filter",
      {},
    );
    expect(limit?.active_slots).toBe(0);
    const artifact = await api.call<{ data: string; flow_run_id: string }>(
      "GET",
      "/artifacts/embedded-report/latest",
    );
    expect(artifact).toMatchObject({ data: "# done", flow_run_id: ended.id });
  });

  it("pauses a run until somebody resumes it", async () => {
    const waiting = await run("paused", ["PAUSED"]);
    await api.call("POST", `/flow_runs/${waiting.id}/resume`, {});
    const ended = await api.waitFor(waiting, ["COMPLETED"]);
    expect(await api.states(ended)).toContain("PAUSED");
  });

  it("reports a flow that fails, and cancels one", async () => {
    const failed = await run("fails", ["FAILED"]);
    expect(failed.state.message).toContain("the flow's own error");
    const deployment = await api.createDeployment({
      pool,
      pullSteps,
      entrypoint: "embedded_flows.py:paused",
    });
    const cancelled = await api.run(deployment);
    await api.waitFor(cancelled, ["PAUSED"]);
    await api.call("POST", `/flow_runs/${cancelled.id}/set_state`, {
      state: { type: "CANCELLING" },
      force: false,
    });
    await api.waitFor(cancelled, ["CANCELLED"]);
  });
});

describe("Python's own tools, on the embedded server", () => {
  it("the prefect command makes a pool, deploys and runs; Python's worker completes the run", async () => {
    await using home = await WorkerHome.create();
    const pool = uniqueName("python");
    await copyFile(join(fixtures, "flows.py"), join(home.path, "flows.py"));
    async function prefect(...args: readonly string[]): Promise<string> {
      await using child = new TestProcess(prefectProgram(3, "prefect"), args, {
        name: `prefect ${args.join(" ")}`,
        cwd: home.path,
        env: { ...home.env, PREFECT_API_URL: server.url, COLUMNS: "200" },
      });
      const { code } = await child.end(60_000);
      await child.closed;
      if (code !== 0) throw new Error(child.output);
      return child.output;
    }
    await prefect("work-pool", "create", pool, "--type", "process");
    await prefect("variable", "set", "from_python", "7");
    await prefect("--no-prompt", "deploy", "flows.py:greet", "-n", pool, "-p", pool);
    expect(await prefect("deployment", "inspect", `greet/${pool}`)).toContain(pool);
    await prefect("deployment", "run", `greet/${pool}`, "-p", "name=Ada");
    const [run] = await api.call<readonly FlowRun[]>("POST", "/flow_runs/filter", {
      deployments: { name: { any_: [pool] } },
    });
    await using _worker = await startPythonWorker({ apiUrl: server.url, pool, args: ["--type", "process"] });
    await api.waitFor(run ?? { id: "" }, ["COMPLETED"], 90_000);
    expect(await prefect("flow-run", "ls", "--flow-name", "greet")).toContain("COMPLETED");
    expect(await prefect("variable", "get", "from_python")).toContain("7");
    expect(await prefect("work-pool", "ls")).toContain(pool);
  });
});

describe("blocks, on the embedded server", () => {
  it("are registered, saved and loaded by Python, nested ones too; secrets are masked and encrypted", async () => {
    await using home = await WorkerHome.create();
    await using child = new TestProcess(prefectProgram(3, "python"), [join(fixtures, "use_blocks.py")], {
      cwd: home.path,
      env: { ...home.env, PREFECT_API_URL: server.url },
    });
    const { code } = await child.end(90_000);
    await child.closed;
    if (code !== 0) throw new Error(child.output);
    expect(JSON.parse(child.lines.find((line) => line.startsWith("{")) ?? "")).toEqual({
      secret: "canary-two",
      bucket: ["data", "in", "AwsCredentials"],
      key: "canary-three",
      outer: ["x", "canary-four", 2],
      shown: "********",
      by_checksum: { Secret: 200, AwsCredentials: 200, S3Bucket: 200, Inner: 200, Outer: 200 },
    });
    const data = join(server.directory, "data");
    for (const file of await readdir(data)) {
      expect(await readFile(join(data, file), "latin1")).not.toMatch(/canary-(?:one|two|three|four)/);
    }
  });
});

describe("worker start without an API URL", () => {
  it("serves the API itself, and leaves no run behind when it is stopped", async () => {
    const directory = await mkdtemp(join(tmpdir(), "lonely-worker-"));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const port = await freePort();
    const args = [
      "worker",
      "start",
      "--pool",
      "mine",
      "--port",
      String(port),
      "--python",
      prefectProgram(3, "python"),
    ];
    await using worker = new TestProcess(process.execPath, [workerBundle, ...args], {
      cwd: directory,
      // Its proxy is not asked for what is on this machine.
      env: { PATH: process.env["PATH"] ?? "", HOME: directory, HTTP_PROXY: "http://127.0.0.1:9" },
    });
    await worker.waitForLine(/this process also serves the API/);
    await worker.waitForLine(/Worker .* started/);
    const own = new PrefectApi(`http://127.0.0.1:${port}/api`);
    const deployment = await own.createDeployment({ pool: "mine", pullSteps, entrypoint: "flows.py:greet" });
    await own.waitFor(await own.run(deployment), ["COMPLETED"]);
    const program = await own.createDeployment({
      pool: "mine",
      entrypoint: "none",
      jobVariables: { engine: "none", command: "sh -c 'echo from a program'" },
    });
    const ended = await own.waitFor(await own.run(program), ["COMPLETED"]);
    await expect
      .poll(async () => (await own.logs(ended)).map(({ message }) => message), { timeout: 15_000 })
      .toContain("from a program");
    worker.signal("SIGTERM");
    expect(await worker.end(20_000)).toEqual({ code: 0, signal: null });
  });
});

describe("server start", () => {
  it("refuses to be open to the network without a password", async () => {
    await using home = await WorkerHome.create();
    await using child = new TestProcess(
      process.execPath,
      [workerBundle, "server", "start", "--host", "0.0.0.0", "--port", "0"],
      {
        cwd: home.path,
        env: home.env,
      },
    );
    expect(await child.end(20_000)).toEqual({ code: 2, signal: null });
    await child.closed;
    expect(child.output).toContain("PREFECT_SERVER_API_AUTH_STRING");
  });
});
