import { describe, it } from "vitest";

import { FakeEngine } from "../../support/fake-engine.ts";
import { watchedWorker } from "../ops/watched-worker.ts";
import { openScene, POOL, stop } from "./scene.ts";

import type { FakeFlowRun } from "../../support/fake-prefect/store.ts";
import type { Scene } from "./scene.ts";

const AWAY = /The Docker engine at unix:\S+ \(from DOCKER_HOST\) cannot be reached/;
const NOT_TAKEN = /The Docker engine does not answer; no flow runs are taken/;

describe.concurrent("the Docker engine of a worker", () => {
  async function dockerScene(): Promise<Scene> {
    const scene = await openScene();
    const pool = scene.server.store.workPools.get(POOL);
    if (pool !== undefined) pool.type = "docker";
    return scene;
  }

  const program = (scene: Scene, name: string): FakeFlowRun =>
    scene.run({ engine: "none", command: "true", image: "some:1" }, { run: { name } });

  it("that is away lets no run be claimed until it is back", async ({ expect }) => {
    await using scene = await dockerScene();
    await using engine = await FakeEngine.start();
    engine.onStart = (container) => engine.end(container);
    await engine.goDown();
    const run = program(scene, "late");
    const worker = await watchedWorker(scene, { env: { DOCKER_HOST: engine.host } });
    await worker.process.waitForLine(NOT_TAKEN, 10_000);
    const { text } = await worker.until(
      "/readyz",
      ({ status, text: why }) => status === 503 && AWAY.test(why),
    );
    expect(text).not.toMatch(/No poll/);
    expect((await worker.get("/livez")).status).toBe(200);
    expect((await worker.get("/metrics")).text).toMatch(/^lighterman_ready 0$/m);
    expect((await worker.get("/status")).json()["complaints"]).toEqual([expect.stringMatching(AWAY)]);
    await worker.until("/status", (page) => page.json()["last_poll"] !== null);
    await engine.listen();
    expect((await scene.server.waitForEnd(run.id)).name).toBe("Completed");
    expect(scene.server.historyOf(run.id)).toEqual([
      "SCHEDULED",
      "PENDING",
      "PENDING",
      "RUNNING",
      "COMPLETED",
    ]);
    await worker.until("/readyz", ({ status }) => status === 200);
    expect(await stop(worker.process)).toBe(0);
    expect(worker.process.lines.filter((line) => /does not answer/.test(line))).toHaveLength(1);
    expect(scene.leftovers()).toEqual([]);
  });

  it("that goes away while a run is being started makes the worker hand the run back", async ({ expect }) => {
    await using scene = await dockerScene();
    await using engine = await FakeEngine.start();
    engine.onStart = (container) => engine.end(container);
    engine.fault = (request) => (request.endsWith("/create") ? { kind: "hang" } : undefined);
    const run = program(scene, "early");
    const worker = await scene.worker({ env: { DOCKER_HOST: engine.host } });
    await scene.server.waitFor("its container is being made", () =>
      engine.requests.includes("POST /containers/create") ? true : undefined,
    );
    await engine.goDown();
    await worker.waitForLine(NOT_TAKEN, 10_000);
    const other = program(scene, "later");
    await worker.waitForLine(
      /Flow run 'early' was not started: Nothing can be started at the moment/,
      30_000,
    );
    expect(scene.server.stateOf(run.id)).toMatchObject({
      name: "AwaitingRetry",
      message: expect.stringMatching(AWAY) as unknown,
    });
    expect(scene.server.historyOf(other.id)).toEqual(["SCHEDULED"]);
    engine.fault = () => undefined;
    await engine.listen();
    for (const { id } of [run, other]) expect((await scene.server.waitForEnd(id)).name).toBe("Completed");
    expect(engine.requests.filter((request) => request.endsWith("/start"))).toHaveLength(2);
    expect(await stop(worker)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });

  it("that goes away for good does not keep a worker that is told twice to go", async ({ expect }) => {
    await using scene = await dockerScene();
    await using engine = await FakeEngine.start();
    const run = program(scene, "lasting");
    const worker = await scene.worker({ env: { DOCKER_HOST: engine.host } });
    await scene.server.waitFor("its container runs", () =>
      scene.server.store.flowRuns.get(run.id)?.infrastructure_pid == null ? undefined : true,
    );
    await engine.goDown();
    worker.signal("SIGTERM");
    await worker.waitForLine(/Stopping: no new flow runs/, 10_000);
    worker.signal("SIGTERM");
    expect((await worker.end(15_000)).code).toBe(143);
    expect(worker.output).toMatch(/Flow run 'lasting' is left to the next worker/);
    expect(scene.server.stateOf(run.id).type).toBe("RUNNING");
    // For the next worker.
    expect(scene.leftovers()).toEqual([
      expect.stringMatching(/^journal/),
      expect.stringMatching(/^workspace/),
    ]);
  });
});
