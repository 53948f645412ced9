import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, inject, it } from "vitest";
import { until } from "../support/deadline.ts";
import { PrefectApi, uniqueName } from "../support/prefect-api.ts";
import { prefectProgram } from "../support/prefect-server.ts";
import { isAlive } from "../support/proc.ts";
import { TestProcess } from "../support/test-process.ts";
import { WorkerHome, workerBundle } from "../support/worker-process.ts";
import type { FlowRun } from "../support/prefect-api.ts";

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));
const api = new PrefectApi(inject("prefect3Url"));
const inFixtures = { "prefect.deployments.steps.set_working_directory": { directory: fixtures } };

describe("flow-run execute, on 3.8.8", () => {
  const pool = uniqueName("execute");
  let home: WorkerHome;
  let directory: string;

  beforeAll(async () => {
    home = await WorkerHome.create();
    directory = await mkdtemp(join(tmpdir(), "marks-"));
    await api.createPool(pool);
  });
  afterAll(async () => {
    await home.sweep();
    await rm(directory, { recursive: true, force: true });
  });

  /** A run as a worker has claimed it. */
  async function claimed(
    flow: string,
    parameters: Record<string, unknown>,
    steps: readonly Record<string, unknown>[] = [inFixtures],
  ): Promise<FlowRun> {
    const run = await api.run(
      await api.createDeployment({ pool, entrypoint: `flows.py:${flow}`, pullSteps: [...steps], parameters }),
    );
    await api.call("POST", `/flow_runs/${run.id}/set_state`, { state: { type: "PENDING" } });
    return run;
  }

  function execute(
    who: "ours" | "Python's",
    run: FlowRun,
    env: Record<string, string> = {},
    cwd = home.path,
  ): TestProcess {
    const command =
      who === "ours"
        ? ([process.execPath, workerBundle] as const)
        : ([prefectProgram(3, "python"), "-m", "prefect"] as const);
    const [program, ...args] = command;
    return new TestProcess(program, [...args, "flow-run", "execute"], {
      name: `${who} flow-run execute`,
      cwd,
      env: {
        ...home.env,
        LIGHTERMAN_PYTHON: prefectProgram(3, "python"),
        PREFECT_API_URL: api.url,
        PREFECT__FLOW_RUN_ID: run.id,
        ...env,
      },
    });
  }

  const marksOf = async (path: string): Promise<readonly string[]> =>
    (await readFile(path, "utf8").catch(() => "")).split("\n").filter((line) => line !== "");

  /** Starts a flow that sleeps, and waits until it does. */
  async function sleeping(env: Record<string, string> = {}) {
    const marks = join(directory, uniqueName("marks"));
    const run = await claimed("sleeps", { marks });
    const command = execute("ours", run, env);
    const line = await until("the flow has started", async () => (await marksOf(marks))[0], {
      detail: () => command.output,
    });
    await api.waitFor(run, ["RUNNING"]);
    const pids = line.split(" ").slice(1).map(Number);
    return {
      run,
      command,
      marks,
      hasEnded: () => until("its processes are gone", () => !pids.some(isAlive)),
    };
  }

  it.for(["ours", "Python's"] as const)(
    "%s runs a flow from pull steps, with code that lies where it was started",
    async (who, { expect }) => {
      await writeFile(
        join(directory, "baked.py"),
        "import os\nfrom prefect import flow\n@flow(log_prints=True)\ndef here():\n    print('runs in', os.getcwd())\n",
      );
      const step = { "prefect.deployments.steps.set_working_directory": { directory: "." } };
      const deployment = await api.createDeployment({ pool, entrypoint: "baked.py:here", pullSteps: [step] });
      const run = await api.run(deployment);
      await api.call("POST", `/flow_runs/${run.id}/set_state`, { state: { type: "PENDING" } });
      await using command = execute(who, run, {}, directory);
      expect((await command.end()).code).toBe(0);
      expect(await api.states(run)).toEqual(["SCHEDULED", "PENDING", "RUNNING", "COMPLETED"]);
      await api.waitForLog(run, new RegExp(`^runs in ${directory}$`));
      await api.waitForLog(run, /^Running 1 deployment pull step\(s\)$/);
      // Of the engine's own output.
      expect(command.output).toContain("Finished in state Completed()");
    },
  );

  it("cancels: the hook runs once, and the run is CANCELLED", async ({ expect }) => {
    const { run, command, marks, hasEnded } = await sleeping();
    await using _ = command;
    await api.cancel(run);
    expect((await command.end()).code).toBe(0);
    expect((await api.flowRun(run.id)).state).toMatchObject({ type: "CANCELLED" });
    expect(await marksOf(marks)).toEqual([expect.stringMatching(/^started/), "cancelled"]);
    expect(await api.states(run)).not.toContain("CRASHED");
    await hasEnded();
  });

  it.for<[behavior: string, state: string, status: number, hooks: readonly string[]]>([
    // The engine ends with 0 once it has reported.
    ["crash", "Crashed", 0, ["crashed"]],
    ["reschedule", "AwaitingRetry", 0, []],
    ["relinquish", "Running", 1, []],
  ])("SIGTERM with '%s' leaves the run %s", async ([behavior, state, status, hooks], { expect }) => {
    const { run, command, marks, hasEnded } = await sleeping({
      PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR: behavior,
    });
    await using _ = command;
    command.signal("SIGTERM");
    expect((await command.end()).code).toBe(status);
    expect((await api.flowRun(run.id)).state.name).toBe(state);
    expect((await marksOf(marks)).slice(1)).toEqual(hooks);
    await hasEnded();
  });

  it("crashes a run whose code cannot be fetched, with the reason", async ({ expect }) => {
    const step = { "prefect.deployments.steps.git_clone": { repository: join(directory, "nowhere") } };
    const run = await claimed("sleeps", {}, [step]);
    await using command = execute("ours", run);
    expect((await command.end()).code).toBe(1);
    const { state } = await api.flowRun(run.id);
    expect(state.type).toBe("CRASHED");
    expect(state.message).toContain("Pull step 1 of 1 (prefect.deployments.steps.git_clone) failed: ");
  });
});
