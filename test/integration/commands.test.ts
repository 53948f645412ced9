import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, inject, it } from "vitest";
import { PrefectApi, uniqueName } from "../support/prefect-api.ts";
import { PrefectServer, freePort, prefectProgram } from "../support/prefect-server.ts";
import { runCommand, startWorker } from "../support/worker-process.ts";

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));
const api = new PrefectApi(inject("prefect3Url"));

describe("render and pull, on 3.8.8", () => {
  it("render prints the finished job configuration, secrets masked", async ({ expect }) => {
    const pool = uniqueName("render");
    const secret = `render-canary-${pool}`;
    const variable = pool.replaceAll("-", "_");
    await api.createVariable(variable, "/from-a-variable");
    await api.createPool(pool);
    await api.createBlock("secret", pool, { value: secret });
    const deployment = await api.createDeployment({
      pool,
      entrypoint: "flows.py:greet",
      jobVariables: {
        env: {
          TOKEN: `{{ prefect.blocks.secret.${pool} }}`,
          HERE: `{{ prefect.variables.${variable} }}/runs`,
        },
        command: "python -m prefect.engine",
      },
    });
    const { code, output } = await runCommand(
      ["render", "--deployment", `${deployment.flowName}/${deployment.name}`],
      { apiUrl: api.url },
    );
    expect(code, output).toBe(0);
    expect(output).toContain("python -m prefect.engine");
    expect(output).toContain("/from-a-variable/runs");
    expect(output).toContain("TOKEN");
    expect(output).not.toContain(secret);
  });

  it("pull runs only the steps, into the directory that was asked for", async ({ expect }) => {
    const pool = uniqueName("pull");
    await api.createPool(pool);
    const deployment = await api.createDeployment({
      pool,
      entrypoint: "flows.py:greet",
      pullSteps: [
        {
          "prefect.deployments.steps.run_shell_script": {
            id: "copy",
            script: `cp ${fixtures}/flows.py pulled.py`,
          },
        },
      ],
    });
    const into = await mkdtemp(join(tmpdir(), "pull-into-"));
    try {
      const { code, output } = await runCommand(
        ["pull", "--deployment", `${deployment.flowName}/${deployment.name}`, "--into", into],
        { apiUrl: api.url },
      );
      expect(code, output).toBe(0);
      expect(await readFile(join(into, "pulled.py"), "utf8")).toContain("def greet");
    } finally {
      await rm(into, { recursive: true, force: true });
    }
    const runs = await api.call<readonly unknown[]>("POST", "/flow_runs/filter", {
      deployments: { id: { any_: [deployment.id] } },
    });
    expect(runs).toEqual([]);
  });

  it("pull shows which step failed and why, and exits 1", async ({ expect }) => {
    const pool = uniqueName("pull-fails");
    await api.createPool(pool);
    const deployment = await api.createDeployment({
      pool,
      entrypoint: "flows.py:greet",
      pullSteps: [
        { "prefect.deployments.steps.run_shell_script": { script: "sh -c 'echo the reason >&2; exit 5'" } },
      ],
    });
    const { code, output } = await runCommand(
      ["pull", "--deployment", `${deployment.flowName}/${deployment.name}`],
      { apiUrl: api.url },
    );
    expect(code).toBe(1);
    expect(output).toContain("run_shell_script");
    expect(output).toContain("the reason");
  });

  it("a deployment that does not exist is named, exit 1", async ({ expect }) => {
    const { code, output } = await runCommand(["render", "--deployment", "no-flow/no-name"], {
      apiUrl: api.url,
    });
    expect(code).toBe(1);
    expect(output).toContain("no-flow/no-name");
  });
});

describe("what a worker says when it cannot start, on 3.8.8", () => {
  const python = ["--python", prefectProgram(3, "python")];

  it("nobody listens at the URL: named with its setting, within 10 s", async ({ expect }) => {
    const url = `http://127.0.0.1:${await freePort()}/api`;
    const started = performance.now();
    await using worker = await startWorker({ apiUrl: url, pool: "any" });
    const line = await worker.process.waitForLine(/127\.0\.0\.1:\d+/, 10_000);
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(line).toContain(new URL(url).host);
    expect(worker.process.output).toContain("PREFECT_API_URL");
  });

  it("a URL that is no Prefect API: said so, exit 1", async ({ expect }) => {
    const wrong = api.url.replace(/\/api$/, "/docs-are-here");
    const started = performance.now();
    const { code, output } = await runCommand(["worker", "start", "--pool", "any", ...python], {
      apiUrl: wrong,
    });
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(code, output).toBe(1);
    expect(output).toContain(wrong);
    expect(output).toContain("/api");
  });

  it("a wrong auth string: 401 is explained with the setting's name, the string itself is not shown", async ({
    expect,
  }) => {
    await using server = await PrefectServer.start({
      env: { PREFECT_SERVER_API_AUTH_STRING: "admin:right" },
    });
    for (const env of [{}, { PREFECT_API_AUTH_STRING: "admin:wrong-canary" }]) {
      const { code, output } = await runCommand(["worker", "start", "--pool", "any", ...python], {
        apiUrl: server.url,
        env,
      });
      expect(code, output).toBe(1);
      expect(output).toContain("PREFECT_API_AUTH_STRING");
      expect(output).toContain("401");
      expect(output).not.toContain("wrong-canary");
    }
  });

  it("a missing pool with --no-create-pool-if-not-found is named", async ({ expect }) => {
    const pool = uniqueName("missing");
    await using worker = await startWorker({
      apiUrl: api.url,
      pool,
      args: ["--no-create-pool-if-not-found"],
    });
    await worker.process.waitForLine(new RegExp(pool), 10_000);
    await expect(api.pool(pool)).rejects.toThrow("404");
  });

  it("a paused pool is said to be paused, and serves again once it is resumed", async ({ expect }) => {
    const pool = uniqueName("paused");
    await api.createPool(pool, { is_paused: true });
    await using worker = await startWorker({
      apiUrl: api.url,
      pool,
      env: { PREFECT_WORKER_QUERY_SECONDS: "1" },
    });
    const line = await worker.process.waitForLine(/paused/i, 10_000);
    expect(line).toContain(pool);
    const run = await api.run(
      await api.createDeployment({
        pool,
        entrypoint: "none",
        jobVariables: { engine: "none", command: "true" },
      }),
    );
    await api.waitForWorker(pool);
    expect((await api.flowRun(run.id)).state.type).toBe("SCHEDULED");
    await api.call("PATCH", `/work_pools/${pool}`, { is_paused: false });
    expect((await api.waitForEnd(run)).state.type).toBe("COMPLETED");
  });

  it("a push pool is refused: no worker serves it", async ({ expect }) => {
    const pool = uniqueName("push");
    await api.createPool(pool, { type: "ecs:push" });
    const { code, output } = await runCommand(["worker", "start", "--pool", pool, ...python], {
      apiUrl: api.url,
    });
    expect(code, output).toBe(1);
    expect(output).toContain(pool);
    expect(output).toMatch(/push/i);
  });
});
