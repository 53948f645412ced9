import { writeFileSync } from "node:fs";
import { describe, it } from "vitest";

import { isAlive } from "../../support/proc.ts";
import { openScene, PYTHON, stop } from "./scene.ts";

import type { FakeFlowRun } from "../../support/fake-prefect/store.ts";
import type { Scene } from "./scene.ts";

const FAMILY = `
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
print("child", child.pid, flush=True)
while True:
    time.sleep(60)
`;

/** Cancels as a user does, once the worker has subscribed to the server's events. */
async function cancel({ server }: Scene, run: FakeFlowRun): Promise<void> {
  await server.waitFor("a subscription", () => server.eventSockets.filters.length || undefined);
  server.cancel(run.id);
}

describe.concurrent("a cancelled run ends as CANCELLED", () => {
  it.for<[mode: string, notes: readonly string[]]>([
    ["wait", ["intent c", "SIGTERM"]],
    ["deaf", []],
    ["stubborn", []],
  ])("when its engine runs (%s), announced by an event", async ([mode, notes], { expect }) => {
    await using scene = await openScene();
    const run = scene.engine(mode, { env: { ENGINE_DIARY: scene.path("diary") } });
    const worker = await scene.worker({ env: { PREFECT_WORKER_QUERY_SECONDS: "300" } });
    await scene.server.waitForState(run.id, "RUNNING");
    await cancel(scene, run);
    const state = await scene.server.waitForEnd(run.id);
    expect(state).toMatchObject({ name: "Cancelled", message: "Flow run was cancelled successfully." });
    expect(await scene.written("diary")).toEqual([run.id, ...notes]);
    expect(await stop(worker)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
    const events = scene.server.postedEvents.map(({ event }) => event);
    expect(events).toContain("prefect.runner.cancelled-flow-run");
  });

  it("when only polling shows it", async ({ expect }) => {
    await using scene = await openScene();
    scene.server.eventSockets.refuseWith = 403;
    const run = scene.script("echo up; sleep 600");
    const worker = await scene.worker({ env: { LIGHTERMAN_CANCELLATION_POLL: "0.2s" } });
    await scene.logged(run, "up");
    scene.server.cancel(run.id);
    expect((await scene.server.waitForEnd(run.id)).name).toBe("Cancelled");
    expect(await stop(worker)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });

  it("when nobody noticed before its process had ended", async ({ expect }) => {
    await using scene = await openScene();
    scene.server.eventSockets.refuseWith = 403;
    const run = scene.script(`until [ -e ${scene.path("go")} ]; do sleep 0.02; done`);
    const worker = await scene.worker();
    await scene.server.waitForState(run.id, "RUNNING");
    scene.server.cancel(run.id);
    writeFileSync(scene.path("go"), "");
    expect((await scene.server.waitForEnd(run.id)).name).toBe("Cancelled");
    expect(await stop(worker)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });

  it("with everything that it has started, in whatever session", async ({ expect }) => {
    await using scene = await openScene();
    const run = scene.run({ engine: "none", command: [PYTHON, "-c", FAMILY] });
    const worker = await scene.worker();
    const line = await scene.server.waitFor("its child", () =>
      scene.server.logsOf(run.id).find((text) => text.startsWith("child ")),
    );
    const child = Number(line.split(" ")[1]);
    expect(isAlive(child)).toBe(true);
    await cancel(scene, run);
    expect((await scene.server.waitForEnd(run.id)).name).toBe("Cancelled");
    expect(isAlive(child)).toBe(false);
    expect(await stop(worker)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });

  it("while its steps pull, and the step ends", async ({ expect }) => {
    await using scene = await openScene();
    const script = `echo pulling >>${scene.path("diary")}; sleep 600`;
    const steps = [{ "prefect.deployments.steps.run_shell_script": { script, shell: true } }];
    const run = scene.script("echo started", { steps });
    const worker = await scene.worker();
    await scene.written("diary");
    await cancel(scene, run);
    const state = await scene.server.waitForEnd(run.id);
    expect(state).toMatchObject({
      name: "Cancelled",
      message: "Flow run was cancelled before execution started.",
    });
    expect(await stop(worker)).toBe(0);
    expect(scene.server.logsOf(run.id)).not.toContain("started");
    expect(scene.leftovers()).toEqual([]);
  });

  it("while its step fails", async ({ expect }) => {
    await using scene = await openScene();
    scene.server.eventSockets.refuseWith = 403;
    const script = `echo pulling >>${scene.path("diary")}; until [ -e ${scene.path("go")} ]; do sleep 0.02; done; exit 4`;
    const steps = [{ "prefect.deployments.steps.run_shell_script": { script, shell: true } }];
    const run = scene.script("exit 0", { steps });
    const worker = await scene.worker();
    await scene.written("diary");
    scene.server.cancel(run.id);
    writeFileSync(scene.path("go"), "");
    expect((await scene.server.waitForEnd(run.id)).name).toBe("Cancelled");
    expect(await stop(worker)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });

  it("before its claim was answered", async ({ expect }) => {
    await using scene = await openScene();
    // The first two proposals are the claim and Submitting.
    const hang = scene.server.fault({ path: /set_state$/, kind: "hang", times: 1, when: "after" });
    const run = scene.script("echo started");
    const worker = await scene.worker({ env: { LIGHTERMAN_API_DEADLINE: "1s" } });
    await scene.server.waitFor("the claim", () => hang.hits || undefined);
    await cancel(scene, run);
    expect((await scene.server.waitForEnd(run.id)).name).toBe("Cancelled");
    expect(await stop(worker)).toBe(0);
    expect(scene.server.logsOf(run.id)).not.toContain("started");
    expect(scene.leftovers()).toEqual([]);
  });

  it("at once when no worker has it", async ({ expect }) => {
    await using scene = await openScene();
    const run = scene.script("echo started", { run: { scheduledTime: new Date(Date.now() + 60_000) } });
    const worker = await scene.worker();
    await cancel(scene, run);
    expect(scene.server.historyOf(run.id)).toEqual(["SCHEDULED", "CANCELLED"]);
    expect(await stop(worker)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });

  it("although it waits for its scheduled time", async ({ expect }) => {
    await using scene = await openScene();
    const run = scene.script("echo started", { run: { scheduledTime: new Date(Date.now() + 8000) } });
    const worker = await scene.worker();
    await scene.server.waitForRequest(
      ({ path, body }) => path.endsWith(`${run.id}/set_state`) && JSON.stringify(body).includes("RUNNING"),
    );
    await cancel(scene, run);
    expect((await scene.server.waitForEnd(run.id, 3000)).name).toBe("Cancelled");
    expect(await stop(worker)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });
});
