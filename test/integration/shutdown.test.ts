import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, inject, it } from "vitest";
import { until } from "../support/deadline.ts";
import { PrefectApi, uniqueName } from "../support/prefect-api.ts";
import { processesOf, startPythonWorker, startWorker } from "../support/worker-process.ts";
import type { FlowRun } from "../support/prefect-api.ts";

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));
const api = new PrefectApi(inject("prefect3Url"));
const inFixtures = { "prefect.deployments.steps.set_working_directory": { directory: fixtures } };

describe("SIGTERM to a worker with runs in progress, on 3.8.8", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "marks-"));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  async function startRun(
    pool: string,
    flow: string,
    parameters: object = {},
    steps: readonly object[] = [],
  ): Promise<FlowRun> {
    const deployment = await api.createDeployment({
      pool,
      entrypoint: `flows.py:${flow}`,
      pullSteps: [inFixtures, ...(steps as Record<string, unknown>[])],
      parameters: { ...parameters },
    });
    return api.run(deployment);
  }

  it("ours leaves no run RUNNING or PENDING: short ones end, long ones are handed back, pulling ones too", async ({
    expect,
  }) => {
    const pool = uniqueName("drain");
    await api.createPool(pool);
    const pulling = join(directory, pool);
    await using worker = await startWorker({ apiUrl: api.url, pool, args: ["--drain-timeout", "8"] });
    const long = await startRun(pool, "sleeps", { marks: "/dev/null", seconds: 300 });
    await api.waitFor(long, ["RUNNING"]);
    const inStep = await startRun(pool, "greet", {}, [
      {
        "prefect.deployments.steps.run_shell_script": {
          script: `sh -c 'echo here > ${pulling}; exec sleep 300'`,
        },
      },
    ]);
    await until("the slow step runs", async () => (await readFile(pulling, "utf8").catch(() => "")) !== "");
    const short = await startRun(pool, "sleeps", { marks: "/dev/null", seconds: 4 });
    await api.waitFor(short, ["RUNNING"]);

    worker.process.signal("SIGTERM");
    await worker.process.end(45_000);

    expect((await api.flowRun(short.id)).state.type).toBe("COMPLETED");
    expect((await api.flowRun(long.id)).state).toMatchObject({ type: "SCHEDULED", name: "AwaitingRetry" });
    expect(["SCHEDULED", "CRASHED"]).toContain((await api.flowRun(inStep.id)).state.type);
    expect(processesOf(worker.home)).toEqual([]);
  });

  it("a run that was handed back is run again by the next worker", async ({ expect }) => {
    const pool = uniqueName("handback");
    await api.createPool(pool);
    const marks = join(directory, pool);
    const deployment = await api.createDeployment({
      pool,
      entrypoint: "flows.py:sleeps",
      pullSteps: [inFixtures],
      parameters: { marks, seconds: 10 },
    });
    const run = await api.run(deployment);
    const starts = async () =>
      (await readFile(marks, "utf8").catch(() => ""))
        .split("\n")
        .filter((line) => line.startsWith("started"));
    {
      await using first = await startWorker({ apiUrl: api.url, pool, args: ["--drain-timeout", "0"] });
      await until("the flow has started", async () => (await starts()).length === 1);
      first.process.signal("SIGTERM");
      await first.process.end(30_000);
    }
    await using second = await startWorker({ apiUrl: api.url, pool });
    expect((await api.waitForEnd(run)).state.type, second.process.output).toBe("COMPLETED");
    expect((await starts()).length).toBe(2);
  });

  it("a second SIGTERM ends all at once, and reports it", async ({ expect }) => {
    const pool = uniqueName("now");
    await api.createPool(pool);
    await using worker = await startWorker({ apiUrl: api.url, pool, args: ["--drain-timeout", "600"] });
    const run = await startRun(pool, "ignores_sigterm", { marks: "/dev/null", seconds: 300 });
    await api.waitFor(run, ["RUNNING"]);
    worker.process.signal("SIGTERM");
    await worker.process.waitForLine(/drain|stopp|shut|wait/i);
    worker.process.signal("SIGTERM");
    await worker.process.end(45_000);
    expect(["RUNNING", "PENDING"]).not.toContain((await api.flowRun(run.id)).state.type);
    expect(processesOf(worker.home)).toEqual([]);
  });

  it("no new run is claimed while it drains", async ({ expect }) => {
    const pool = uniqueName("closed");
    await api.createPool(pool);
    await using worker = await startWorker({ apiUrl: api.url, pool });
    const first = await startRun(pool, "sleeps", { marks: "/dev/null", seconds: 5 });
    await api.waitFor(first, ["RUNNING"]);
    worker.process.signal("SIGTERM");
    await worker.process.waitForLine(/drain|stopp|shut|wait/i);
    const second = await startRun(pool, "greet");
    await worker.process.end(45_000);
    expect((await api.flowRun(first.id)).state.type).toBe("COMPLETED");
    expect((await api.flowRun(second.id)).state.type).toBe("SCHEDULED");
  });

  it("Python's worker kills its runs and leaves them RUNNING (the difference that this worker is for)", async ({
    expect,
  }) => {
    const pool = uniqueName("python");
    await api.createPool(pool);
    await using worker = await startPythonWorker({ apiUrl: api.url, pool });
    const run = await startRun(pool, "sleeps", { marks: "/dev/null", seconds: 300 });
    const running = await api.waitFor(run, ["RUNNING"]);
    worker.process.signal("SIGTERM");
    await worker.process.end(45_000);
    await until("its child is gone", () => !processesOf(worker.home).length);
    expect((await api.flowRun(running.id)).state.type).toBe("RUNNING");
  });
});
