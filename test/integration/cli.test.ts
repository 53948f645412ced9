import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, inject, it } from "vitest";

import { runCli } from "../support/cli.ts";
import { AsyncDisposables } from "../support/disposables.ts";
import { EmbeddedServer } from "../support/embedded-server.ts";
import { PrefectApi, uniqueName } from "../support/prefect-api.ts";
import { PrefectCommands } from "../support/prefect-commands.ts";
import { prefectProgram } from "../support/prefect-server.ts";
import { WorkerHome, startWorker } from "../support/worker-process.ts";

import type { CliResult } from "../support/cli.ts";

type Body = Readonly<Record<string, unknown>>;

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));
const disposables = new AsyncDisposables();
const real = new PrefectApi(inject("prefect3Url"));
let embedded: PrefectApi;
let home: WorkerHome;

beforeAll(async () => {
  home = disposables.use(await WorkerHome.create());
  embedded = new PrefectApi(disposables.use(await EmbeddedServer.start()).url);
});

afterAll(() => disposables.dispose());

/** Runs a Python program of the fixtures with a JSON value on its standard input; gives the JSON that it prints. */
async function python<T>(program: string, input: unknown, env: Readonly<Record<string, string>>): Promise<T> {
  const child = spawn(prefectProgram(3, "python"), [`${fixtures}/${program}`], {
    cwd: home.path,
    env: { ...home.env, ...env },
  });
  child.stdin.end(JSON.stringify(input));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  const line = stdout.split("\n").findLast((candidate) => /^[[{]/.test(candidate));
  if (line === undefined) throw new Error(`${program}: ${stdout}\n${stderr}`);
  return JSON.parse(line) as T;
}

function ours(api: PrefectApi, words: readonly string[], stdin = ""): Promise<CliResult> {
  return runCli(words, { apiUrl: api.url, stdin });
}

/** What both commands are told; `NAME` stands for a name of its own. */
const COMMANDS: readonly (readonly string[])[] = [
  ["work-pool", "create", "NAME", "--type", "process", "--paused"],
  ["work-pool", "resume", "NAME"],
  ["work-pool", "set-concurrency-limit", "NAME", "7"],
  ["work-pool", "update", "NAME", "--description", "for tests"],
  ["work-pool", "create", "NAME-2", "-t", "process"],
  ["work-pool", "set-concurrency-limit", "NAME-2", "3"],
  ["work-pool", "clear-concurrency-limit", "NAME-2"],
  ["work-pool", "pause", "NAME-2"],
  ["work-pool", "create", "NAME-2", "--overwrite"],
  ["work-queue", "create", "urgent", "--pool", "NAME", "--limit", "3", "-q", "1"],
  ["work-queue", "pause", "urgent", "-p", "NAME"],
  ["work-queue", "create", "slow", "-p", "NAME"],
  ["work-queue", "set-concurrency-limit", "slow", "4", "-p", "NAME"],
  ["work-queue", "create", "gone", "-p", "NAME", "-l", "9"],
  ["work-queue", "clear-concurrency-limit", "default", "-p", "NAME"],
  ["work-queue", "ls", "-p", "NAME"],
  ["variable", "set", "NAME_v", '{"a": [1, null]}', "--tag", "one", "--tag", "two"],
  ["variable", "set", "NAME_w", "plain"],
  ["variable", "set", "NAME_w", "07", "--overwrite"],
  ["variable", "get", "NAME_v"],
  ["deployment", "ls"],
  ["deployment", "schedule", "create", "NAME/dep", "--cron", "0 9 * * *", "--timezone", "Europe/Vienna"],
  ["deployment", "schedule", "create", "NAME/dep", "--interval", "3600"],
  ["deployment", "schedule", "ls", "NAME/dep"],
  // prettier-ignore
  ["deployment", "run", "NAME/dep", "-p", "x=1", "-p", 'y={"z": [1]}', "--params", '{"x": 2, "t": "more"}',
    "--job-variable", "env.A=1", "--job-variable", "image=busybox", "--tag", "mine", "--flow-run-name", "of {x}",
    "--start-at", "2030-01-02 17:30"],
  ["deployment", "run", "NAME/dep", "-p", "t=hello there", "-p", "x=2026-11-25", "--start-in", "2 days"],
  ["flow-run", "ls", "--flow-name", "NAME"],
  ["flow", "ls"],
];

/** Each is refused by both, with the same exit status. */
const REFUSED: readonly (readonly string[])[] = [
  ["work-pool", "inspect", "NAME-none"],
  ["work-pool", "create", "NAME", "--type", "process"],
  ["work-queue", "inspect", "none", "-p", "NAME"],
  ["variable", "get", "NAME_none"],
  ["variable", "set", "NAME_v", "1"],
  ["deployment", "inspect", "NAME/none"],
  ["deployment", "run", "NAME/dep", "-p", "unknown=1"],
  ["deployment", "run", "NAME/dep", "-p", "x={1"],
  ["deployment", "run", "NAME/dep", "--start-in", "whenever"],
  ["deployment", "run", "NAME/dep", "--start-in", "1 hour", "--start-at", "17:30"],
  ["flow-run", "ls", "--state-type", "NONSENSE"],
  ["block", "inspect", "secret/NAME-none"],
];

async function prepare(api: PrefectApi, name: string): Promise<void> {
  const flow = await api.call<{ id: string }>("POST", "/flows/", { name });
  await api.call("POST", "/deployments/", {
    name: "dep",
    flow_id: flow.id,
    parameters: { t: "default" },
    parameter_openapi_schema: { type: "object", properties: { x: {}, y: {}, t: {} } },
  });
}

/** Everything that the commands have made, without what differs from call to call. */
async function effects(api: PrefectApi, name: string): Promise<unknown> {
  const variable = name.replaceAll("-", "_");
  const pick = (object: Body, ...keys: readonly string[]): unknown =>
    JSON.parse(
      JSON.stringify(Object.fromEntries(keys.map((key) => [key, object[key]]))).replaceAll(name, "NAME"),
    );
  const pools = await Promise.all(
    [name, `${name}-2`].map((each) => api.call<Body>("GET", `/work_pools/${each}`)),
  );
  const queues = await api.call<Body[]>("POST", `/work_pools/${name}/queues/filter`, {});
  const variables = await Promise.all(
    ["v", "w"].map((each) => api.call<Body>("GET", `/variables/name/${variable}_${each}`)),
  );
  const deployment = await api.call<Body>("GET", `/deployments/name/${name}/dep`);
  const schedules = await api.call<{ schedule: Body; active: boolean }[]>(
    "GET",
    `/deployments/${String(deployment["id"])}/schedules`,
  );
  const runs = await api.call<Body[]>("POST", "/flow_runs/filter", {
    deployments: { id: { any_: [deployment["id"]] } },
    flow_runs: { tags: { any_: ["mine"] } },
  });
  const soon = await api.call<Body[]>("POST", "/flow_runs/filter", {
    deployments: { id: { any_: [deployment["id"]] } },
    flow_runs: { state: { type: { any_: ["SCHEDULED"] } }, tags: { is_null_: true } },
  });
  return {
    pools: pools.map((pool) =>
      pick(pool, "name", "type", "is_paused", "concurrency_limit", "description", "base_job_template"),
    ),
    queues: queues
      .map((queue) => pick(queue, "name", "is_paused", "concurrency_limit", "priority"))
      .sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b))),
    variables: variables.map((each) => pick(each, "value", "tags")),
    schedules: schedules.map(({ schedule, active }) => [
      active,
      pick(schedule, "cron", "interval", "timezone", "day_or"),
    ]),
    runs: runs.map((run) => [
      pick(run, "name", "parameters", "job_variables", "tags", "auto_scheduled"),
      Date.parse(String(run["expected_start_time"])),
    ]),
    soon: soon
      .filter((run) => run["auto_scheduled"] !== true)
      .map((run) => [
        pick(run, "parameters", "job_variables"),
        Math.round((Date.parse(String(run["expected_start_time"])) - Date.now()) / 3_600_000),
      ]),
  };
}

describe("the everyday commands", () => {
  it("do what those of `prefect` do, on a real server and on the embedded one", async ({ expect }) => {
    const [theirs, onReal, onEmbedded] = ["theirs", "real", "embedded"].map((prefix) =>
      uniqueName(prefix).replaceAll("-", "x"),
    ) as [string, string, string];
    await Promise.all([prepare(real, theirs), prepare(real, onReal), prepare(embedded, onEmbedded)]);
    const named = (words: readonly string[], name: string): string[] =>
      words.map((word) => word.replaceAll("NAME", name));

    async function runOurs(api: PrefectApi, name: string): Promise<number[]> {
      const codes: number[] = [];
      for (const words of COMMANDS) {
        const { code, stderr } = await ours(api, named(words, name));
        expect(code, `${words.join(" ")}: ${stderr}`).toBe(0);
      }
      for (const words of REFUSED) codes.push((await ours(api, named(words, name))).code);
      return codes;
    }

    async function runTheirs(): Promise<number[]> {
      await using prefect = await PrefectCommands.start(real.url);
      for (const words of COMMANDS) await prefect.run("--no-prompt", ...named(words, theirs));
      const codes: number[] = [];
      for (const words of REFUSED)
        codes.push((await prefect.try("--no-prompt", ...named(words, theirs))).code);
      return codes;
    }

    const [theirCodes, realCodes, embeddedCodes] = await Promise.all([
      runTheirs(),
      runOurs(real, onReal),
      runOurs(embedded, onEmbedded),
    ]);
    // A wrong command line is 2 here, and 1 there.
    for (const [index, code] of theirCodes.entries()) {
      expect([code, realCodes[index], embeddedCodes[index]], REFUSED[index]?.join(" ")).toEqual([
        1,
        expect.toBeOneOf([1, 2]),
        realCodes[index],
      ]);
    }
    const wanted = await effects(real, theirs);
    expect(await effects(real, onReal)).toEqual(wanted);
    expect(await effects(embedded, onEmbedded)).toEqual(wanted);
  });

  it("make blocks that Python loads, with their secrets, on a real server and on the embedded one", async ({
    expect,
  }) => {
    const name = uniqueName("blocks");
    const blocks: readonly (readonly [slug: string, fields: Body])[] = [
      ["secret", { value: "canary-1" }],
      [
        "aws-credentials",
        { aws_access_key_id: "AKIA", aws_secret_access_key: "canary-2", region_name: "eu-west-1" },
      ],
      [
        "minio-credentials",
        {
          minio_root_user: "root",
          minio_root_password: "canary-3",
          aws_client_parameters: { endpoint_url: "http://127.0.0.1:9000" },
        },
      ],
      [
        "s3-bucket",
        {
          bucket_name: "data",
          bucket_folder: "in",
          credentials: `{{ prefect.blocks.minio-credentials.${name} }}`,
        },
      ],
    ];
    await Promise.all(
      [real, embedded].map(async (api) => {
        for (const [slug, fields] of blocks) {
          const made = await ours(api, ["block", "create", `${slug}/${name}`], JSON.stringify(fields));
          expect(made.code, slug + made.stderr).toBe(0);
          const shown = await ours(api, ["block", "inspect", `${slug}/${name}`, "--json"]);
          expect(shown.stdout).not.toContain("canary");
        }
      }),
    );
    const loaded = await python<Body[]>("load_blocks.py", { name, urls: [real.url, embedded.url] }, {});
    const wanted = {
      secret: "canary-1",
      aws: ["AKIA", "canary-2", "eu-west-1"],
      minio: ["root", "canary-3", "http://127.0.0.1:9000"],
      bucket: ["data", "in", "MinIOCredentials", "canary-3"],
      saved: "canary-4",
    };
    expect(loaded).toEqual([wanted, wanted]);
  });

  it("watch a run that a worker runs, to its end, on a real server", async ({ expect }) => {
    const pool = uniqueName("watched");
    expect(await ours(real, ["work-pool", "create", pool])).toMatchObject({ code: 0 });
    const deployment = await real.createDeployment({
      pool,
      entrypoint: "none",
      jobVariables: { engine: "none", command: "echo from the program" },
    });
    const name = `${deployment.flowName}/${deployment.name}`;
    await using _worker = await startWorker({ apiUrl: real.url, pool });
    const [good, bad] = await Promise.all([
      ours(real, ["deployment", "run", name, "--watch"]),
      ours(real, ["deployment", "run", name, "--watch", "--job-variable", "command=/bin/false"]),
    ]);
    expect(good.code, good.stderr + good.stdout).toBe(0);
    expect(good.stdout.match(/from the program/g)).toHaveLength(1);
    expect(good.stdout).toMatch(/is Pending[^]*is Running[^]*is Completed/);
    expect(bad.code).toBe(1);
    expect(bad.stdout).toMatch(/is Failed/);
  });
});
