import { describe, it } from "vitest";

import { openScene, stop } from "./scene.ts";

import type { Json } from "../../../src/json/value.ts";
import type { RunFields, Scene } from "./scene.ts";

const shell = (script: string): Json => ({
  "prefect.deployments.steps.run_shell_script": { script, shell: true },
});

interface Case {
  readonly job?: Record<string, Json>;
  readonly fields?: RunFields;
  readonly message: RegExp;
  /** A line of the run's logs in the API. */
  readonly logged: RegExp;
}

const CASES: Readonly<Record<string, Case>> = {
  "a failing step": {
    fields: { steps: [shell("true"), shell("echo no such thing >&2; exit 4")] },
    message: /run_shell_script.* failed with error code 4.*no such thing/s,
    logged: /could not be started \(pull\): .*run_shell_script.*error code 4/s,
  },
  "a missing directory": {
    fields: {
      steps: [{ "prefect.deployments.steps.set_working_directory": { directory: "/does/not/exist" } }],
    },
    message: /set_working_directory.*There is no directory \/does\/not\/exist/s,
    logged: /There is no directory/,
  },
  "a missing entrypoint": {
    fields: { steps: [shell("touch other.py")] },
    message: /The entrypoint flow\.py:my_flow was not found.*holds: other\.py/s,
    logged: /could not be started \(pull\): .*was not found/s,
  },
  "a missing block": {
    job: { env: { TOKEN: "{{ prefect.blocks.secret.nowhere }}" } },
    message: /^Failed to submit flow run to infrastructure: .*nowhere/s,
    logged: /could not be started \(resolve\): /,
  },
  "an unknown program": {
    job: { engine: "none", command: "no-such-program --flag" },
    message: /^Failed to submit flow run to infrastructure: .*no-such-program was not found on PATH/s,
    logged: /could not be started \(launch\): .*no-such-program/s,
  },
  "a command that cannot be split": {
    job: { engine: "none", command: "echo 'open" },
    message: /^Failed to submit flow run to infrastructure: .*never closed/s,
    logged: /could not be started/,
  },
  "no command at all": {
    job: { engine: "none" },
    message: /^Failed to submit flow run to infrastructure: .*no command/s,
    logged: /could not be started/,
  },
};

describe.concurrent("a run that cannot be started", () => {
  it.for(Object.entries(CASES))("%s: it is CRASHED and says why", async ([, input], { expect }) => {
    await using scene = await openScene();
    const run = scene.run(input.job ?? {}, input.fields);
    const worker = await scene.worker({ args: ["--limit", "1"] });
    const state = await scene.server.waitForEnd(run.id);
    expect(state.name).toBe("Crashed");
    expect(state.message).toMatch(input.message);
    await expectNextToComplete(scene);
    expect(await stop(worker)).toBe(0);
    expect(scene.server.logsOf(run.id).filter((line) => input.logged.test(line))).toHaveLength(1);
    expect(scene.leftovers()).toEqual([]);
  });

  it("is CANCELLED when its deployment is gone", async ({ expect }) => {
    await using scene = await openScene();
    const run = scene.script("exit 0");
    scene.server.store.deployments.clear();
    const worker = await scene.worker({ args: ["--limit", "1"] });
    const state = await scene.server.waitForEnd(run.id);
    expect(state.name).toBe("Cancelled");
    expect(state.message).toMatch(/^Deployment .* no longer exists/);
    await expectNextToComplete(scene);
    expect(await stop(worker)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });

  it("is forgotten when it was deleted between the poll and the claim", async ({ expect }) => {
    await using scene = await openScene();
    const run = scene.script("exit 0");
    const hit = scene.server.fault({
      path: /set_state$/,
      times: 1,
      kind: "status",
      status: 404,
      body: { detail: "Flow run not found" },
    });
    const worker = await scene.worker({ args: ["--limit", "1"] });
    await worker.waitForLine(/was not started: The flow run does not exist any more/, 10_000);
    expect(hit.hits).toBe(1);
    scene.server.store.flowRuns.delete(run.id);
    await expectNextToComplete(scene);
    expect(await stop(worker)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });
});

async function expectNextToComplete(scene: Scene): Promise<void> {
  const { name } = await scene.server.waitForEnd(scene.script("exit 0").id);
  if (name !== "Completed") throw new Error(`The next run ended as ${name}`);
}
