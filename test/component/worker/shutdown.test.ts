import { writeFileSync } from "node:fs";
import { describe, it } from "vitest";

import { TestProcess } from "../../support/test-process.ts";
import { openScene, POOL, PYTHON, QUICK, stop } from "./scene.ts";
import { workerBundle } from "../../support/worker-process.ts";

describe.concurrent("on SIGTERM the worker", () => {
  it("ends at once when it has nothing to do", async ({ expect }) => {
    await using scene = await openScene();
    const worker = await scene.worker();
    await worker.waitForLine(/started: pool/, 10_000);
    const since = performance.now();
    expect(await stop(worker)).toBe(0);
    expect(performance.now() - since).toBeLessThan(1500);
    expect(scene.leftovers()).toEqual([]);
  });

  it.for(["SIGTERM", "SIGINT"] as const)(
    "ends by %s although it was started with SIGINT ignored",
    async (signal, { expect }) => {
      await using scene = await openScene();
      const args = ["worker", "start", "--pool", POOL, "--python", PYTHON];
      const script = `trap "" INT; exec "$0" "$@"`;
      await using worker = new TestProcess("sh", ["-c", script, process.execPath, workerBundle, ...args], {
        cwd: scene.home.path,
        env: { ...scene.home.env, ...QUICK, PREFECT_API_URL: scene.server.apiUrl },
      });
      await worker.waitForLine(/started: pool/, 10_000);
      worker.signal(signal);
      expect(await worker.end(10_000)).toEqual({ code: 0, signal: null });
      expect(scene.leftovers()).toEqual([]);
    },
  );

  it.for<[string, string]>([
    ["exit 0", "Completed"],
    ["exit 3", "Failed"],
    ["kill -KILL $$", "Crashed"],
  ])(
    "waits for a run, takes no other, and reports what became of it (%s)",
    async ([end, name], { expect }) => {
      await using scene = await openScene();
      const run = scene.script(`until [ -e ${scene.path("go")} ]; do sleep 0.02; done; ${end}`);
      const worker = await scene.worker();
      await scene.server.waitForState(run.id, "RUNNING");
      worker.signal("SIGTERM");
      await worker.waitForLine(/Stopping: no new flow runs; waiting up to 30 s for 1 in progress/, 10_000);
      const late = scene.script("exit 0");
      writeFileSync(scene.path("go"), "");
      expect((await worker.end(10_000)).code).toBe(0);
      expect(scene.server.stateOf(run.id).name).toBe(name);
      expect(scene.server.stateOf(late.id).name).toBe("Scheduled");
      expect(scene.leftovers()).toEqual([]);
    },
  );

  it.for<[mode: string, state: string, text: RegExp]>([
    ["wait", "AwaitingRetry", /handed the flow run back/],
    ["deaf", "Crashed", /The worker was stopped and ended the flow run's process before it was done/],
    ["pending", "AwaitingRetry", /handed the flow run back/],
  ])(
    "after the drain time hands back what can be handed back (engine: %s)",
    async ([mode, name, text], { expect }) => {
      await using scene = await openScene();
      const run = scene.engine(mode, { env: { ENGINE_DIARY: scene.path("diary") } });
      const worker = await scene.worker({ args: ["--drain-timeout", "0.3s"] });
      await scene.written("diary");
      if (mode !== "pending") await scene.server.waitForState(run.id, "RUNNING");
      expect(await stop(worker)).toBe(0);
      const state = scene.server.stateOf(run.id);
      expect(state.name).toBe(name);
      expect(state.message).toMatch(text);
      if (mode === "wait") expect(await scene.written("diary", 3)).toEqual([run.id, "intent r", "SIGTERM"]);
      expect(scene.leftovers()).toEqual([]);
    },
  );

  it("after the drain time ends within the 30 s that the files in deploy/ leave it, also when an engine ignores it", async ({
    expect,
  }) => {
    await using scene = await openScene();
    const run = scene.engine("stubborn");
    const worker = await scene.worker({
      args: ["--drain-timeout", "0s"],
      env: { LIGHTERMAN_KILL_GRACE: "300s" },
    });
    await scene.server.waitForState(run.id, "RUNNING");
    const since = performance.now();
    worker.signal("SIGTERM");
    expect((await worker.end(25_000)).code).toBe(0);
    expect(performance.now() - since).toBeLessThan(25_000);
    expect(scene.server.stateOf(run.id).name).toBe("Crashed");
    expect(scene.leftovers()).toEqual([]);
  });

  it("a run that was handed back is run by the next worker, from the start", async ({ expect }) => {
    await using scene = await openScene();
    const run = scene.engine("wait", { env: { ENGINE_DIARY: scene.path("diary") } });
    const first = await scene.worker({ args: ["--drain-timeout", "0s"] });
    await scene.server.waitForState(run.id, "RUNNING");
    expect(await stop(first)).toBe(0);
    const deployment = scene.server.store.deployments.get(run.deployment_id ?? "");
    if (deployment !== undefined)
      deployment.job_variables = {
        ...deployment.job_variables,
        engine: "none",
        command: ["sh", "-c", "echo second"],
      };
    const second = await scene.worker();
    expect((await scene.server.waitForEnd(run.id)).name).toBe("Completed");
    expect(await stop(second)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });

  it("hands back a run that is still pulling", async ({ expect }) => {
    await using scene = await openScene();
    const script = `touch ${scene.path("pulling")}; echo x >>${scene.path("diary")}; sleep 600`;
    const steps = [{ "prefect.deployments.steps.run_shell_script": { script, shell: true } }];
    const run = scene.script("exit 0", { steps });
    const worker = await scene.worker({ args: ["--drain-timeout", "0.2s"] });
    await scene.written("diary");
    expect(await stop(worker)).toBe(0);
    expect(scene.server.stateOf(run.id).name).toBe("AwaitingRetry");
    expect(scene.leftovers()).toEqual([]);
  });
});

describe.concurrent("a second SIGTERM", () => {
  it("ends all runs now, and reports them", async ({ expect }) => {
    await using scene = await openScene();
    const runs = [scene.engine("wait"), scene.engine("stubborn"), scene.script("echo up; sleep 600")];
    const worker = await scene.worker();
    for (const run of runs) await scene.server.waitForState(run.id, "RUNNING");
    await pressTwice(worker);
    expect((await worker.end(10_000)).code).toBe(143);
    expect(runs.map(({ id }) => scene.server.stateOf(id).name)).toEqual(["Crashed", "Crashed", "Crashed"]);
    for (const { id } of runs)
      expect(scene.server.stateOf(id).message).toMatch(/The worker was stopped and ended/);
    expect(scene.leftovers()).toEqual([]);
  });

  it("cannot report while the API is down; the next worker does, and a third press leaves at once", async ({
    expect,
  }) => {
    await using scene = await openScene();
    const run = scene.script("echo up; sleep 600");
    const worker = await scene.worker();
    await scene.logged(run, "up");
    await scene.server.goDown();
    await pressTwice(worker);
    await worker.waitForLine(/The end of a flow run could not be reported; trying again/, 10_000);
    worker.signal("SIGINT");
    expect((await worker.end(2000)).code).toBe(130);
    await scene.server.listen();
    const second = await scene.worker();
    const state = await scene.server.waitForEnd(run.id);
    expect(state.name).toBe("Crashed");
    expect(await stop(second)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });
});

describe.concurrent("SIGTERM while the API is down", () => {
  it("ends a worker that has nothing to do, at once", async ({ expect }) => {
    await using scene = await openScene();
    const worker = await scene.worker();
    await worker.waitForLine(/started: pool/, 10_000);
    await scene.server.goDown();
    expect(await stop(worker)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });

  it("ends a worker that still waits for its first answer, at once", async ({ expect }) => {
    await using scene = await openScene();
    scene.server.fault({ kind: "hang" });
    const worker = await scene.worker();
    await scene.server.waitForRequest({ path: /work_pools/ });
    const since = performance.now();
    expect(await stop(worker)).toBe(0);
    expect(performance.now() - since).toBeLessThan(1500);
  });

  it("reports a run that ends meanwhile once the API is back", async ({ expect }) => {
    await using scene = await openScene();
    const run = scene.script(`until [ -e ${scene.path("go")} ]; do sleep 0.02; done`);
    const worker = await scene.worker();
    await scene.server.waitForState(run.id, "RUNNING");
    await scene.server.goDown();
    worker.signal("SIGTERM");
    writeFileSync(scene.path("go"), "");
    await worker.waitForLine(/The end of a flow run could not be reported; trying again/, 10_000);
    await scene.server.listen();
    expect((await worker.end(10_000)).code).toBe(0);
    expect(scene.server.stateOf(run.id).name).toBe("Completed");
    expect(scene.leftovers()).toEqual([]);
  });
});

async function pressTwice(worker: TestProcess): Promise<void> {
  worker.signal("SIGTERM");
  await worker.waitForLine(/Received SIGTERM: stopping/, 10_000);
  worker.signal("SIGTERM");
  await worker.waitForLine(/Received SIGTERM again/, 10_000);
}
