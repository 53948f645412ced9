import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, it } from "vitest";
import { AsyncDisposables } from "../support/disposables.ts";
import { EmbeddedServer } from "../support/embedded-server.ts";
import { PrefectApi, uniqueName } from "../support/prefect-api.ts";
import { PrefectCommands } from "../support/prefect-commands.ts";
import { startWorker } from "../support/worker-process.ts";
import type { Deployment, FlowRun } from "../support/prefect-api.ts";
import type { RunningWorker } from "../support/worker-process.ts";

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));
const pullSteps = [{ "prefect.deployments.steps.set_working_directory": { directory: fixtures } }];

const disposables = new AsyncDisposables();
const pool = uniqueName("features");
let server: EmbeddedServer;
let api: PrefectApi;
let worker: RunningWorker;

beforeAll(async () => {
  server = disposables.use(await EmbeddedServer.start());
  api = new PrefectApi(server.url);
  await api.createPool(pool);
  worker = disposables.use(await startWorker({ apiUrl: server.url, pool }));
});

afterAll(() => disposables.dispose());

function deploy(entrypoint: string): Promise<Deployment> {
  return api.createDeployment({ pool, pullSteps, entrypoint });
}

async function start(flow: string, parameters: Readonly<Record<string, unknown>> = {}): Promise<FlowRun> {
  return api.run(await deploy(`embedded_features.py:${flow}`), { parameters });
}

interface TaskRun {
  readonly id: string;
  readonly state_name: string;
}

function taskRuns(run: FlowRun): Promise<readonly TaskRun[]> {
  return api.call("POST", "/task_runs/filter", { flow_runs: { id: { any_: [run.id] } } });
}

// All runs are in progress at once: most of them wait.
describe.concurrent("the real 3.8.8 engine, on the embedded server", () => {
  it("suspends a run, which a worker starts anew when it is resumed; what was done is remembered", async ({
    expect,
  }) => {
    const path = join(worker.home.path, "remembered");
    const run = await start("suspended", { path });
    const waiting = await api.waitFor(run, ["PAUSED"]);
    expect(waiting.state.name).toBe("Suspended");
    await api.call("POST", `/flow_runs/${run.id}/resume`, {});
    await api.waitFor(run, ["COMPLETED"]);
    await api.waitForLog(run, /after the suspension 7/);
    expect(await readFile(path, "utf8")).toBe("called\n");
    const states = await api.states(run);
    expect(states.filter((state) => state === "RUNNING")).toHaveLength(2);
    await expect
      .poll(async () => (await taskRuns(run)).map(({ state_name }) => state_name))
      .toContain("Cached");
  });

  it("waits for input that fits its model", async ({ expect }) => {
    const run = await start("asks");
    await api.waitFor(run, ["PAUSED"]);
    // The engine pauses first, and then leaves the model's schema.
    await expect
      .poll(() => api.call("POST", `/flow_runs/${run.id}/resume`, { run_input: { n: "many" } }))
      .toMatchObject({
        status: "REJECT",
        details: {
          reason: expect.stringContaining(
            "Validation failed for field 'n'. Failure reason: 'many'",
          ) as string,
        },
      });
    await api.call("POST", `/flow_runs/${run.id}/resume`, { run_input: { n: 5 } });
    await api.waitFor(run, ["COMPLETED"]);
    await api.waitForLog(run, /answer 5 nobody/);
  });

  it("runs tasks of one tag no more at a time than its limit allows", async ({ expect }) => {
    await api.call("POST", "/concurrency_limits/", { tag: "embedded-tag", concurrency_limit: 1 });
    const run = await start("one_at_a_time", { path: join(worker.home.path, "alone") });
    await api.waitFor(run, ["COMPLETED"]);
    expect(await api.call("GET", "/concurrency_limits/tag/embedded-tag")).toMatchObject({ active_slots: [] });
  });

  it("keeps results in a cache, and rolls a transaction back", async ({ expect }) => {
    const run = await start("transactions", { path: join(worker.home.path, "written") });
    await api.waitFor(run, ["COMPLETED"]);
    await api.waitForLog(run, /cached 3 3 \[3\]/);
    await api.waitForLog(run, /rolled back True/);
    await expect
      .poll(async () => (await taskRuns(run)).map(({ state_name }) => state_name).toSorted())
      .toEqual(["Cached", "Completed", "RolledBack"]);
  });

  it("runs a deployment from within a flow", async ({ expect }) => {
    const inner = await deploy("embedded_features.py:child");
    const run = await start("parent", { name: `${inner.flowName}/${inner.name}` });
    await api.waitFor(run, ["COMPLETED"], 120_000);
    await api.waitForLog(run, /child COMPLETED \{'n': 4\}/);
    const [made] = await api.call<readonly { tags: string[]; parent_task_run_id: string }[]>(
      "POST",
      "/flow_runs/filter",
      { flow_runs: { parent_flow_run_id: { any_: [run.id] } } },
    );
    expect(made?.tags).toEqual(["from-parent"]);
    expect((await taskRuns(run)).map(({ id }) => id)).toEqual([made?.parent_task_run_id]);
  });

  it("runs the cancellation hooks of a run that the prefect command cancels", async ({ expect }) => {
    const marks = join(worker.home.path, "marks");
    const run = await api.run(await deploy("flows.py:sleeps"), { parameters: { marks } });
    await expect
      .poll(() => readFile(marks, "utf8").catch(() => ""), { timeout: 60_000 })
      .toContain("started");
    await using prefect = await PrefectCommands.start(server.url);
    expect(await prefect.run("flow-run", "cancel", run.id)).toContain("scheduled for cancellation");
    await api.waitFor(run, ["CANCELLED"]);
    await expect.poll(() => readFile(marks, "utf8")).toContain("cancelled");
    expect(await prefect.run("flow-run", "logs", run.id)).toContain("sleeps");
    expect((await prefect.try("flow-run", "cancel", run.id)).code).toBe(1);
    await prefect.run("flow-run", "delete", run.id);
    expect((await prefect.try("flow-run", "inspect", run.id)).code).toBe(1);
  });
});
