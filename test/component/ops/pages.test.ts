import { writeFileSync } from "node:fs";
import { describe, it } from "vitest";

import { openScene, stop } from "../worker/scene.ts";
import { watchedWorker } from "./watched-worker.ts";

interface StatusBody {
  readonly state: string;
  readonly slots: unknown;
  readonly flow_runs: readonly Readonly<Record<string, unknown>>[];
}

describe("the pages of a worker", () => {
  it("say that it is well, and what each run waits for", async ({ expect }) => {
    await using scene = await openScene();
    const worker = await watchedWorker(scene, { args: ["--limit", "3"] });
    for (const path of ["/health", "/livez"]) {
      const { status, text } = await worker.get(path);
      expect([path, status, text]).toEqual([path, 200, '{"message":"OK"}']);
    }
    await worker.until("/readyz", ({ status }) => status === 200);

    const run = scene.script('echo "$$" > "$HOME/pid"; while [ ! -e "$HOME/go" ]; do sleep 0.02; done');
    const [pid] = await scene.written("pid");
    const page = await worker.until("/status", ({ text }) => text.includes("the end of process"));
    expect(page.contentType).toBe("application/json");
    const body = JSON.parse(page.text) as StatusBody;
    expect(body).toMatchObject({
      state: "running",
      is_live: true,
      is_ready: true,
      complaints: [],
      api_url: scene.server.apiUrl,
      work_pool: { name: "pool", type: "process", is_paused: false },
      slots: { limit: 3, in_use: 1 },
    });
    expect(body.flow_runs).toEqual([
      expect.objectContaining({
        id: run.id,
        name: run.name,
        deployment: "deployment-1",
        phase: "run",
        stopping: null,
        waiting_for: expect.stringMatching(/^the end of process \d+$/),
      }),
    ]);
    expect(Number(pid)).toBeGreaterThan(1);

    const html = await worker.get("/status", { accept: "text/html,application/xhtml+xml" });
    expect(html.contentType).toMatch(/^text\/html/);
    expect(html.text).toContain(run.id);
    expect(html.text).toContain("the end of process");

    worker.process.signal("SIGUSR2");
    const line = await worker.process.waitForLine(/serves pool 'pool': 1 flow run \(1 run\), 1 of 3 slots/);
    const printed = JSON.parse(line) as { readonly msg: string; readonly status: StatusBody };
    const shown = (await worker.get("/status")).json();
    expect(printed.status).toEqual({
      ...shown,
      uptime_seconds: expect.any(Number),
      last_poll: expect.any(String),
      flow_runs: [{ ...body.flow_runs[0], phase_seconds: expect.any(Number) }],
    });
    expect(printed.msg.split("\n").at(-1)).toMatch(
      new RegExp(`${run.name} \\(${run.id}.*\\): run for \\d+s, waiting for the end of process \\d+$`),
    );
    expect(worker.process.isRunning).toBe(true);
  });

  it("name the pull step that runs", async ({ expect }) => {
    await using scene = await openScene();
    const worker = await watchedWorker(scene);
    const script = `sh -c 'while [ ! -e "${scene.path("go")}" ]; do sleep 0.02; done'`;
    const run = scene.script("exit 0", {
      steps: [
        { "prefect.deployments.steps.set_working_directory": { directory: scene.path() } },
        { "prefect.deployments.steps.run_shell_script": { script } },
      ],
    });
    const page = await worker.until("/status", ({ text }) => text.includes("run_shell_script"));
    expect((JSON.parse(page.text) as StatusBody).flow_runs).toEqual([
      expect.objectContaining({
        id: run.id,
        phase: "pull",
        waiting_for: "pull step 2 of 2 (run_shell_script)",
        pull_step: { number: 2, count: 2, name: "run_shell_script" },
      }),
    ]);
    writeFileSync(scene.path("go"), "");
    await scene.server.waitForEnd(run.id);
    expect(await stop(worker.process)).toBe(0);
  });

  it("name the phase in which a run hangs", async ({ expect }) => {
    await using scene = await openScene();
    const worker = await watchedWorker(scene);
    const held = scene.server.fault({ method: "POST", path: /set_state/, kind: "hold" });
    const run = scene.script("exit 0");
    await worker.until("/status", ({ text }) => text.includes("the server's answer to the claim"));
    held.clear();
    await scene.server.waitForEnd(run.id);
    await worker.until("/status", ({ text }) => (JSON.parse(text) as StatusBody).flow_runs.length === 0);
    expect((await worker.get("/status", { accept: "text/html" })).text).toContain("No flow runs in hand.");
  });

  it("a server that is away makes it neither dead nor ready", async ({ expect }) => {
    await using scene = await openScene();
    const worker = await watchedWorker(scene, { env: { PREFECT_WORKER_QUERY_SECONDS: "0.05" } });
    await worker.until("/readyz", ({ status }) => status === 200);
    await scene.server.goDown();
    const { text } = await worker.until("/readyz", ({ status }) => status === 503);
    expect(text).toMatch(/No poll has been answered for \d+ s/);
    expect((await worker.get("/health")).status).toBe(503);
    expect((await worker.get("/livez")).status).toBe(200);
    await scene.server.listen();
    await worker.until("/readyz", ({ status }) => status === 200);
    expect((await worker.get("/health")).status).toBe(200);
  });

  it("a worker without its pool lives and is not ready", async ({ expect }) => {
    await using scene = await openScene();
    scene.server.store.workPools.clear();
    const worker = await watchedWorker(scene, { args: ["--no-create-pool-if-not-found"] });
    await worker.process.waitForLine(/does not exist and may not be created/);
    expect((await worker.get("/livez")).status).toBe(200);
    const { status, text } = await worker.get("/readyz");
    expect([status, text]).toEqual([
      503,
      JSON.stringify({ message: "Work pool 'pool' has not been read yet" }),
    ]);
  });

  it("a worker that drains is not ready, and says until when", async ({ expect }) => {
    await using scene = await openScene();
    const worker = await watchedWorker(scene);
    scene.script('echo here > "$HOME/started"; sleep 300');
    await scene.written("started");
    worker.process.signal("SIGTERM");
    await worker.until("/readyz", ({ status }) => status === 503);
    expect((await worker.get("/livez")).status).toBe(200);
    const status = (await worker.get("/status")).json();
    expect(status).toMatchObject({ state: "draining", is_draining: true, is_ready: false });
    expect(status["drains_until"]).toMatch(/^\d{4}-/);
    expect(await stop(worker.process)).toBe(143);
    expect(scene.leftovers()).toEqual([]);
  });

  it("show no secret, change nothing, and know no other paths", async ({ expect }) => {
    const secret = "watch-me-not-7f3a";
    await using scene = await openScene({ authString: `admin:${secret}` });
    const worker = await watchedWorker(scene, { env: { PREFECT_API_AUTH_STRING: `admin:${secret}` } });
    scene.script('echo here > "$HOME/started"; sleep 300', { run: { name: `run-${secret}` } });
    await scene.written("started");
    await worker.until("/status", ({ text }) => text.includes("the end of process"));
    for (const accept of ["application/json", "text/html"]) {
      const { text } = await worker.get("/status", { accept });
      expect(text).not.toContain(secret);
      expect(text).toContain("run-");
    }
    expect((await worker.get("/")).status).toBe(404);
    expect((await worker.get("/toString")).status).toBe(404);
    const post = await fetch(`${worker.url}/status`, { method: "POST" });
    expect([post.status, await post.json()]).toEqual([405, { detail: "Method Not Allowed" }]);
    expect((await fetch(`${worker.url}/livez`, { method: "HEAD" })).status).toBe(200);
  });
});
