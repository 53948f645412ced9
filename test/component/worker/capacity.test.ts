import { writeFileSync } from "node:fs";
import { describe, it } from "vitest";

import { openScene, POOL, stop } from "./scene.ts";

import type { FakePrefectServer } from "../../support/fake-prefect-server.ts";

/** The highest number of runs that were PENDING or RUNNING, and RUNNING, at once. */
function watchLoad(server: FakePrefectServer): { active: number; running: number } {
  const most = { active: 0, running: 0 };
  const count = (...types: readonly (string | undefined)[]): number =>
    [...server.store.flowRuns.values()].filter((run) => types.includes(run.state?.type)).length;
  // The probe is asked after every change on the server, and never satisfied.
  void server
    .waitFor(
      "never",
      () => {
        most.active = Math.max(most.active, count("PENDING", "RUNNING"));
        most.running = Math.max(most.running, count("RUNNING"));
        return undefined;
      },
      60_000,
    )
    .catch(() => undefined);
  return most;
}

/** With polls so seldom, only what frees a slot or announces a run can start the next one. */
const SELDOM = { PREFECT_WORKER_QUERY_SECONDS: "300" };

describe.concurrent("capacity", () => {
  it("--limit holds, and a slot that becomes free is used at once", async ({ expect }) => {
    await using scene = await openScene();
    const load = watchLoad(scene.server);
    const runs = Array.from({ length: 8 }, () =>
      scene.script(`echo $PREFECT__FLOW_RUN_ID >>${scene.path("diary")}`),
    );
    const worker = await scene.worker({ args: ["--limit", "2"], env: SELDOM });
    for (const { id } of runs) await scene.server.waitForEnd(id);
    expect(load.active).toBe(2);
    expect(await stop(worker)).toBe(0);
    expect(await scene.written("diary")).toHaveLength(8);
    expect(scene.leftovers()).toEqual([]);
  });

  it("one start at a time lets many run at once", async ({ expect }) => {
    await using scene = await openScene();
    const load = watchLoad(scene.server);
    const script = `until [ -e ${scene.path("go")} ]; do sleep 0.02; done`;
    const runs = Array.from({ length: 4 }, () => scene.script(script));
    const worker = await scene.worker({ env: { ...SELDOM, LIGHTERMAN_START_CONCURRENCY: "1" } });
    for (const { id } of runs) await scene.server.waitForState(id, "RUNNING");
    writeFileSync(scene.path("go"), "");
    for (const { id } of runs) await scene.server.waitForEnd(id);
    expect(load.running).toBe(4);
    expect(await stop(worker)).toBe(0);
  });

  it("queues are served by their priority, whatever their runs' age", async ({ expect }) => {
    await using scene = await openScene();
    scene.server.addWorkQueue(POOL, { name: "low", priority: 10 });
    scene.server.addWorkQueue(POOL, { name: "high", priority: 2 });
    const note = (name: string): string => `echo ${name} >>${scene.path("diary")}`;
    for (const queue of ["low", "high", "low", "high"]) {
      scene.script(note(queue), { deployment: { work_queue_name: queue } });
    }
    const worker = await scene.worker({ args: ["--limit", "1"], env: SELDOM });
    expect(await scene.written("diary", 4)).toEqual(["high", "high", "low", "low"]);
    for (const { id } of scene.server.store.flowRuns.values()) await scene.server.waitForEnd(id);
    expect(await stop(worker)).toBe(0);
  });

  it("only the named queues are served", async ({ expect }) => {
    await using scene = await openScene();
    scene.server.addWorkQueue(POOL, { name: "mine" });
    const other = scene.script("exit 0");
    const run = scene.script("exit 0", { deployment: { work_queue_name: "mine" } });
    const worker = await scene.worker({ args: ["-q", "mine"] });
    await scene.server.waitForEnd(run.id);
    expect(await stop(worker)).toBe(0);
    expect(scene.server.stateOf(other.id).type).toBe("SCHEDULED");
  });

  it("the pool's own limit is used up again as soon as a run ends", async ({ expect }) => {
    await using scene = await openScene();
    const pool = scene.server.store.workPools.get(POOL);
    if (pool !== undefined) pool.concurrency_limit = 1;
    const load = watchLoad(scene.server);
    const runs = Array.from({ length: 4 }, () => scene.script("exit 0"));
    const worker = await scene.worker({ env: SELDOM });
    for (const { id } of runs) await scene.server.waitForEnd(id);
    expect(load.active).toBe(1);
    expect(await stop(worker)).toBe(0);
  });

  it("more runs than a page holds are all run", async ({ expect }) => {
    await using scene = await openScene();
    const runs = Array.from({ length: 250 }, () => scene.script("exit 0"));
    const worker = await scene.worker({ env: { ...SELDOM, LIGHTERMAN_START_CONCURRENCY: "300" } });
    for (const { id } of runs) expect((await scene.server.waitForEnd(id, 25_000)).name).toBe("Completed");
    expect(await stop(worker)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });

  it("--run-once runs what is due and ends, also through one slot", async ({ expect }) => {
    await using scene = await openScene();
    const runs = [scene.script("exit 0"), scene.script("exit 3"), scene.script("exit 0")];
    const later = scene.script("exit 0", { run: { scheduledTime: new Date(Date.now() + 60_000) } });
    const worker = await scene.worker({ args: ["--run-once", "--limit", "1"], env: SELDOM });
    expect((await worker.end(10_000)).code).toBe(0);
    expect(runs.map(({ id }) => scene.server.stateOf(id).name)).toEqual(["Completed", "Failed", "Completed"]);
    expect(scene.server.stateOf(later.id).name).toBe("Scheduled");
    expect(scene.leftovers()).toEqual([]);
  });

  it("--run-once ends at once when nothing is due", async ({ expect }) => {
    await using scene = await openScene();
    const worker = await scene.worker({ args: ["--run-once"] });
    expect((await worker.end(10_000)).code).toBe(0);
  });

  it("a run is claimed ahead, and starts at its time", async ({ expect }) => {
    await using scene = await openScene();
    const scheduledTime = new Date(Date.now() + 5000); // the worker starts first
    const run = scene.script("exit 0", { run: { scheduledTime } });
    const worker = await scene.worker({ env: SELDOM });
    expect((await scene.server.waitForEnd(run.id)).name).toBe("Completed");
    const [pending, running] = ["PENDING", "RUNNING"].map((type) =>
      Date.parse(run.history.find((state) => state.type === type)?.timestamp ?? ""),
    );
    expect(pending).toBeLessThan(scheduledTime.getTime());
    expect(running).toBeGreaterThanOrEqual(scheduledTime.getTime());
    expect(await stop(worker)).toBe(0);
  });

  it("an announced run does not wait for the next poll", async ({ expect }) => {
    await using scene = await openScene();
    const worker = await scene.worker({ env: SELDOM });
    await scene.server.waitFor("a subscription", () => scene.server.eventSockets.filters.length || undefined);
    const run = scene.script("exit 0");
    expect((await scene.server.waitForEnd(run.id)).name).toBe("Completed");
    expect(await stop(worker)).toBe(0);
  });
});
