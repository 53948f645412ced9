import { mkdirSync, realpathSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, it, onTestFinished } from "vitest";

import { StepError } from "../../../src/steps/errors.ts";
import { until } from "../../support/deadline.ts";
import { isAlive } from "../../support/proc.ts";
import { openStage as open } from "../../support/pull-stage.ts";

import type { Json } from "../../../src/json/value.ts";
import type { TestReferences, TestStage } from "../../support/pull-stage.ts";

function openStage(references?: TestReferences): TestStage {
  const stage = open(references);
  onTestFinished(() => stage.remove());
  return stage;
}

const SHELL = "prefect.deployments.steps.run_shell_script";
const CHDIR = "prefect.deployments.steps.set_working_directory";

describe("runPullSteps", () => {
  it("does nothing without steps", async ({ expect }) => {
    const stage = openStage();
    for (const steps of [null, [], [null, {}]]) {
      expect(await stage.run(steps)).toMatchObject({ directory: stage.cwd, outputs: {}, pythonPath: [] });
    }
    expect(stage.events).toEqual([]);
  });

  it("feeds a step's output to the next by id and by bare name, and logs as Prefect does", async ({
    expect,
  }) => {
    const stage = openStage();
    const pulled = await stage.run([
      { [SHELL]: { id: "first-one", script: "echo hello", stream_output: false } },
      {
        "prefect.deployments.steps.utility.run_shell_script": {
          script: "echo {{ first-one.stdout }} {{ stdout }} {{ missing }}",
        },
      },
    ]);
    expect(pulled.outputs).toEqual({
      "first-one": { stdout: "hello", stderr: "" },
      stdout: "hello hello",
      stderr: "",
    });
    expect(stage.lines).toEqual([
      "info: Running 2 deployment pull step(s)",
      "info: Executing deployment step: run_shell_script",
      "info: Deployment step 'run_shell_script' completed successfully",
      "info: Executing deployment step: run_shell_script",
      "output: hello hello",
      "info: Deployment step 'run_shell_script' completed successfully",
      "info: All deployment steps completed successfully",
    ]);
  });

  it("resolves blocks, variables and environment in this order, and reports the secrets but not in events", async ({
    expect,
  }) => {
    const stage = openStage({
      blocks: { "secret/token": { value: "s3cret {{ $WHO }}" } },
      variables: { greeting: "hi {{ WHO }}" },
    });
    stage.env["WHO"] = "env";
    const script =
      "echo {{ prefect.blocks.secret.token }} {{ prefect.variables.greeting }} {{ $WHO }} {{ WHO }}";
    const pulled = await stage.run([{ [SHELL]: { script, id: "x" } }]);
    expect(pulled.outputs["stdout"]).toBe("s3cret env hi env env");
    expect(stage.secrets).toContain("s3cret {{ $WHO }}");
    expect(stage.events).toEqual([
      {
        index: 0,
        qualifiedName: SHELL,
        stepName: "run_shell_script",
        id: "x",
        inputs: { script, id: "x" },
        status: "executed",
      },
    ]);
  });

  it("starts where the last step says, without symbolic links", async ({ expect }) => {
    const stage = openStage();
    mkdirSync(join(stage.cwd, "a", "b"), { recursive: true });
    symlinkSync("a", join(stage.cwd, "link"));
    const pulled = await stage.run([
      { [CHDIR]: { directory: "link" } },
      { "prefect.projects.steps.pull.set_working_directory": { directory: "b" } },
      { [SHELL]: { script: "pwd" } },
    ]);
    expect(pulled.directory).toBe(join(stage.cwd, "a", "b"));
    expect(pulled.outputs["stdout"]).toBe(pulled.directory);
  });

  it("says which step failed, why, and what its tool wrote last", async ({ expect }) => {
    const stage = openStage();
    const steps = [
      { [SHELL]: { script: "true" } },
      null,
      { [SHELL]: { script: "true\nsh -c 'echo bad >&2; exit 7'" } },
    ];
    const failure = await stage.run(steps).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StepError);
    expect(failure).toMatchObject({
      message: `Pull step 3 of 3 (${SHELL}) failed: \`run_shell_script\` failed with error code 7 in line 2 of the script`,
      toolExitCode: 7,
      outputTail: "bad",
    });
    expect(stage.events.map(({ index, status }) => [index, status])).toEqual([
      [0, "executed"],
      [2, "failed"],
    ]);
  });

  it.for<[Json, string]>([
    ["text", "are no list but a str"],
    [["text"], "Pull step 1 of 1 is no mapping but a str"],
    [[{ a: {}, b: {}, c: {} }], "Pull step 1 of 1 (a) has additional keys: b, c"],
    [[{ a: null }], "Pull step 1 of 1 (a) has inputs that are no mapping but null"],
    [[{ a: { requires: [1] } }], "has a `requires` that is no text and no list of texts"],
    [[{ [CHDIR]: {} }], "set_working_directory lacks its input 'directory'"],
    [[{ [CHDIR]: { directory: "nope" } }], "There is no directory"],
    [[{ [CHDIR]: { directory: ".", more: 1 } }], "set_working_directory takes no input 'more'"],
    [[{ [SHELL]: { script: 1 } }], "must be a text, not int"],
    [[{ [SHELL]: { script: "x", env: { A: 1 } } }], "'env.A' of run_shell_script must be a text"],
    [[{ [SHELL]: { script: "{{ prefect.blocks.secret.nope }}" } }], "Block not found"],
  ])("refuses %j", async ([steps, message], { expect }) => {
    const stage = openStage();
    const failure = await stage.run(steps).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StepError);
    expect(failure).toMatchObject({ message: expect.stringContaining(message), hint: expect.any(String) });
  });

  it("ends a running script and all that it started when aborted", async ({ expect }) => {
    const stage = openStage();
    const reason = new Error("cancelled");
    stage.onLine = (line) => {
      if (line.startsWith("output: ")) stage.abort.abort(reason);
    };
    const script = `sh -c 'trap "" TERM; sleep 600 & echo $!; wait'`;
    await expect(stage.run([{ [SHELL]: { script } }])).rejects.toBe(reason);
    const pid = Number(stage.lines.at(-1)?.slice("output: ".length));
    expect(pid).toBeGreaterThan(0);
    await until("it to be gone", () => !isAlive(pid), { everyMs: 10 });
  });

  it("falls back to the deployment's path when no step selects a directory and the entrypoint is elsewhere", async ({
    expect,
  }) => {
    const stage = openStage();
    const code = openStage();
    code.write("flow.py", "");
    const fallback = { path: code.cwd, storageDocumentId: null, entrypoint: "flow.py:main" };
    const steps = [{ [SHELL]: { script: "true" } }];
    const pulled = await stage.run(steps, { fallback });
    expect(pulled.directory).toBe(stage.cwd);
    expect(realpathSync(join(stage.cwd, "flow.py"))).toBe(join(stage.cwd, "flow.py"));
  });
});
