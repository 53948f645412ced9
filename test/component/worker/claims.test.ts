import { describe, it } from "vitest";

import { openScene, stop } from "./scene.ts";

import type { Fault } from "../../support/fake-prefect/faults.ts";

const CLAIM = { method: "POST", path: /set_state$/, times: 1 } as const;

describe.concurrent("a claim", () => {
  it.for<[string, Pick<Fault, "kind" | "status" | "when">]>([
    ["answered 500 after it took effect", { kind: "status", status: 500, when: "after" }],
    ["answered 500 without effect", { kind: "status", status: 500 }],
    ["reset after it took effect", { kind: "reset", when: "after" }],
    ["cut off after it took effect", { kind: "cut-body", when: "after" }],
    ["never answered after it took effect", { kind: "hang", when: "after" }],
    ["answered with a page after it took effect", { kind: "html", when: "after" }],
  ])("%s: the run is executed once", async ([, fault], { expect }) => {
    await using scene = await openScene();
    const fired = scene.server.fault({ ...CLAIM, ...fault });
    const run = scene.script(`echo ran >>${scene.path("diary")}`);
    const worker = await scene.worker({ env: { LIGHTERMAN_API_DEADLINE: "1s" } });
    expect((await scene.server.waitForEnd(run.id)).name).toBe("Completed");
    expect(fired.hits).toBe(1);
    expect(await stop(worker)).toBe(0);
    expect(await scene.written("diary")).toEqual(["ran"]);
    expect(scene.server.historyOf(run.id).filter((type) => type === "RUNNING")).toHaveLength(1);
    expect(scene.leftovers()).toEqual([]);
  });

  it("that was repeated after it took effect is held to be what it is", async ({ expect }) => {
    await using scene = await openScene();
    const fired = scene.server.fault({ ...CLAIM, kind: "status", status: 503, when: "after" });
    const run = scene.script("exit 0");
    const worker = await scene.worker({ env: { PREFECT_CLIENT_MAX_RETRIES: "3" } });
    expect((await scene.server.waitForEnd(run.id)).name).toBe("Completed");
    expect(fired.hits).toBe(1);
    expect(await stop(worker)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });

  it.for<[string, number]>([
    ["Completed", 0],
    ["Failed", 1],
  ])(
    "that arrives when another worker has ended the run as %s does not start it again",
    async ([name, code], { expect }) => {
      await using scene = await openScene();
      const held = scene.server.fault({ ...CLAIM, kind: "hold" });
      const run = scene.script(`echo ran >>${scene.path("diary")}; exit ${code}`);
      const first = await scene.worker();
      await scene.server.waitFor("the claim", () => held.hits || undefined);
      const second = await scene.worker();
      const end = await scene.server.waitForEnd(run.id);
      held.clear();
      await first.waitForLine(new RegExp(`It had ended as ${name} before`), 10_000);
      expect(scene.server.stateOf(run.id)).toMatchObject({ type: end.type, name, message: end.message });
      expect(await Promise.all([first, second].map(stop))).toEqual([0, 0]);
      expect(await scene.written("diary")).toEqual(["ran"]);
      expect(scene.leftovers()).toEqual([]);
    },
  );

  it("is won by one of two workers that share a data directory", async ({ expect }) => {
    await using scene = await openScene();
    const workers = await Promise.all([scene.worker(), scene.worker()]);
    for (const worker of workers) await worker.waitForLine(/started: pool/, 10_000);
    const runs = Array.from({ length: 30 }, () =>
      scene.script(`echo $PREFECT__FLOW_RUN_ID >>${scene.path("diary")}`),
    );
    for (const run of runs) expect((await scene.server.waitForEnd(run.id, 20_000)).name).toBe("Completed");
    expect(await Promise.all(workers.map(stop))).toEqual([0, 0]);
    expect((await scene.written("diary", 30)).toSorted()).toEqual(runs.map(({ id }) => id).toSorted());
    expect(scene.leftovers()).toEqual([]);
  });

  it("that is refused leaves the run alone, without a storm of requests", async ({ expect }) => {
    await using scene = await openScene();
    const answer = { status: "ABORT", state: null, details: { type: "abort_details", reason: "not today" } };
    scene.server.fault({ ...CLAIM, times: 100, kind: "status", status: 200, body: answer });
    const run = scene.script("exit 0");
    const worker = await scene.worker({
      args: ["--limit", "1"],
      env: { PREFECT_WORKER_QUERY_SECONDS: "0.1" },
    });
    await worker.waitForLine(/was not started: not today/, 10_000);
    await scene.server.waitForRequest({ path: /get_scheduled/ }, 12);
    expect(scene.server.requestsMatching({ path: /set_state$/ })).toHaveLength(1);
    expect(scene.server.stateOf(run.id).type).toBe("SCHEDULED");
    expect(await stop(worker)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });
});
