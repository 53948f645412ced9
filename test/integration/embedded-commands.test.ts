import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AsyncDisposables } from "../support/disposables.ts";
import { EmbeddedServer } from "../support/embedded-server.ts";
import { PrefectApi } from "../support/prefect-api.ts";
import { PrefectCommands } from "../support/prefect-commands.ts";
import { prefectProgram } from "../support/prefect-server.ts";
import { TestProcess } from "../support/test-process.ts";
import type { FlowRun } from "../support/prefect-api.ts";

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));

const disposables = new AsyncDisposables();
let server: EmbeddedServer;
let api: PrefectApi;
let prefect: PrefectCommands;

beforeAll(async () => {
  server = disposables.use(await EmbeddedServer.start());
  api = new PrefectApi(server.url);
  prefect = disposables.use(await PrefectCommands.start(server.url));
  await copyFile(join(fixtures, "flows.py"), join(prefect.home.path, "flows.py"));
  await prefect.run("work-pool", "create", "pool", "--type", "process");
  await prefect.run(
    "--no-prompt",
    "deploy",
    "flows.py:greet",
    "-n",
    "dep",
    "-p",
    "pool",
    "--interval",
    "3600",
  );
});

afterAll(() => disposables.dispose());

interface Schedule {
  readonly id: string;
  readonly active: boolean;
  readonly schedule: { readonly cron?: string; readonly timezone?: string };
  readonly parameters: Readonly<Record<string, unknown>>;
}

async function schedules(): Promise<readonly Schedule[]> {
  const { id } = await api.call<{ id: string }>("GET", "/deployments/name/greet/dep");
  return api.call("GET", `/deployments/${id}/schedules`);
}

describe("the real prefect command, on the embedded server", () => {
  it("deployment schedule", async () => {
    const target = ["greet/dep"] as const;
    await prefect.run("deployment", "schedule", "clear", ...target, "--accept-yes");
    expect(await schedules()).toEqual([]);
    await prefect.run(
      "deployment",
      "schedule",
      "create",
      ...target,
      "--cron",
      "0 9 * * *",
      "--timezone",
      "Europe/Berlin",
    );
    const [schedule] = await schedules();
    expect(schedule).toMatchObject({
      active: true,
      schedule: { cron: "0 9 * * *", timezone: "Europe/Berlin" },
    });
    const id = schedule?.id ?? "";
    expect(await prefect.run("deployment", "schedule", "ls", ...target)).toContain(id);
    await prefect.run("deployment", "schedule", "pause", ...target, id);
    expect((await schedules())[0]?.active).toBe(false);
    await prefect.run("deployment", "schedule", "resume", ...target, id);
    expect((await schedules())[0]?.active).toBe(true);
    await prefect.run("deployment", "schedule", "delete", ...target, id, "--accept-yes");
    expect(await schedules()).toEqual([]);
  });

  it("deployment run, with parameters that are checked and job variables", async () => {
    const args = ["--param", "name=Ada", "--job-variable", "working_dir=/tmp", "--tag", "by-hand"];
    expect(await prefect.run("deployment", "run", "greet/dep", ...args)).toContain("'name': 'Ada'");
    const [run] = await api.call<readonly (FlowRun & { tags: string[] })[]>("POST", "/flow_runs/filter", {
      flow_runs: { tags: { all_: ["by-hand"] } },
    });
    expect(run).toMatchObject({ parameters: { name: "Ada" }, job_variables: { working_dir: "/tmp" } });
    const refused = await prefect.try(
      "deployment",
      "run",
      "greet/dep",
      "--job-variable",
      "stream_output=perhaps",
    );
    expect(refused.code).toBe(1);
    expect(refused.output).toContain("Validation failed for field 'stream_output'");
    expect(await prefect.run("work-pool", "preview", "pool")).toContain(run?.id);
    expect(await prefect.run("flow-run", "inspect", run?.id ?? "")).toContain("Ada");
    expect(await prefect.run("flow-run", "ls", "--flow-name", "greet", "--state", "SCHEDULED")).toContain(
      run?.id,
    );
    await prefect.run("flow-run", "cancel", run?.id ?? "");
    expect((await api.flowRun(run?.id ?? "")).state.type).toBe("CANCELLED");
    await prefect.run("flow-run", "delete", run?.id ?? "");
    expect(await prefect.run("flow", "ls")).toContain("greet");
    expect(await prefect.run("deployment", "ls", "--flow-name", "greet")).toContain("greet/dep");
  });

  it("work-pool", async () => {
    await prefect.run("work-pool", "pause", "pool");
    expect(await api.call("GET", "/work_pools/pool")).toMatchObject({ is_paused: true, status: "PAUSED" });
    await prefect.run("work-pool", "resume", "pool");
    await prefect.run("work-pool", "set-concurrency-limit", "pool", "3");
    expect(await api.call("GET", "/work_pools/pool")).toMatchObject({
      is_paused: false,
      concurrency_limit: 3,
    });
    await prefect.run("work-pool", "clear-concurrency-limit", "pool");
    await prefect.run("work-pool", "update", "pool", "--description", "for all");
    expect(await prefect.run("work-pool", "inspect", "pool")).toContain("for all");
    await prefect.run("work-pool", "create", "short-lived", "--type", "process");
    await prefect.run("work-pool", "delete", "short-lived");
    expect(await prefect.run("work-pool", "ls")).not.toContain("short-lived");
  });

  it("concurrency-limit and gcl", async () => {
    await prefect.run("concurrency-limit", "create", "db", "2");
    expect(await prefect.run("concurrency-limit", "ls")).toContain("db");
    expect(await prefect.run("concurrency-limit", "inspect", "db")).toContain("Concurrency Limit ID");
    await prefect.run("concurrency-limit", "reset", "db");
    expect(await prefect.run("gcl", "ls")).toContain("tag:db");
    await prefect.run("concurrency-limit", "delete", "db");
    expect((await prefect.try("concurrency-limit", "inspect", "db")).code).toBe(1);
    await prefect.run("gcl", "create", "slots", "--limit", "3");
    await prefect.run("gcl", "update", "slots", "--limit", "5", "--slot-decay-per-second", "0.5");
    await prefect.run("gcl", "disable", "slots");
    expect(await api.call("GET", "/v2/concurrency_limits/slots")).toMatchObject({
      limit: 5,
      active: false,
      slot_decay_per_second: 0.5,
    });
    await prefect.run("gcl", "enable", "slots");
    expect(await prefect.run("gcl", "inspect", "slots")).toContain("limit=5");
    await prefect.run("gcl", "delete", "slots");
    expect(await prefect.run("gcl", "ls")).not.toContain("slots");
  });

  it("block, variable and artifact", async () => {
    expect(await prefect.run("block", "register", "-m", "prefect.blocks.system")).toContain("Secret");
    expect(await prefect.run("block", "type", "ls")).toContain("secret");
    const type = await api.call<{ id: string }>("GET", "/block_types/slug/secret");
    const [schema] = await api.call<readonly { id: string }[]>("POST", "/block_schemas/filter", {
      block_schemas: { block_type_id: { any_: [type.id] } },
    });
    await api.call("POST", "/block_documents/", {
      name: "token",
      data: { value: "hidden" },
      block_type_id: type.id,
      block_schema_id: schema?.id,
    });
    expect(await prefect.run("block", "ls")).toContain("secret/token");
    const shown = await prefect.run("block", "inspect", "secret/token");
    expect(shown).toContain("*****");
    expect(shown).not.toContain("hidden");
    await prefect.run("block", "delete", "secret/token");
    expect(await prefect.run("block", "ls")).not.toContain("secret/token");

    await prefect.run("variable", "set", "answer", '{"n": 42}', "--tag", "x");
    expect(await prefect.run("variable", "ls")).toContain("answer");
    expect(await prefect.run("variable", "inspect", "answer")).toContain("'n': 42");
    expect((await prefect.try("variable", "set", "answer", "43")).code).toBe(1);
    await prefect.run("variable", "set", "answer", "43", "--overwrite");
    expect(await prefect.run("variable", "get", "answer")).toContain("43");
    await prefect.run("variable", "unset", "answer");
    expect((await prefect.try("variable", "get", "answer")).code).toBe(1);

    await api.call("POST", "/artifacts/", { key: "report", type: "markdown", data: "# one" });
    await api.call("POST", "/artifacts/", { key: "report", type: "markdown", data: "# two" });
    expect(await prefect.run("artifact", "ls")).toContain("report");
    const versions = await prefect.run("artifact", "inspect", "report");
    expect(versions).toContain("# one");
    expect(versions).toContain("# two");
    await prefect.run("artifact", "delete", "report");
    expect((await prefect.try("artifact", "inspect", "report")).code).toBe(1);
  });

  it("event emit, and event stream that shows it", async () => {
    await using stream = new TestProcess(prefectProgram(3, "prefect"), ["event", "stream"], {
      cwd: prefect.home.path,
      env: { ...prefect.home.env, PREFECT_API_URL: server.url },
    });
    await stream.waitForLine(/Subscribing to event stream/, 60_000);
    // Nothing tells when the subscription stands; an event that came before it is not shown.
    const shown = stream.waitForLine(/own\.event/, 60_000);
    let isShown = false;
    void shown.then(() => (isShown = true));
    await expect
      .poll(
        async () => {
          await prefect.run("event", "emit", "own.event", "--resource-id", "own.resource");
          return isShown;
        },
        { timeout: 60_000, interval: 500 },
      )
      .toBe(true);
    stream.signal("SIGINT");
    await stream.end(20_000);
  });
});
