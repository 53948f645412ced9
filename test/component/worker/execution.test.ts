import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "vitest";

import { TestProcess } from "../../support/test-process.ts";
import { processesOf, workerBundle } from "../../support/worker-process.ts";
import { openScene, PROGRAMS, PYTHON, QUICK } from "./scene.ts";

import type { FakeFlowRun } from "../../support/fake-prefect/store.ts";
import type { Scene } from "./scene.ts";

/** `lighterman flow-run execute`, as a container runs it for a run that a worker has claimed. */
function execute(scene: Scene, run: FakeFlowRun, mode: string, env: Record<string, string> = {}) {
  return new TestProcess(process.execPath, [workerBundle, "flow-run", "execute"], {
    name: "lighterman flow-run execute",
    cwd: scene.home.path,
    env: {
      ...scene.home.env,
      ...QUICK,
      PREFECT_API_URL: scene.server.apiUrl,
      PREFECT__FLOW_RUN_ID: run.id,
      LIGHTERMAN_PYTHON: PYTHON,
      PYTHONPATH: PROGRAMS,
      ENGINE_MODE: mode,
      ENGINE_DIARY: scene.path("diary"),
      ...env,
    },
  });
}

const CLAIMED = { run: { stateType: "PENDING", infrastructure_pid: "engine:container" } } as const;

/** Nothing of it is left: no process, no directory. */
function leftovers(scene: Scene): readonly string[] {
  return [
    ...processesOf(scene.home).map(({ argv }) => argv),
    ...readdirSync(join(scene.home.path, "tmp")).filter((name) => name.startsWith("lighterman-flow-run-")),
  ];
}

describe.concurrent("flow-run execute", () => {
  it.for<[mode: string, state: string, status: number]>([
    ["complete", "Completed", 0],
    ["fail", "Failed", 1],
    ["die", "Crashed", 137],
    ["exit", "Crashed", 0],
  ])("an engine that does '%s' ends as %s, with status %s", async ([mode, state, status], { expect }) => {
    await using scene = await openScene();
    const run = scene.engine(mode, CLAIMED);
    await using command = execute(scene, run, mode);
    expect((await command.end()).code).toBe(status);
    expect(scene.server.stateOf(run.id).name).toBe(state);
    expect(await scene.written("diary", mode === "exit" ? 0 : 1)).toEqual(mode === "exit" ? [] : [run.id]);
    // What belongs to the worker that has started the container is left alone.
    expect(run.infrastructure_pid).toBe("engine:container");
    expect(run.labels).toEqual({});
    expect(scene.server.historyOf(run.id).filter((type) => type === "PENDING")).toHaveLength(1);
    const events = scene.server.postedEvents.map(({ event }) => event);
    expect(events).toEqual(["prefect.flow-run.pull-step.executed"]);
    expect(leftovers(scene)).toEqual([]);
  });

  it.for(["COMPLETED", "CANCELLED", "CRASHED"] as const)(
    "starts nothing for a run that is %s",
    async (type, { expect }) => {
      await using scene = await openScene();
      const run = scene.engine("complete", { run: { stateType: type } });
      await using command = execute(scene, run, "complete");
      expect((await command.end()).code).toBe(0);
      expect(command.output).toMatch(/is not started: it has ended already as /);
      expect(scene.server.historyOf(run.id)).toEqual([type]);
      expect(leftovers(scene)).toEqual([]);
    },
  );

  it("concludes a run that is cancelled already", async ({ expect }) => {
    await using scene = await openScene();
    const run = scene.engine("complete", { run: { ...CLAIMED.run, stateType: "CANCELLING" } });
    await using command = execute(scene, run, "complete");
    expect((await command.end()).code).toBe(0);
    expect(scene.server.stateOf(run.id)).toMatchObject({
      name: "Cancelled",
      message: "Flow run was cancelled before execution started.",
    });
    expect(leftovers(scene)).toEqual([]);
  });

  it.for<[mode: string, notes: readonly string[]]>([
    ["wait", ["intent c", "SIGTERM"]],
    ["deaf", []],
    ["stubborn", []],
  ])("ends a cancelled engine (%s), announced by an event", async ([mode, notes], { expect }) => {
    await using scene = await openScene();
    const run = scene.engine(mode, CLAIMED);
    await using command = execute(scene, run, mode);
    await scene.server.waitForState(run.id, "RUNNING");
    await scene.server.waitFor("a subscription", () => scene.server.eventSockets.filters.length || undefined);
    scene.server.cancel(run.id);
    expect((await command.end()).code).toBe(0);
    expect(scene.server.stateOf(run.id)).toMatchObject({
      name: "Cancelled",
      message: "Flow run was cancelled successfully.",
    });
    expect(await scene.written("diary")).toEqual([run.id, ...notes]);
    expect(scene.server.postedEvents.at(-1)).toMatchObject({
      event: "prefect.runner.cancelled-flow-run",
      resource: { "prefect.resource.id": "prefect.runner.standalone" },
    });
    expect(leftovers(scene)).toEqual([]);
  });

  it("takes SIGTERM for a cancellation when the run is being cancelled", async ({ expect }) => {
    await using scene = await openScene();
    scene.server.eventSockets.refuseWith = 403;
    const run = scene.engine("wait", CLAIMED);
    await using command = execute(scene, run, "wait");
    await scene.server.waitForState(run.id, "RUNNING");
    scene.server.cancel(run.id);
    command.signal("SIGTERM");
    expect((await command.end()).code).toBe(0);
    expect(scene.server.stateOf(run.id).name).toBe("Cancelled");
    expect(await scene.written("diary", 3)).toEqual([run.id, "intent c", "SIGTERM"]);
  });

  it.for<[behavior: string, mode: string, state: string, status: number, notes: readonly string[]]>([
    ["crash", "deaf", "Crashed", 143, []],
    ["reschedule", "wait", "AwaitingRetry", 0, ["intent r", "SIGTERM"]],
    ["reschedule", "deaf", "AwaitingRetry", 0, []],
    ["relinquish", "wait", "Running", 1, ["intent q", "SIGTERM"]],
    ["relinquish", "stubborn", "Running", 1, []],
  ])(
    "SIGTERM with '%s' and an engine that does '%s' gives %s",
    async ([behavior, mode, state, status, notes], { expect }) => {
      await using scene = await openScene();
      const run = scene.engine(mode, CLAIMED);
      const env = { PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR: behavior, LIGHTERMAN_KILL_GRACE: "30s" };
      await using command = execute(scene, run, mode, env);
      await scene.server.waitForState(run.id, "RUNNING");
      command.signal("SIGTERM");
      expect((await command.end(20_000)).code).toBe(status);
      expect(scene.server.stateOf(run.id).name).toBe(state);
      expect(await scene.written("diary")).toEqual([run.id, ...notes]);
      expect(leftovers(scene)).toEqual([]);
    },
  );

  it("SIGTERM during the pull steps hands the run back", async ({ expect }) => {
    await using scene = await openScene();
    const steps = [
      {
        "prefect.deployments.steps.run_shell_script": {
          script: `sh -c 'echo up > ${scene.path("up")}; sleep 600'`,
        },
      },
    ];
    const run = scene.engine("complete", { ...CLAIMED, steps });
    await using command = execute(scene, run, "complete");
    await scene.written("up");
    command.signal("SIGTERM");
    expect((await command.end()).code).toBe(0);
    expect(scene.server.stateOf(run.id).name).toBe("AwaitingRetry");
    expect(leftovers(scene)).toEqual([]);
  });

  it("pull steps that fail crash the run with what they said, and the status is 1", async ({ expect }) => {
    await using scene = await openScene();
    const steps = [{ "prefect.deployments.steps.set_working_directory": { directory: "/no/such/place" } }];
    const run = scene.engine("complete", { ...CLAIMED, steps });
    await using command = execute(scene, run, "complete");
    expect((await command.end()).code).toBe(1);
    const { name, message } = scene.server.stateOf(run.id);
    expect(name).toBe("Crashed");
    expect(message).toContain(
      "Pull step 1 of 1 (prefect.deployments.steps.set_working_directory) failed: There is no directory /no/such/place",
    );
    expect(leftovers(scene)).toEqual([]);
  });

  it("finds code that an image brings from where it was started, with the first step only", async ({
    expect,
  }) => {
    await using scene = await openScene();
    mkdirSync(scene.path("code"));
    writeFileSync(scene.path("code", "flow.py"), "");
    const into = (directory: string) => ({
      "prefect.deployments.steps.set_working_directory": { directory },
    });
    const run = scene.engine("complete", { ...CLAIMED, steps: [into("code"), into(".")] });
    await using command = execute(scene, run, "complete");
    expect((await command.end()).code).toBe(0);
    const second = scene.engine("complete", { ...CLAIMED, steps: [into("."), into("code"), into("code")] });
    await using failing = execute(scene, second, "complete");
    expect((await failing.end()).code).toBe(1);
    expect(scene.server.stateOf(second.id).message).toContain(
      `There is no directory ${scene.path("code", "code")}`,
    );
  });

  it("without pull steps takes the deployment's path from where it was started", async ({ expect }) => {
    await using scene = await openScene();
    mkdirSync(scene.path("code"));
    writeFileSync(scene.path("code", "flow.py"), "");
    const run = scene.engine("complete", { ...CLAIMED, steps: [], deployment: { path: "code" } });
    await using command = execute(scene, run, "complete");
    expect((await command.end()).code).toBe(0);
    expect(scene.server.stateOf(run.id).name).toBe("Completed");
  });

  it("says what is wrong with the id", async ({ expect }) => {
    await using scene = await openScene();
    const run = scene.engine("complete", CLAIMED);
    await using nameless = execute(scene, run, "complete", { PREFECT__FLOW_RUN_ID: "" });
    expect((await nameless.end()).code).toBe(2);
    expect(nameless.output).toContain("Nothing says which flow run to execute");
    await using unknown = execute(scene, run, "complete", {
      PREFECT__FLOW_RUN_ID: "00000000-0000-4000-8000-000000000000",
    });
    expect((await unknown.end()).code).toBe(1);
    expect(unknown.output).toContain("There is no flow run 00000000-0000-4000-8000-000000000000");
  });
});
