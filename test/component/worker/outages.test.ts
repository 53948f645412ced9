import { writeFileSync } from "node:fs";
import { describe, it } from "vitest";

import { openScene, stop } from "./scene.ts";

import type { Fault } from "../../support/fake-prefect/faults.ts";

const STORMS: Readonly<Record<string, Fault>> = {
  "503 with Retry-After": { kind: "status", status: 503, headers: { "retry-after": "0.1" } },
  "429": { kind: "status", status: 429, headers: { "retry-after": "0.1" } },
  "500": { kind: "status", status: 500 },
  "401, as when a key is replaced": { kind: "status", status: 401 },
  "pages of a proxy": { kind: "html" },
  "404 pages of a proxy": {
    kind: "status",
    status: 404,
    headers: { "content-type": "text/html" },
    body: "<h1>Not here</h1>",
  },
  "answers that never come": { kind: "hang" },
  "answers that never end": { kind: "stall-body" },
  "broken connections": { kind: "reset" },
};

describe.concurrent("an outage", () => {
  it.for(Object.entries(STORMS))("of %s ends no worker and loses no run", async ([, fault], { expect }) => {
    await using scene = await openScene();
    const before = scene.script(
      `until [ -e ${scene.path("go")} ]; do sleep 0.02; done; echo before >>${scene.path("diary")}`,
    );
    const env = { LIGHTERMAN_API_DEADLINE: "0.5s", PREFECT_CLIENT_MAX_RETRIES: "1" };
    const worker = await scene.worker({ env });
    await scene.server.waitForState(before.id, "RUNNING");
    const outage = scene.server.fault(fault);
    const during = scene.script(`echo during >>${scene.path("diary")}`);
    writeFileSync(scene.path("go"), "");
    await scene.server.waitFor("some casualties", () => outage.hits >= 8 || undefined);
    outage.clear();
    for (const { id } of [before, during]) expect((await scene.server.waitForEnd(id)).name).toBe("Completed");
    expect(await stop(worker)).toBe(0);
    expect((await scene.written("diary", 2)).toSorted()).toEqual(["before", "during"]);
    expect(scene.leftovers()).toEqual([]);
  });

  it("before the start is waited for, and said", async ({ expect }) => {
    await using scene = await openScene();
    const run = scene.script("exit 0");
    await scene.server.goDown();
    const worker = await scene.worker();
    await worker.waitForLine(/The Prefect API does not answer; the worker keeps trying/, 10_000);
    await scene.server.listen();
    expect((await scene.server.waitForEnd(run.id)).name).toBe("Completed");
    expect(await stop(worker)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });

  it("while a run ends keeps its final state until the server is back", async ({ expect }) => {
    await using scene = await openScene();
    const run = scene.script(`until [ -e ${scene.path("go")} ]; do sleep 0.02; done; exit 3`);
    const engine = scene.engine("gate", { env: { ENGINE_GATE: scene.path("go") } });
    const worker = await scene.worker();
    for (const { id } of [run, engine]) await scene.server.waitForState(id, "RUNNING");
    await scene.server.goDown();
    writeFileSync(scene.path("go"), "");
    await worker.waitForLine(/The end of a flow run could not be reported; trying again/, 10_000);
    await scene.server.listen();
    expect((await scene.server.waitForEnd(run.id)).name).toBe("Failed");
    expect((await scene.server.waitForEnd(engine.id)).name).toBe("Completed");
    expect(await stop(worker)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });

  it.for(["before", "after"] as const)(
    "of the answer to a hand-back does not undo another worker's claim (%s)",
    async (when, { expect }) => {
      await using scene = await openScene();
      const run = scene.engine("wait");
      const worker = await scene.worker({ args: ["--drain-timeout", "0s"] });
      await scene.server.waitForState(run.id, "RUNNING");
      const lost = scene.server.fault({ path: /set_state$/, times: 1, when, kind: "reset" });
      worker.signal("SIGTERM");
      await scene.server.waitFor("the lost answer", () => lost.hits || undefined);
      if (when === "after") {
        scene.server.setState(run.id, "PENDING");
        scene.server.setState(run.id, "RUNNING");
      }
      expect((await worker.end(10_000)).code).toBe(0);
      expect(scene.server.stateOf(run.id).name).toBe(when === "after" ? "Running" : "AwaitingRetry");
      expect(scene.leftovers()).toEqual([]);
    },
  );
});
