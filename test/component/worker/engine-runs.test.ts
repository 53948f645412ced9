import { mkdirSync, writeFileSync } from "node:fs";
import { describe, it } from "vitest";

import { openScene, POOL, PROGRAMS, stop } from "./scene.ts";

describe.concurrent("engine runs", () => {
  it.for<[mode: string, state: string, message: string | RegExp | null]>([
    ["complete", "Completed", null],
    ["fail", "Failed", null],
    ["die", "Crashed", /^Process exited with status code: -9\. /],
    ["exit", "Crashed", /^Process exited with status code: 0\. It left the flow run Submitting\.$/],
  ])("an engine that does '%s' ends as %s", async ([mode, name, message], { expect }) => {
    await using scene = await openScene();
    const run = scene.engine(mode);
    const worker = await scene.worker();
    const state = await scene.server.waitForEnd(run.id);
    expect(state.name).toBe(name);
    if (message === null) expect(state.message).toBeNull();
    else expect(state.message).toMatch(message);
    expect(run.infrastructure_pid).toMatch(/^\d+$/);
    expect(run.labels).toMatchObject({ "prefect.worker.type": "process", "prefect.work-pool.name": POOL });
    expect(await stop(worker)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });

  it("a configured command that ends with 0 leaves the run to whom it gave it", async ({ expect }) => {
    await using scene = await openScene();
    const steps = [{ "prefect.deployments.steps.set_working_directory": { directory: PROGRAMS } }];
    const run = scene.run({ command: "true" }, { steps });
    const failing = scene.run({ command: "false" }, { steps });
    const worker = await scene.worker();
    await worker.waitForLine(new RegExp(`Flow run '${run.name}' ended as Submitting`), 10_000);
    expect((await scene.server.waitForEnd(failing.id)).message).toMatch(
      /^Process exited with status code: 1\. /,
    );
    expect(scene.server.stateOf(run.id).type).toBe("PENDING");
    expect(await stop(worker)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });

  it("runs in the working_dir, which stays, and finds a relative command there", async ({ expect }) => {
    await using scene = await openScene();
    mkdirSync(scene.path("place"));
    writeFileSync(scene.path("place", "job"), "#!/bin/sh\npwd\n", { mode: 0o755 });
    const run = scene.run({ engine: "none", command: "./job", working_dir: scene.path("place") });
    const worker = await scene.worker();
    expect((await scene.server.waitForEnd(run.id)).name).toBe("Completed");
    await scene.logged(run, scene.path("place"));
    expect(await stop(worker)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });

  it("goes on when its run is deleted while it runs, and gives the slot to the next", async ({ expect }) => {
    await using scene = await openScene();
    const run = scene.script(`until [ -e ${scene.path("go")} ]; do sleep 0.02; done`);
    const worker = await scene.worker({ args: ["--limit", "1"] });
    await scene.server.waitForState(run.id, "RUNNING");
    const next = scene.script("exit 0");
    scene.server.store.flowRuns.delete(run.id);
    writeFileSync(scene.path("go"), "");
    expect((await scene.server.waitForEnd(next.id)).name).toBe("Completed");
    await worker.waitForLine(new RegExp(`Flow run '${run.name}' ended as Deleted`), 10_000);
    expect(await stop(worker)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });
});
