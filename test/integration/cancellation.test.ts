import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, inject, it } from "vitest";
import { until } from "../support/deadline.ts";
import { PrefectApi, uniqueName } from "../support/prefect-api.ts";
import { isAlive } from "../support/proc.ts";
import { startWorker } from "../support/worker-process.ts";
import type { FlowRun } from "../support/prefect-api.ts";
import type { RunningWorker } from "../support/worker-process.ts";

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));
const api = new PrefectApi(inject("prefect3Url"));
const inFixtures = { "prefect.deployments.steps.set_working_directory": { directory: fixtures } };

describe("cancellation, on 3.8.8", () => {
  const pool = uniqueName("cancel");
  let worker: RunningWorker;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "marks-"));
    await api.createPool(pool);
    worker = await startWorker({ apiUrl: api.url, pool, env: { LIGHTERMAN_KILL_GRACE: "5s" } });
  });
  afterAll(async () => {
    await worker[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  const marksOf = async (path: string): Promise<readonly string[]> =>
    (await readFile(path, "utf8").catch(() => "")).split("\n").filter((line) => line !== "");

  /** Starts a flow and waits for its first mark: `started PID…`. */
  async function started(flow: string): Promise<{ run: FlowRun; marks: string; pids: readonly number[] }> {
    const marks = join(directory, uniqueName("marks"));
    const deployment = await api.createDeployment({
      pool,
      entrypoint: `flows.py:${flow}`,
      pullSteps: [inFixtures],
      parameters: { marks },
    });
    const run = await api.run(deployment);
    const line = await until("the flow has started", async () => (await marksOf(marks))[0], {
      detail: () => worker.process.output,
    });
    const pids = line.split(" ").slice(1).map(Number);
    return { run, marks, pids };
  }

  const gone = (pids: readonly number[]) => until("the processes are gone", () => !pids.some(isAlive));

  it("a running flow becomes CANCELLED and its on_cancellation hook runs exactly once", async ({
    expect,
  }) => {
    const { run, marks, pids } = await started("sleeps");
    await api.cancel(run);
    const end = await api.waitForEnd(run);
    expect(end.state).toMatchObject({ type: "CANCELLED" });
    await gone(pids);
    expect(await marksOf(marks)).toEqual([expect.stringMatching(/^started/), "cancelled"]);
    expect(await api.states(run)).not.toContain("CRASHED");
  });

  it("grandchildren die with a cancelled flow, also those that ignore SIGTERM", async ({ expect }) => {
    const { run, marks, pids } = await started("with_grandchildren");
    expect(pids.length).toBe(4);
    await api.cancel(run);
    expect((await api.waitForEnd(run)).state.type).toBe("CANCELLED");
    await gone(pids);
    expect((await marksOf(marks)).slice(1)).toEqual(["cancelled"]);
  });

  it("a flow that ignores SIGTERM is killed after the grace and becomes CANCELLED", async ({ expect }) => {
    const { run, pids } = await started("ignores_sigterm");
    await api.cancel(run);
    expect((await api.waitForEnd(run, 90_000)).state.type).toBe("CANCELLED");
    await gone(pids);
  });

  it("a run that is cancelled while it pulls becomes CANCELLED, its step is ended, its flow never starts", async ({
    expect,
  }) => {
    const marks = join(directory, uniqueName("pulling"));
    const deployment = await api.createDeployment({
      pool,
      entrypoint: "flows.py:sleeps",
      pullSteps: [
        inFixtures,
        {
          "prefect.deployments.steps.run_shell_script": {
            script: `sh -c 'echo pulling $$ >> ${marks}; exec sleep 120'`,
          },
        },
      ],
      parameters: { marks },
    });
    const run = await api.run(deployment);
    const line = await until("the step has started", async () => (await marksOf(marks))[0], {
      detail: () => worker.process.output,
    });
    await api.cancel(run);
    expect((await api.waitForEnd(run)).state.type).toBe("CANCELLED");
    await gone([Number(line.split(" ")[1])]);
    expect(await marksOf(marks)).toEqual([line]);
  });

  it("a run that is cancelled before its start never starts", async ({ expect }) => {
    const marks = join(directory, uniqueName("never"));
    const deployment = await api.createDeployment({
      pool,
      entrypoint: "flows.py:sleeps",
      pullSteps: [inFixtures],
      parameters: { marks },
    });
    // Inside the prefetch window: the worker may hold it already.
    const run = await api.run(deployment, { at: new Date(Date.now() + 6_000) });
    await api.cancel(run);
    expect((await api.waitForEnd(run)).state.type).toBe("CANCELLED");
    const after = await api.run(deployment, {
      parameters: { marks, seconds: 0 },
      at: new Date(Date.now() + 7_000),
    });
    await api.waitFor(after, ["COMPLETED"]);
    expect(await marksOf(marks)).toEqual([expect.stringMatching(/^started/)]);
  });

  it("the slots and the worker are free again after all that", async ({ expect }) => {
    const deployment = await api.createDeployment({
      pool,
      entrypoint: "flows.py:greet",
      pullSteps: [inFixtures],
    });
    expect((await api.waitForEnd(await api.run(deployment))).state.type).toBe("COMPLETED");
    expect(worker.process.isRunning).toBe(true);
  });
});
