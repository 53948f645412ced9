import { describe, it } from "vitest";

import { startFakePrefectServer } from "../../support/fake-prefect-server.ts";
import { runCommand } from "../../support/worker-process.ts";
import { openScene, POOL, stop } from "./scene.ts";

describe.concurrent("the work pool", () => {
  it("is created when it does not exist, with the template of a process pool", async ({ expect }) => {
    await using scene = await openScene();
    scene.server.store.workPools.clear();
    const worker = await scene.worker();
    await worker.waitForLine(/Work pool 'pool' created/, 10_000);
    await worker.waitForLine(/started: pool 'pool' \(process\)/, 10_000);
    const pool = scene.server.store.workPools.get(POOL);
    expect(pool?.type).toBe("process");
    expect(pool?.base_job_template).toHaveProperty("job_configuration.command");
    expect(await stop(worker)).toBe(0);
  });

  it("is waited for when it may not be created", async ({ expect }) => {
    await using scene = await openScene();
    scene.server.store.workPools.clear();
    const worker = await scene.worker({ args: ["--no-create-pool-if-not-found"] });
    await worker.waitForLine(/work pool does not exist and may not be created/, 10_000);
    scene.server.addWorkPool({ name: POOL });
    const run = scene.script("exit 0");
    expect((await scene.server.waitForEnd(run.id)).name).toBe("Completed");
    expect(await stop(worker)).toBe(0);
  });

  it("is said to be paused, and served when it is resumed", async ({ expect }) => {
    await using scene = await openScene();
    const pool = scene.server.store.workPools.get(POOL);
    if (pool !== undefined) pool.is_paused = true;
    const run = scene.script("exit 0");
    const worker = await scene.worker();
    await worker.waitForLine(/The work pool is paused: no flow runs will be started/, 10_000);
    expect(scene.server.stateOf(run.id).type).toBe("SCHEDULED");
    if (pool !== undefined) pool.is_paused = false;
    expect((await scene.server.waitForEnd(run.id)).name).toBe("Completed");
    expect(await stop(worker)).toBe(0);
  });

  it.for([
    ["kubernetes", /has the type kubernetes, which is not supported/],
    ["process:push", /has the type process:push/],
    ["prefect-agent", /has the type prefect-agent/],
  ] as const)("of the type %s ends the worker with one line", async ([type, line], { expect }) => {
    await using scene = await openScene();
    const pool = scene.server.store.workPools.get(POOL);
    if (pool !== undefined) pool.type = type;
    const worker = await scene.worker();
    expect((await worker.end(10_000)).code).toBe(1);
    expect(worker.lines.filter((text) => text.startsWith("Error: "))).toEqual([expect.stringMatching(line)]);
  });

  it.for([
    ["docker", [], /^DockerWorker [0-9a-f-]{36}$/],
    ["process", [], /^ProcessWorker [0-9a-f-]{36}$/],
    ["docker", ["--type", "process"], /^ProcessWorker [0-9a-f-]{36}$/],
    ["docker", ["--name", "mine"], /^mine$/],
  ] as const)("of the type %s names its worker with %j", async ([type, args, name], { expect }) => {
    await using scene = await openScene();
    const pool = scene.server.store.workPools.get(POOL);
    if (pool !== undefined) pool.type = type;
    const worker = await scene.worker({ args, env: { DOCKER_HOST: `unix://${scene.path("no-engine")}` } });
    const { body } = await scene.server.waitFor("a heartbeat", () => scene.server.store.workerHeartbeats[0]);
    const told = /Worker '(.*)' started/.exec(await worker.waitForLine(/Worker '.*' started/, 10_000));
    expect(body["name"]).toMatch(name);
    expect(told?.[1]).toBe(body["name"]);
    expect(await stop(worker)).toBe(0);
  });

  it("of another type is served when the type is told", async ({ expect }) => {
    await using scene = await openScene();
    const pool = scene.server.store.workPools.get(POOL);
    if (pool !== undefined) pool.type = "docker";
    const run = scene.script("exit 0");
    const worker = await scene.worker({ args: ["--type", "process"] });
    await worker.waitForLine(/has another type than this worker/, 10_000);
    expect((await scene.server.waitForEnd(run.id)).name).toBe("Completed");
    expect(await stop(worker)).toBe(0);
  });
});

describe.concurrent("one line with the cause, and one with what to do", () => {
  it("for a wrong key", async ({ expect }) => {
    await using server = await startFakePrefectServer({ apiKey: "right" });
    const env = { PREFECT_API_KEY: "wrong" };
    const { code, lines } = await runCommand(["worker", "start", "--pool", "p"], {
      apiUrl: server.apiUrl,
      env,
    });
    expect(code).toBe(1);
    expect(lines).toEqual([
      expect.stringMatching(/^Error: .*401/),
      expect.stringMatching(/^ {2}Check PREFECT_API_KEY/),
    ]);
  });

  it("for an address that is no API", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    const apiUrl = server.apiUrl.replace("/api", "/elsewhere");
    const { code, lines } = await runCommand(["worker", "start", "--pool", "p"], { apiUrl });
    expect(code).toBe(1);
    expect(lines).toEqual([expect.stringMatching(/^Error: .*404/), expect.stringMatching(/root of the API/)]);
  });

  it("for a missing pool name", async ({ expect }) => {
    const { code, lines } = await runCommand(["worker", "start"], { apiUrl: "http://127.0.0.1:9/api" });
    expect(code).toBe(2);
    expect(lines.join("\n")).toMatch(/--pool/);
  });

  it("for a missing address", async ({ expect }) => {
    // Nobody serves where the embedded server would be; a worker would start one.
    const env = { PREFECT_SERVER_API_PORT: "9" };
    const { code, output } = await runCommand(["render", "--deployment", "flow/name"], { env });
    expect(code).toBe(2);
    expect(output).toMatch(/PREFECT_API_URL/);
  });
});
