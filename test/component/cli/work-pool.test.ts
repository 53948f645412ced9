import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { describe, it, onTestFinished } from "vitest";

import { runCli } from "../../support/cli.ts";
import { open } from "./open.ts";
import { startApi } from "../server/api.ts";

describe("work-pool", () => {
  it("create makes a process pool with its template, paused if wanted; a second time needs --overwrite", async ({
    expect,
  }) => {
    const { api, run } = await open();
    const created = await run("work-pool create mine --paused");
    expect(created.code, created.stderr).toBe(0);
    expect(await api.get("/work_pools/mine")).toMatchObject({
      type: "process",
      is_paused: true,
      base_job_template: { variables: { properties: { env: expect.anything() } } },
    });
    const again = await run("work-pool create mine");
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining("--overwrite") });
    const overwritten = await run("work-pool create mine --overwrite --json");
    expect(JSON.parse(overwritten.stdout)).toMatchObject({ name: "mine", is_paused: false });
  });

  it("create takes a template from a file, and says what types there are", async ({ expect }) => {
    const { api, run } = await open();
    const directory = await mkdtemp(join(tmpdir(), "cli-template-"));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    await writeFile(
      join(directory, "t.yaml"),
      "job_configuration: {command: '{{ command }}'}\nvariables: {properties: {command: {}}}\n",
    );
    const made = await run("work-pool create ours -t docker --base-job-template t.yaml", { cwd: directory });
    expect(made.code, made.stderr).toBe(0);
    expect(await api.get("/work_pools/ours")).toMatchObject({
      type: "docker",
      base_job_template: { job_configuration: { command: "{{ command }}" } },
    });
    const unknown = await run("work-pool create theirs -t proces");
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining("Did you mean 'process'?") });
    const missing = await run("work-pool create theirs --base-job-template none.json", { cwd: directory });
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining("none.json") });
  });

  it("create --set-as-default writes it into the active profile", async ({ expect }) => {
    const { run } = await open();
    const directory = await mkdtemp(join(tmpdir(), "cli-profile-"));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const env = { PREFECT_HOME: directory, PREFECT_PROFILE: "mine" };
    await writeFile(
      join(directory, "profiles.toml"),
      'active = "other"\n[profiles.mine]\n[profiles.other]\n',
    );
    const created = await run("work-pool create usual --set-as-default", { env });
    expect(created).toMatchObject({ code: 0, stdout: expect.stringContaining("profile 'mine'") });
    const shown = await run("config show --hide-defaults", { env });
    expect(shown.stdout).toContain("deployments.default_work_pool_name\tusual\tprofile 'mine'");
  });

  it("ls gives lines of tabs to programs, a table to people, and the API's objects as JSON", async ({
    expect,
  }) => {
    const { api, run } = await open();
    const none = await run("work-pool ls");
    expect(none).toMatchObject({ code: 0, stdout: "", stderr: "There are no work pools.\n" });
    expect((await run("work-pool ls --json")).stdout).toBe("[]\n");
    await run("work-pool create older");
    await run("work-pool create newer --paused");
    const pools = [await api.get("/work_pools/newer"), await api.get("/work_pools/older")];
    const plain = await run("work-pool ls");
    expect(plain.stdout).toBe(
      `newer\tprocess\tPAUSED\tnone\t${pools[0].id}\nolder\tprocess\tNOT_READY\tnone\t${pools[1].id}\n`,
    );
    for (const flags of ["--json", "-o json", "--output JSON"]) {
      expect(JSON.parse((await run(`work-pool ls ${flags}`)).stdout)).toEqual(pools);
    }
    const table = await run("work-pools ls", { columns: 60 });
    const lines = stripVTControlCharacters(table.stdout).trimEnd().split("\n");
    expect(lines[0]).toMatch(/^Name +Type +Status/);
    expect(lines).toHaveLength(3);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(60);
    expect(lines[1]).toContain("…");
    expect(table.stdout).toContain("\u001b[");
    const plainTable = await run("work-pool ls", { columns: 200, env: { NO_COLOR: "1" } });
    expect(plainTable.stdout).not.toContain("\u001b[");
    expect(plainTable.stdout).toContain(pools[0].id);
  });

  it("pause, resume, limits and update change the pool; an id's beginning names it", async ({ expect }) => {
    const { api, run } = await open();
    await run("work-pool create mine");
    const { id } = await api.get("/work_pools/mine");
    const steps: readonly (readonly [string, Record<string, unknown>])[] = [
      ["pause mine", { is_paused: true }],
      [`resume ${id.slice(0, 6)}`, { is_paused: false }],
      ["set-concurrency-limit mine 3", { concurrency_limit: 3 }],
      ["clear-concurrency-limit mine", { concurrency_limit: null }],
      ["update mine --concurrency-limit 0 --description here", { concurrency_limit: 0, description: "here" }],
    ];
    for (const [line, wanted] of steps) {
      const result = await run(`work-pool ${line} --json`);
      expect(result.code, result.stderr).toBe(0);
      expect(JSON.parse(result.stdout)).toMatchObject(wanted);
      expect(await api.get("/work_pools/mine")).toMatchObject(wanted);
    }
    expect(await run("work-pool update mine")).toMatchObject({ code: 2 });
    expect(await run("work-pool set-concurrency-limit mine -1")).toMatchObject({ code: 2 });
    expect(await run("work-pool pause mien")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("Did you mean 'mine'?"),
    });
  });

  it("delete asks on a terminal, refuses where nobody can be asked, and needs no answer with --yes", async ({
    expect,
  }) => {
    const { api, run } = await open();
    const isThere = async (): Promise<boolean> => (await api.call("GET", "/work_pools/mine")).status === 200;
    await run("work-pool create mine");
    expect(await run("work-pool delete mine")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--yes"),
    });
    expect(await run("work-pool delete mine --no-prompt", { keys: "y" })).toMatchObject({ code: 2 });
    expect(await run("work-pool delete mine", { keys: "n" })).toMatchObject({ code: 1 });
    expect(await run("work-pool delete mine", { keys: "\u0003" })).toMatchObject({ code: 1 });
    expect(await isThere()).toBe(true);
    expect(await run("work-pool delete mine", { keys: "y" })).toMatchObject({ code: 0 });
    expect(await isThere()).toBe(false);
    await run("work-pool create mine");
    const deleted = await run("work-pool delete mine -y --json");
    expect(JSON.parse(deleted.stdout)).toMatchObject({ name: "mine" });
    expect(await isThere()).toBe(false);
    expect(await run("work-pool delete mine -y")).toMatchObject({ code: 1 });
  });

  it("preview lists what workers get next; a type's template is printed", async ({ expect }) => {
    const { api, run } = await open();
    await run("work-pool create mine");
    expect((await run("work-pool preview mine")).stderr).toContain("No runs are scheduled");
    const flow = await api.post("/flows/", { name: "flow" });
    const deployment = await api.post("/deployments/", {
      name: "dep",
      flow_id: flow.id,
      work_pool_name: "mine",
    });
    const run1 = await api.post(`/deployments/${deployment.id}/create_flow_run`, {});
    expect((await run("work-pool preview mine")).stdout).toContain(`${run1.id}\tflow\t`);
    const template = await run("work-pool get-default-base-job-template");
    expect(JSON.parse(template.stdout)).toHaveProperty("job_configuration");
  });
});

describe("commands in general", () => {
  it("a group without a command prints its help, and so does nothing at all", async ({ expect }) => {
    expect(await runCli(["work-pool"])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("set-concurrency-limit"),
    });
    expect(await runCli([])).toMatchObject({ code: 0, stdout: expect.stringContaining("work-pool") });
    expect(await runCli(["work-pool", "nonsense"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("nonsense"),
    });
  });

  it("without an API URL and a server on this machine the error says what to do", async ({ expect }) => {
    const result = await runCli(["work-pool", "ls"], { env: { PREFECT_SERVER_API_PORT: "9" } });
    expect(result.code).toBe(2);
    expect(result.stderr).toContain("http://127.0.0.1:9/api");
    expect(result.stderr).toContain("lighterman server start");
  });

  it("without an API URL a server on this machine is used, with its password", async ({ expect }) => {
    const api = await startApi({ authString: "admin:secret" });
    const { port } = new URL(api.server.apiUrl);
    const result = await runCli(["work-pool", "ls"], {
      env: { PREFECT_SERVER_API_PORT: port, PREFECT_SERVER_API_AUTH_STRING: "admin:secret" },
    });
    expect(result).toMatchObject({ code: 0, stderr: "There are no work pools.\n" });
  });
});
