import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, inject, it } from "vitest";
import { MemoryGroup } from "../support/memory-group.ts";
import { PrefectApi, uniqueName } from "../support/prefect-api.ts";
import { startWorker } from "../support/worker-process.ts";
import type { FlowRun } from "../support/prefect-api.ts";
import type { RunningWorker } from "../support/worker-process.ts";

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));
const api = new PrefectApi(inject("prefect3Url"));

describe("how a run ends, on 3.8.8", () => {
  const pool = uniqueName("ends");
  let worker: RunningWorker;

  beforeAll(async () => {
    await api.createPool(pool);
    worker = await startWorker({ apiUrl: api.url, pool });
  });
  afterAll(() => worker[Symbol.asyncDispose]());

  async function start(entrypoint: string, pullSteps?: readonly object[], parameters = {}): Promise<FlowRun> {
    const deployment = await api.createDeployment({
      pool,
      entrypoint,
      pullSteps: (pullSteps ?? [
        { "prefect.deployments.steps.set_working_directory": { directory: fixtures } },
      ]) as Record<string, unknown>[],
      parameters,
    });
    return api.run(deployment);
  }

  it("a flow that raises is FAILED by its engine, with its error in the logs", async ({ expect }) => {
    const run = await start("flows.py:fails");
    const end = await api.waitForEnd(run);
    expect(end.state).toMatchObject({ type: "FAILED" });
    expect(end.state.message).toContain("the flow's own error");
    await api.waitForLog(run, /the flow's own error/);
  });

  it("a missing entrypoint file is CRASHED and the logs say which file", async ({ expect }) => {
    const run = await start("no_such_file.py:main");
    const end = await api.waitForEnd(run);
    expect(end.state.type).toBe("CRASHED");
    expect(end.state.message).toMatch(/no_such_file\.py|status code: 1/);
    await api.waitForLog(run, /no_such_file\.py/);
  });

  it("a missing function in the entrypoint is CRASHED and the logs say which", async ({ expect }) => {
    const run = await start("flows.py:no_such_flow");
    expect((await api.waitForEnd(run)).state.type).toBe("CRASHED");
    await api.waitForLog(run, /no_such_flow/);
  });

  it("a failing step is CRASHED; step, reason and tool output are in the message and the logs", async ({
    expect,
  }) => {
    const run = await start("flows.py:greet", [
      { "prefect.deployments.steps.set_working_directory": { directory: fixtures } },
      {
        "prefect.deployments.steps.run_shell_script": {
          script: "sh -c 'echo the disk is on fire >&2; exit 4'",
        },
      },
    ]);
    const end = await api.waitForEnd(run);
    expect(end.state.type).toBe("CRASHED");
    expect(end.state.message).toContain("run_shell_script");
    expect(end.state.message).toContain("the disk is on fire");
    await api.waitForLog(run, /run_shell_script[\s\S]*the disk is on fire/);
  });

  it("a process that exits in the middle is CRASHED with its exit code", async ({ expect }) => {
    const run = await start("flows.py:exits", undefined, { code: 7 });
    const end = await api.waitForEnd(run);
    expect(end.state).toMatchObject({ type: "CRASHED", message: expect.stringContaining("7") as string });
  });

  it("a child that is killed with -9 is CRASHED and says so", async ({ expect }) => {
    const run = await start("flows.py:sleeps", undefined, { marks: "/dev/null" });
    const running = await api.waitFor(run, ["RUNNING"]);
    process.kill(Number(running.infrastructure_pid), "SIGKILL");
    const end = await api.waitForEnd(run);
    expect(end.state).toMatchObject({
      type: "CRASHED",
      message: expect.stringMatching(/-9|SIGKILL/) as string,
    });
    await api.waitForLog(run, /-9|SIGKILL|memory/);
  });

  it("a child that the kernel kills for its memory is CRASHED and says so", async ({ expect }) => {
    const limited = uniqueName("memory");
    await api.createPool(limited);
    await using group = await MemoryGroup.create(limited, 300 * 1024 * 1024);
    await using small = await startWorker({ apiUrl: api.url, pool: limited });
    await group.add(small.process.pid);
    const deployment = await api.createDeployment({
      pool: limited,
      entrypoint: "flows.py:eats_memory",
      pullSteps: [{ "prefect.deployments.steps.set_working_directory": { directory: fixtures } }],
    });
    const run = await api.run(deployment);
    const end = await api.waitForEnd(run);
    expect(end.state).toMatchObject({ type: "CRASHED", message: expect.stringMatching(/memory/i) as string });
    await api.waitForLog(run, /memory/i);
    expect(small.process.isRunning, small.process.output).toBe(true);
  });

  it("one bad run does not hinder the next", async ({ expect }) => {
    const bad = await start("flows.py:greet", [{ "no_such_module.no_such_step": {} }]);
    const good = await start("flows.py:greet");
    expect((await api.waitForEnd(bad)).state.type).toBe("CRASHED");
    expect((await api.waitForEnd(good)).state.type).toBe("COMPLETED");
    expect(worker.process.isRunning).toBe(true);
  });
});
