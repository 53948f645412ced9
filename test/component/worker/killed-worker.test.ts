import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "vitest";

import { until } from "../../support/deadline.ts";
import { isAlive, listProcesses } from "../../support/proc.ts";
import { PROGRAMS, openScene, stop } from "./scene.ts";

import type { TestProcess } from "../../support/test-process.ts";

async function kill(worker: TestProcess): Promise<void> {
  worker.signal("SIGKILL");
  await worker.end();
}

describe.concurrent("after a kill -9 of the worker, the next one", () => {
  it.for(["before", "after"] as const)(
    "starts a run whose claim hung (%s its effect)",
    async (when, { expect }) => {
      await using scene = await openScene();
      const hang = scene.server.fault({ path: /set_state$/, kind: "hang", times: 1, when });
      const run = scene.script(`echo ran >>${scene.path("diary")}`);
      const first = await scene.worker();
      await scene.server.waitFor("the claim", () => hang.hits || undefined);
      await kill(first);
      const second = await scene.worker();
      expect((await scene.server.waitForEnd(run.id)).name).toBe("Completed");
      expect(await stop(second)).toBe(0);
      expect(await scene.written("diary")).toEqual(["ran"]);
      expect(scene.leftovers()).toEqual([]);
    },
  );

  it("gives a run its end back whose claim came after it", async ({ expect }) => {
    await using scene = await openScene();
    const held = scene.server.fault({ path: /set_state$/, kind: "hold", times: 1 });
    const run = scene.script(`echo ran >>${scene.path("diary")}`);
    const first = await scene.worker();
    await scene.server.waitFor("the claim", () => held.hits || undefined);
    const second = await scene.worker();
    await scene.server.waitForEnd(run.id);
    expect(await stop(second)).toBe(0);
    await kill(first);
    held.clear();
    await scene.server.waitFor("the late claim", () => run.state?.type === "PENDING" || undefined);
    const third = await scene.worker();
    expect((await scene.server.waitForEnd(run.id)).name).toBe("Completed");
    expect(await stop(third)).toBe(0);
    expect(await scene.written("diary")).toEqual(["ran"]);
    expect(scene.leftovers()).toEqual([]);
  });

  it("starts a run again whose pull steps were under way", async ({ expect }) => {
    await using scene = await openScene();
    const script = `echo pull >>${scene.path("diary")}; [ -e ${scene.path("go")} ] || sleep 600`;
    const steps = [{ "prefect.deployments.steps.run_shell_script": { script, shell: true } }];
    const run = scene.script(`echo ran >>${scene.path("diary")}`, { steps });
    const first = await scene.worker();
    await scene.written("diary");
    await kill(first);
    writeFileSync(scene.path("go"), "");
    const second = await scene.worker();
    expect((await scene.server.waitForEnd(run.id)).name).toBe("Completed");
    expect(await stop(second)).toBe(0);
    expect(await scene.written("diary", 3)).toEqual(["pull", "pull", "ran"]);
    expect(scene.leftovers()).toEqual([]);
  });

  it("concludes a run that was cancelled before its process started", async ({ expect }) => {
    await using scene = await openScene();
    const script = `echo pull >>${scene.path("diary")}; sleep 600`;
    const steps = [{ "prefect.deployments.steps.run_shell_script": { script, shell: true } }];
    // Of an earlier attempt that was handed back.
    const run = scene.script("echo started", { steps, run: { infrastructure_pid: "77" } });
    const first = await scene.worker();
    await scene.written("diary");
    await kill(first);
    scene.server.cancel(run.id);
    const second = await scene.worker();
    expect((await scene.server.waitForEnd(run.id)).name).toBe("Cancelled");
    expect(await stop(second)).toBe(0);
    expect(scene.server.logsOf(run.id)).not.toContain("started");
    expect(scene.leftovers()).toEqual([]);
  });

  it("finds a process that was started, but not noted", async ({ expect }) => {
    await using scene = await openScene();
    const run = scene.engine("gate", {
      env: { ENGINE_GATE: scene.path("go"), ENGINE_DIARY: scene.path("diary") },
    });
    const first = await scene.worker();
    await scene.server.waitForState(run.id, "RUNNING");
    await kill(first);
    const [entry = ""] = readdirSync(scene.path(".lighterman", "journal"));
    const file = scene.path(".lighterman", "journal", entry);
    const { handle: _, ...noted } = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
    writeFileSync(file, JSON.stringify({ ...noted, phase: "claimed" }));
    const second = await scene.worker();
    await second.waitForLine(/Settling 1 flow runs/, 10_000);
    writeFileSync(scene.path("go"), "");
    await second.waitForLine(/ended as Completed/, 10_000);
    expect(await scene.written("diary")).toEqual([run.id]);
    expect(await stop(second)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });

  it.for(["command", "engine"] as const)(
    "starts a run again whose process is still on its way, which then ends without running the %s",
    async (kind, { expect }) => {
      await using scene = await openScene();
      const diary = scene.path("diary");
      const run =
        kind === "command"
          ? scene.script(`echo $PREFECT__FLOW_RUN_ID >>${diary}`)
          : scene.engine("complete", { env: { ENGINE_DIARY: diary } });
      const go = scene.path("go");
      const hold = `--import ${join(PROGRAMS, "late-start.mjs")}`;
      const first = await scene.worker({ env: { NODE_OPTIONS: hold, LATE_START: go } });
      expect((await first.end()).signal).toBe("SIGKILL");
      const second = await scene.worker();
      expect((await scene.server.waitForEnd(run.id)).name).toBe("Completed");
      writeFileSync(go, "");
      await until(
        "the end of the late process",
        () => !listProcesses().some(({ argv }) => argv.includes(go)),
      );
      expect(await stop(second)).toBe(0);
      expect(await scene.written("diary")).toEqual([run.id]);
      expect(scene.leftovers()).toEqual([]);
    },
  );

  it("watches an engine that still runs", async ({ expect }) => {
    await using scene = await openScene();
    const run = scene.engine("gate", {
      env: { ENGINE_GATE: scene.path("go"), ENGINE_DIARY: scene.path("diary") },
    });
    const first = await scene.worker();
    await scene.server.waitForState(run.id, "RUNNING");
    await kill(first);
    const second = await scene.worker();
    await second.waitForLine(/Settling 1 flow runs/, 10_000);
    expect(isAlive(Number(run.infrastructure_pid))).toBe(true);
    writeFileSync(scene.path("go"), "");
    await second.waitForLine(/ended as Completed/, 10_000);
    expect(scene.server.historyOf(run.id)).toEqual([
      "SCHEDULED",
      "PENDING",
      "PENDING",
      "RUNNING",
      "COMPLETED",
    ]);
    expect(await scene.written("diary")).toEqual([run.id]);
    expect(await stop(second)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });

  it("reports an engine that died unwatched as CRASHED", async ({ expect }) => {
    await using scene = await openScene();
    const run = scene.engine("deaf");
    const first = await scene.worker();
    await scene.server.waitForState(run.id, "RUNNING");
    await kill(first);
    process.kill(Number(run.infrastructure_pid), "SIGKILL");
    const second = await scene.worker();
    const state = await scene.server.waitForEnd(run.id);
    expect(state.name).toBe("Crashed");
    expect(state.message).toMatch(/ended while no worker was watching/);
    expect(await stop(second)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });

  it("cancels a run that it adopted", async ({ expect }) => {
    await using scene = await openScene();
    const run = scene.engine("deaf");
    const first = await scene.worker();
    await scene.server.waitForState(run.id, "RUNNING");
    await kill(first);
    const second = await scene.worker();
    await second.waitForLine(/Settling 1 flow runs/, 10_000);
    await scene.server.waitFor("a subscription", () => scene.server.eventSockets.filters.length || undefined);
    scene.server.cancel(run.id);
    expect((await scene.server.waitForEnd(run.id)).name).toBe("Cancelled");
    expect(await stop(second)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });

  it.for<[string, string, number]>([
    ["COMPLETED", "Completed", 0],
    ["FAILED", "Failed", 3],
  ])("delivers a report of %s that hung", async ([, name, code], { expect }) => {
    await using scene = await openScene();
    const run = scene.script(
      `echo ran >>${scene.path("diary")}; until [ -e ${scene.path("go")} ]; do sleep 0.02; done; exit ${code}`,
    );
    const first = await scene.worker();
    await scene.written("diary");
    const hang = scene.server.fault({ path: /set_state$/, kind: "hang", times: 1 });
    writeFileSync(scene.path("go"), "");
    await scene.server.waitFor("the report", () => hang.hits || undefined);
    await kill(first);
    const second = await scene.worker();
    expect((await scene.server.waitForEnd(run.id)).name).toBe(name);
    expect(await stop(second)).toBe(0);
    expect(await scene.written("diary")).toEqual(["ran"]);
    expect(scene.leftovers()).toEqual([]);
  });

  it("leaves the runs of a worker that lives alone", async ({ expect }) => {
    await using scene = await openScene();
    const run = scene.script(`until [ -e ${scene.path("go")} ]; do sleep 0.02; done`);
    const first = await scene.worker();
    await scene.server.waitForState(run.id, "RUNNING");
    const second = await scene.worker();
    await second.waitForLine(/started: pool/, 10_000);
    expect(await stop(second)).toBe(0);
    expect(second.output).not.toMatch(/Settling/);
    expect(scene.server.stateOf(run.id).type).toBe("RUNNING");
    writeFileSync(scene.path("go"), "");
    expect((await scene.server.waitForEnd(run.id)).name).toBe("Completed");
    expect(await stop(first)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });
});

describe.concurrent("a command run that outlives its worker", () => {
  it.for<[end: string, state: string, watched: boolean]>([
    ["exit 0", "Completed", true],
    ["exit 0", "Completed", false],
    ["exit 3", "Failed", true],
    ["exit 3", "Failed", false],
    ["kill -SEGV $$", "Crashed", true],
    ["kill -SEGV $$", "Crashed", false],
  ])(
    "ends by its own exit status: %s is %s (watched again: %s)",
    async ([end, name, isWatched], { expect }) => {
      await using scene = await openScene();
      const run = scene.script(
        `until [ -e ${scene.path("go")} ]; do sleep 0.02; done; echo last words; ${end}`,
      );
      const first = await scene.worker();
      await scene.server.waitFor("its pid", () => run.infrastructure_pid ?? undefined);
      await kill(first);
      if (!isWatched) {
        writeFileSync(scene.path("go"), "");
        while (isAlive(Number(run.infrastructure_pid)))
          await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const second = await scene.worker();
      if (isWatched) {
        await second.waitForLine(/Settling 1 flow runs/, 10_000);
        writeFileSync(scene.path("go"), "");
      }
      const state = await scene.server.waitForEnd(run.id);
      expect(state.name).toBe(name);
      if (name === "Failed")
        expect(state.message).toMatch(/^Command exited with status code: 3\. .*last words$/s);
      if (name === "Crashed") expect(state.message).toMatch(/status code: -11\..*last words$/s);
      expect(await stop(second)).toBe(0);
      expect(scene.leftovers()).toEqual([]);
    },
  );
});
