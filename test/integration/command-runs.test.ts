import { afterAll, beforeAll, describe, inject, it } from "vitest";
import { PrefectApi, uniqueName } from "../support/prefect-api.ts";
import { startWorker } from "../support/worker-process.ts";
import type { FlowRun } from "../support/prefect-api.ts";
import type { RunningWorker } from "../support/worker-process.ts";

const api = new PrefectApi(inject("prefect3Url"));

const template = (engine: boolean) => {
  const names = ["command", "env", "working_dir", "stream_output", ...(engine ? ["engine"] : [])];
  return {
    job_configuration: Object.fromEntries(names.map((name) => [name, `{{ ${name} }}`])),
    variables: {
      type: "object",
      properties: {
        command: { type: "string" },
        env: { type: "object", additionalProperties: { type: "string" } },
        working_dir: { type: "string" },
        stream_output: { type: "boolean", default: true },
        ...(engine ? { engine: { type: "string", enum: ["prefect", "none"], default: "prefect" } } : {}),
      },
    },
  };
};

describe.each([
  { title: "a pool whose template does not name engine", base: undefined },
  { title: "a pool whose template names engine", base: template(true) },
])("command flow runs (engine: none), on 3.8.8, in $title", ({ base }) => {
  const pool = uniqueName("command");
  let worker: RunningWorker;

  beforeAll(async () => {
    await api.createPool(pool, base === undefined ? {} : { base_job_template: base });
    // No interpreter at all: a command needs none.
    worker = await startWorker({ apiUrl: api.url, pool, python: "/nonexistent/python" });
  });
  afterAll(() => worker[Symbol.asyncDispose]());

  async function runCommand(command: string, jobVariables: object = {}): Promise<FlowRun> {
    const deployment = await api.createDeployment({
      pool,
      entrypoint: "none",
      jobVariables: { engine: "none", command, ...jobVariables },
    });
    return api.run(deployment);
  }

  it("exit code 0 is COMPLETED, by way of RUNNING, with stdout and stderr as the run's logs", async ({
    expect,
  }) => {
    const run = await runCommand("sh -c 'echo hello from sh; echo \"and $WHO\" >&2'", {
      env: { WHO: "stderr" },
    });
    expect((await api.waitForEnd(run)).state.type).toBe("COMPLETED");
    expect(await api.states(run)).toEqual(expect.arrayContaining(["PENDING", "RUNNING", "COMPLETED"]));
    const hello = await api.waitForLog(run, /^hello from sh$/);
    const error = await api.waitForLog(run, /^and stderr$/);
    expect(hello.level).toBe(20);
    expect(error.level).toBeGreaterThanOrEqual(20);
  });

  it("another exit code is FAILED, names the code, and keeps the logs", async ({ expect }) => {
    const run = await runCommand("sh -c 'echo hi; exit 3'");
    const end = await api.waitForEnd(run);
    expect(end.state).toMatchObject({ type: "FAILED", message: expect.stringContaining("3") as string });
    await api.waitForLog(run, /^hi$/);
  });

  it("a program that does not exist does not stay PENDING", async ({ expect }) => {
    const run = await runCommand("no-such-program --now");
    const end = await api.waitForEnd(run);
    expect(["FAILED", "CRASHED"]).toContain(end.state.type);
    expect(end.state.message).toContain("no-such-program");
  });

  it("a command can be cancelled", async ({ expect }) => {
    const run = await runCommand("sh -c 'echo up; exec sleep 120'");
    await api.waitFor(run, ["RUNNING"]);
    await api.waitForLog(run, /^up$/);
    await api.cancel(run);
    expect((await api.waitForEnd(run)).state.type).toBe("CANCELLED");
  });
});
