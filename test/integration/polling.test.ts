import { fileURLToPath } from "node:url";
import { describe, inject, it } from "vitest";
import { until } from "../support/deadline.ts";
import { PrefectApi, uniqueName } from "../support/prefect-api.ts";
import { startWorker } from "../support/worker-process.ts";
import type { Deployment, DeploymentSpec } from "../support/prefect-api.ts";

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));
const api = new PrefectApi(inject("prefect3Url"));
/** Long enough that no test can see a second poll that nothing else caused. */
const rarely = { PREFECT_WORKER_QUERY_SECONDS: "300" };

/** Commands instead of flows: what is tested here is when runs start. */
function deploy(pool: string, command: string, spec: Partial<DeploymentSpec> = {}): Promise<Deployment> {
  return api.createDeployment({
    pool,
    entrypoint: "none",
    ...spec,
    jobVariables: { engine: "none", command, ...spec.jobVariables },
  });
}

const startedAt = async (id: string): Promise<number> => Date.parse((await api.flowRun(id)).start_time ?? "");

describe("when runs start, on 3.8.8", () => {
  it("a worker creates a missing pool with the process template, and is online in it", async ({ expect }) => {
    const pool = uniqueName("created");
    await using worker = await startWorker({ apiUrl: api.url, pool });
    await api.waitForWorker(pool);
    const created = await api.pool(pool);
    expect(created.type).toBe("process");
    expect(created.base_job_template).toMatchObject({
      job_configuration: { command: "{{ command }}", env: "{{ env }}", working_dir: "{{ working_dir }}" },
    });
    expect(worker.process.isRunning).toBe(true);
  });

  it("an ad-hoc run is claimed by its event, long before the next poll", async ({ expect }) => {
    const pool = uniqueName("events");
    await api.createPool(pool);
    await using worker = await startWorker({ apiUrl: api.url, pool, env: rarely });
    const deployment = await deploy(pool, "true");
    await api.waitForWorker(pool);
    // The first may still meet the first poll; the later ones can only come by event.
    for (let round = 0; round < 3; round += 1) {
      const run = await api.run(deployment);
      expect((await api.waitForEnd(run, 20_000)).state.type, worker.process.output).toBe("COMPLETED");
    }
  });

  it("a future run starts at its instant, not at a poll", async ({ expect }) => {
    const pool = uniqueName("future");
    await api.createPool(pool);
    await using worker = await startWorker({
      apiUrl: api.url,
      pool,
      env: { PREFECT_WORKER_QUERY_SECONDS: "2" },
    });
    await api.waitForWorker(pool);
    const at = new Date(Date.now() + 8_000);
    const run = await api.run(await deploy(pool, "true"), { at });
    expect((await api.waitForEnd(run)).state.type, worker.process.output).toBe("COMPLETED");
    const delay = (await startedAt(run.id)) - at.getTime();
    expect(delay).toBeGreaterThanOrEqual(0);
    expect(delay).toBeLessThan(2_000);
  });

  it("--limit 1 runs one at a time, and all of them", async ({ expect }) => {
    const pool = uniqueName("limit");
    await api.createPool(pool);
    const deployment = await deploy(pool, "sleep 1");
    const runs = await Promise.all([0, 1, 2].map(() => api.run(deployment)));
    await using worker = await startWorker({ apiUrl: api.url, pool, args: ["--limit", "1"] });
    let most = 0;
    await until(
      "all three have completed",
      async () => {
        const states = await Promise.all(runs.map(async (run) => (await api.flowRun(run.id)).state.type));
        most = Math.max(most, states.filter((state) => state === "RUNNING" || state === "PENDING").length);
        return states.every((state) => state === "COMPLETED");
      },
      { detail: () => worker.process.output },
    );
    expect(most).toBe(1);
    const spans = await Promise.all(
      runs.map(async (run) => {
        const seen = await api.call<{ start_time: string; end_time: string }>("GET", `/flow_runs/${run.id}`);
        return [Date.parse(seen.start_time), Date.parse(seen.end_time)] as const;
      }),
    );
    const ordered = spans.toSorted((a, b) => a[0] - b[0]);
    expect(ordered[0]![1]).toBeLessThanOrEqual(ordered[1]![0]);
    expect(ordered[1]![1]).toBeLessThanOrEqual(ordered[2]![0]);
  });

  it("--run-once runs what is due, waits for its end, and exits 0", async ({ expect }) => {
    const pool = uniqueName("once");
    await api.createPool(pool);
    const deployment = await deploy(pool, "sleep 1");
    const runs = [await api.run(deployment), await api.run(deployment)];
    await using worker = await startWorker({ apiUrl: api.url, pool, args: ["--run-once"] });
    expect((await worker.process.end(45_000)).code, worker.process.output).toBe(0);
    for (const run of runs) expect((await api.flowRun(run.id)).state.type).toBe("COMPLETED");
  });

  it("queues: only the named ones are served, and the one of higher priority first", async ({ expect }) => {
    const pool = uniqueName("queues");
    await api.createPool(pool);
    await api.createQueue(pool, "low", { priority: 5 });
    await api.createQueue(pool, "high", { priority: 1 });
    const [low, high, other] = [
      await deploy(pool, "sleep 0.5", { queue: "low" }),
      await deploy(pool, "sleep 0.5", { queue: "high" }),
      await deploy(pool, "true", { queue: "default" }),
    ];
    const second = await api.run(low);
    const first = await api.run(high);
    const never = await api.run(other);
    await using worker = await startWorker({
      apiUrl: api.url,
      pool,
      args: ["--work-queue", "low", "--work-queue", "high", "--limit", "1"],
    });
    await api.waitFor(second, ["COMPLETED"]);
    await api.waitFor(first, ["COMPLETED"]);
    expect(await startedAt(first.id), worker.process.output).toBeLessThan(await startedAt(second.id));
    expect((await api.flowRun(never.id)).state.type).toBe("SCHEDULED");
  });

  it("two workers of one pool never run a run twice", async ({ expect }) => {
    const pool = uniqueName("pair");
    await api.createPool(pool);
    const deployment = await deploy(pool, "sleep 2");
    await using first = await startWorker({ apiUrl: api.url, pool });
    await using second = await startWorker({ apiUrl: api.url, pool });
    await api.waitForWorker(pool);
    const runs = await Promise.all(Array.from({ length: 6 }, () => api.run(deployment)));
    for (const run of runs) {
      expect((await api.waitForEnd(run)).state.type).toBe("COMPLETED");
      expect((await api.states(run)).filter((state) => state === "RUNNING")).toEqual(["RUNNING"]);
    }
    expect(first.process.isRunning && second.process.isRunning).toBe(true);
  });

  it("a run carries the labels and the process id that Python's worker gives it", async ({ expect }) => {
    const pool = uniqueName("labels");
    await api.createPool(pool);
    await using worker = await startWorker({ apiUrl: api.url, pool, args: ["--name", "the-name"] });
    const deployment = await api.createDeployment({
      pool,
      entrypoint: "flows.py:greet",
      pullSteps: [{ "prefect.deployments.steps.set_working_directory": { directory: fixtures } }],
    });
    const run = await api.run(deployment);
    const end = await api.waitFor(run, ["COMPLETED"]);
    // They may come late: nothing waits for them.
    const labels = await until("the labels are there", async () => {
      const seen = (await api.flowRun(run.id)).labels;
      return seen?.["prefect.worker.name"] === undefined ? undefined : seen;
    });
    expect(labels).toMatchObject({
      "prefect.worker.name": "the-name",
      "prefect.worker.type": "process",
      "prefect.work-pool.name": pool,
    });
    expect(end.infrastructure_pid).toMatch(/^\d+$/);
    expect(worker.process.isRunning).toBe(true);
  });
});
