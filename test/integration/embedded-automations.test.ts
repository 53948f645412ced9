import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "../support/deadline.ts";
import { AsyncDisposables } from "../support/disposables.ts";
import { EmbeddedServer } from "../support/embedded-server.ts";
import { PrefectApi, uniqueName } from "../support/prefect-api.ts";
import { PrefectCommands } from "../support/prefect-commands.ts";
import { prefectProgram } from "../support/prefect-server.ts";
import { TestProcess } from "../support/test-process.ts";
import { WorkerHome, startWorker } from "../support/worker-process.ts";
import type { FlowRun } from "../support/prefect-api.ts";

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));
const pullSteps = [{ "prefect.deployments.steps.set_working_directory": { directory: fixtures } }];
/** The most often that an engine sends them. */
const HEARTBEAT_SECONDS = "30";

interface Automation {
  readonly id: string;
  readonly name: string;
  readonly enabled: boolean;
}

const disposables = new AsyncDisposables();
let server: EmbeddedServer;
let api: PrefectApi;
let commands: PrefectCommands;
let doomed: Promise<FlowRun>;

beforeAll(async () => {
  server = disposables.use(await EmbeddedServer.start({ env: { LIGHTERMAN_SERVER_MISSED_HEARTBEATS: "1" } }));
  api = new PrefectApi(server.url);
  // It takes its time to be found out: meanwhile the others run.
  doomed = killedRun();
  doomed.catch(() => undefined);
  commands = disposables.use(await PrefectCommands.start(server.url));
});

afterAll(() => disposables.dispose());

/** A run whose worker and engine are killed as soon as the engine has sent a heartbeat. */
async function killedRun(): Promise<FlowRun> {
  const pool = uniqueName("doomed");
  await api.createPool(pool);
  await using home = await WorkerHome.create();
  await startWorker({
    apiUrl: server.url,
    pool,
    home,
    env: { PREFECT_FLOWS_HEARTBEAT_FREQUENCY: HEARTBEAT_SECONDS },
  });
  const deployment = await api.createDeployment({
    pool,
    pullSteps,
    entrypoint: "automation_flows.py:endless",
    jobVariables: { env: { PREFECT_FLOWS_HEARTBEAT_FREQUENCY: HEARTBEAT_SECONDS } },
  });
  const run = await api.run(deployment);
  await until(
    "the engine has sent a heartbeat",
    async () => {
      const { events } = await api.call<{ events: unknown[] }>("POST", "/events/filter", {
        filter: {
          event: { name: ["prefect.flow-run.heartbeat"] },
          resource: { id: [`prefect.flow-run.${run.id}`] },
        },
      });
      return events.length > 0;
    },
    { timeoutMs: 90_000 },
  );
  await home.sweep();
  return run;
}

/** The run of a deployment with that name that comes to its end. */
async function runOf(deployment: string): Promise<FlowRun & { parameters: unknown; created_by: unknown }> {
  let found: (FlowRun & { parameters: unknown; created_by: unknown }) | undefined;
  await until(
    `a run of ${deployment}`,
    async () => {
      [found] = await api.call<(typeof found)[]>("POST", "/flow_runs/filter", {
        deployments: { name: { any_: [deployment] } },
      });
      return found !== undefined;
    },
    { timeoutMs: 60_000 },
  );
  if (found === undefined) throw new Error(`No run of ${deployment}`);
  await api.waitFor(found, ["COMPLETED"], 90_000);
  return found;
}

describe("automations, with Prefect's own tools", () => {
  const pool = uniqueName("automated");
  const names = { first: uniqueName("rainy"), second: uniqueName("chained") };

  beforeAll(async () => {
    await api.createPool(pool);
    disposables.use(await startWorker({ apiUrl: server.url, pool }));
    await copyFile(join(fixtures, "automation_flows.py"), join(commands.home.path, "automation_flows.py"));
    const deployment = { entrypoint: "automation_flows.py:report", work_pool: { name: pool } };
    const trigger = {
      type: "event",
      match: { "prefect.resource.id": "sky.*" },
      expect: ["rain.started"],
      parameters: { source: "{{ event.resource.id }}", rows: "{{ event.payload.rows }}" },
    };
    const project = {
      deployments: [
        { ...deployment, name: names.first, triggers: [trigger] },
        { ...deployment, name: names.second },
      ],
    };
    await writeFile(join(commands.home.path, "prefect.yaml"), JSON.stringify(project));
  });

  it("`prefect deploy` makes the automation of a trigger; an event of the client starts a run, whose end starts another", async () => {
    await commands.run("--no-prompt", "deploy", "--all");
    const deployments = await api.call<readonly { id: string; name: string }[]>(
      "POST",
      "/deployments/filter",
      {
        deployments: { name: { any_: [names.first, names.second] } },
        sort: "NAME_DESC",
      },
    );
    const [first, second] = deployments;
    const owned = (id: string | undefined): Promise<Automation[]> =>
      api.call("GET", `/automations/related-to/prefect.deployment.${id ?? ""}`);
    const [made] = await owned(first?.id);
    expect(made).toMatchObject({ name: `${names.first}__automation_1`, enabled: true });
    // Deployed again, there is still one, and it is new.
    await commands.run("--no-prompt", "deploy", "-n", names.first);
    const again = await owned(first?.id);
    expect(again).toHaveLength(1);
    expect(again[0]?.id).not.toBe(made?.id);

    const chain = {
      name: "chain",
      trigger: {
        type: "event",
        posture: "Reactive",
        expect: ["prefect.flow-run.Completed"],
        match_related: { "prefect.resource.id": `prefect.deployment.${first?.id ?? ""}` },
      },
      actions: [
        {
          type: "run-deployment",
          source: "selected",
          deployment_id: second?.id,
          parameters: { source: "{{ flow_run.name }} in {{ flow_run.state.name }}" },
        },
      ],
    };
    await writeFile(join(commands.home.path, "chain.yaml"), JSON.stringify(chain));
    await commands.run("automation", "create", "--from-file", "chain.yaml");

    await using client = new TestProcess(
      prefectProgram(3, "python"),
      [
        "-c",
        'from prefect.events import emit_event; emit_event("rain.started", resource={"prefect.resource.id": "sky.north"}, payload={"rows": [1, None, "x"]})',
      ],
      { cwd: commands.home.path, env: { ...commands.home.env, PREFECT_API_URL: server.url } },
    );
    expect(await client.end(60_000)).toEqual({ code: 0, signal: null });
    const rain = await runOf(names.first);
    expect(rain).toMatchObject({
      parameters: { source: "sky.north", rows: [1, null, "x"] },
      created_by: { type: "AUTOMATION", display_value: `${names.first}__automation_1` },
    });
    const follower = await runOf(names.second);
    expect(follower).toMatchObject({ parameters: { source: `${rain.name} in Completed` } });
    await expect
      .poll(async () => (await api.logs(follower)).map(({ message }) => message), { timeout: 15_000 })
      .toContain(`reported by ${rain.name} in Completed rows []`);
  });

  it("`prefect automation` lists, shows, pauses, resumes and deletes them", async () => {
    const json = JSON.stringify({
      name: "by hand",
      description: "made on the command line",
      trigger: { type: "event", posture: "Proactive", expect: ["never"], within: 3600 },
      actions: [{ type: "do-nothing" }],
    });
    await commands.run("automation", "create", "--from-json", json);
    const read = async (): Promise<Automation | undefined> => {
      const [found] = await api.call<Automation[]>("POST", "/automations/filter", {
        automations: { name: { any_: ["by hand"] } },
      });
      return found;
    };
    expect(await commands.run("automation", "ls")).toContain("made on the command line");
    expect(await commands.run("automation", "inspect", "by hand")).toContain("Posture.Proactive");
    await commands.run("automation", "pause", "by hand");
    expect(await read()).toMatchObject({ enabled: false });
    await commands.run("automation", "resume", "--id", (await read())?.id ?? "");
    expect(await read()).toMatchObject({ enabled: true });
    await commands.run("automation", "delete", "by hand");
    expect(await read()).toBeUndefined();
  });
});

describe("a run whose machine is gone", () => {
  it("is crashed when its heartbeats have stopped", async () => {
    const run = await doomed;
    const ended = await api.waitFor(run, ["CRASHED"], 90_000);
    expect(ended.state.message).toMatch(/^No heartbeat for \d+ s, where one was due every 30 s/);
  });
});
