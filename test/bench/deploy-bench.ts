import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { EmbeddedServer } from "../support/embedded-server.ts";
import { PrefectServer, prefectProgram } from "../support/prefect-server.ts";
import { Postgres } from "./postgres.ts";

const USAGE = `npm run bench deploy -- [options]
Registers deployments of one prefect.yaml with \`prefect deploy --all\` and \`lighterman deploy --all\`, by turns, on the same server: first new
ones, then the same again. Ten flow files, no steps. What the server itself needs for the new ones, one POST after the other on one
connection with nothing around it, is shown beside them: nobody who sends one by one can be faster.
  --deployments N     how many (default 100)
  --rounds N          how often each (default 3); medians are shown
  --server KINDS      of prefect (on SQLite), prefect-postgres (needs Debian's package postgresql), lighterman; several with
                      commas between them (default prefect,lighterman)
  --side SIDE         only prefect or only lighterman
  --imported          flows of a type of their own, which have to be imported to be read
  --json              the figures as JSON instead of a table`;

const LIGHTERMAN = fileURLToPath(new URL("../../dist/lighterman.js", import.meta.url));
const FILES = 10;

type Side = "prefect" | "lighterman" | "bare";
type Phase = "new" | "again";

interface Figure {
  readonly server: string;
  readonly phase: Phase;
  readonly prefectSeconds: number;
  readonly lightermanSeconds: number;
  readonly ratio: number;
  /** The bare calls of the server's API. */
  readonly serverSeconds?: number;
}

interface Settings {
  readonly count: number;
  readonly rounds: number;
  readonly side: string | undefined;
  readonly directory: string;
  readonly log: (line: string) => void;
}

export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      deployments: { type: "string", default: "100" },
      rounds: { type: "string", default: "3" },
      server: { type: "string", default: "prefect,lighterman" },
      side: { type: "string" },
      imported: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return;
  }
  const directory = await mkdtemp(join(tmpdir(), "deploy-bench-"));
  const settings: Settings = {
    count: Number(values.deployments),
    rounds: Number(values.rounds),
    side: values.side,
    directory,
    log: (line) => (values.json ? undefined : console.error(line)),
  };
  try {
    await writeProject(directory, settings.count, values.imported);
    const figures: Figure[] = [];
    for (const kind of values.server.split(",")) figures.push(...(await measure(kind, settings)));
    if (values.json) console.log(JSON.stringify(figures, null, 2));
    else {
      console.log(`${settings.count} deployments, medians of ${settings.rounds}`);
      for (const figure of figures) console.log(textOf(figure));
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function measure(kind: string, settings: Settings): Promise<readonly Figure[]> {
  const { count, rounds, side: wanted, directory, log } = settings;
  await using database = kind === "prefect-postgres" ? await Postgres.start() : undefined;
  await using server = await startServer(kind, database);
  await call(server.url, "POST", "/work_pools/", { name: "bench", type: "process" });
  const seconds = new Map<string, number[]>();
  const note = (what: string, round: number, taken: number): void => {
    seconds.set(what, [...(seconds.get(what) ?? []), taken]);
    log(`${kind}, round ${round}: ${what}: ${taken.toFixed(2)} s`);
  };
  for (let round = 1; round <= rounds; round += 1) {
    const order: readonly Side[] =
      round % 2 === 1 ? ["prefect", "lighterman", "bare"] : ["bare", "lighterman", "prefect"];
    for (const side of order.filter((one) => wanted === undefined || wanted === one)) {
      if (side === "bare") note("bare new", round, await postAll(server.url, count));
      else {
        for (const phase of ["new", "again"] as const) {
          note(`${side} ${phase}`, round, await deploy(side, server.url, directory));
          await expectDeployments(server.url, count);
        }
      }
      await clear(server.url);
    }
  }
  return (["new", "again"] as const).map((phase): Figure => {
    const of = (side: Side): number => median(seconds.get(`${side} ${phase}`));
    const [prefectSeconds, lightermanSeconds, bare] = [of("prefect"), of("lighterman"), of("bare")];
    return {
      server: kind,
      phase,
      prefectSeconds,
      lightermanSeconds,
      ratio: prefectSeconds / lightermanSeconds,
      ...(Number.isNaN(bare) ? {} : { serverSeconds: bare }),
    };
  });
}

function startServer(
  kind: string,
  database: Postgres | undefined,
): Promise<AsyncDisposable & { readonly url: string }> {
  if (kind === "lighterman") return EmbeddedServer.start();
  if (kind !== "prefect" && kind !== "prefect-postgres")
    throw new Error(`There is no server ${kind}\n${USAGE}`);
  const env = database === undefined ? {} : { PREFECT_API_DATABASE_CONNECTION_URL: database.url };
  return PrefectServer.start({ env });
}

function textOf({ server, phase, prefectSeconds, lightermanSeconds, ratio, serverSeconds }: Figure): string {
  const words = [server.padEnd(16), phase.padEnd(5), `prefect deploy ${prefectSeconds.toFixed(2)} s`];
  words.push(`lighterman deploy ${lightermanSeconds.toFixed(2)} s`, `${ratio.toFixed(1)} times faster`);
  if (serverSeconds !== undefined) words.push(`(bare calls ${serverSeconds.toFixed(2)} s)`);
  return words.join("   ");
}

/** The deployments of the project as the API takes them, one call after the other. */
async function postAll(url: string, count: number): Promise<number> {
  const begin = performance.now();
  const flows: string[] = [];
  for (let file = 0; file < FILES; file += 1) {
    flows.push((await call<{ readonly id: string }>(url, "POST", "/flows/", { name: `flow-${file}` })).id);
  }
  const properties = {
    n: { default: 1, position: 0, title: "n", type: "integer" },
    name: { default: "x", position: 1, title: "name", type: "string" },
  };
  for (let index = 0; index < count; index += 1) {
    const file = index % FILES;
    await call(url, "POST", "/deployments/", {
      name: `deployment-${index}`,
      flow_id: flows[file],
      entrypoint: `flow_${file}.py:flow_${file}`,
      description: "A flow.",
      tags: ["bench"],
      parameters: { n: index },
      parameter_openapi_schema: { title: "Parameters", type: "object", properties },
      schedules: [{ schedule: { cron: `0 ${index % 24} * * *` } }],
      pull_steps: [{ "prefect.deployments.steps.set_working_directory": { directory: "/srv" } }],
      work_pool_name: "bench",
    });
  }
  return (performance.now() - begin) / 1000;
}

async function writeProject(directory: string, count: number, isImported: boolean): Promise<void> {
  const type = isImported ? "\nclass Size(int):\n    pass\n" : "";
  for (let file = 0; file < FILES; file += 1) {
    const text = `from prefect import flow\n${type}\n@flow\ndef flow_${file}(n: ${isImported ? "Size" : "int"} = 1, name: str = "x"):\n    "A flow."\n`;
    await writeFile(join(directory, `flow_${file}.py`), text);
  }
  const deployments = Array.from({ length: count }, (_, index) => {
    const file = index % FILES;
    return `  - name: deployment-${index}\n    entrypoint: flow_${file}.py:flow_${file}\n    tags: [bench]\n    parameters: {n: ${index}}\n    schedules: [{cron: "0 ${index % 24} * * *"}]\n    work_pool: {name: bench}\n`;
  });
  await writeFile(
    join(directory, "prefect.yaml"),
    `pull:\n  - prefect.deployments.steps.set_working_directory: {directory: /srv}\ndeployments:\n${deployments.join("")}`,
  );
}

async function deploy(side: Exclude<Side, "bare">, url: string, cwd: string): Promise<number> {
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: cwd,
    PREFECT_HOME: join(cwd, ".prefect"),
    PREFECT_API_URL: url,
    PREFECT_SERVER_ANALYTICS_ENABLED: "false",
    DO_NOT_TRACK: "1",
    LIGHTERMAN_PYTHON: prefectProgram(3, "python"),
  };
  const [program, args] =
    side === "prefect"
      ? [prefectProgram(3, "prefect"), ["--no-prompt", "deploy", "--all"]]
      : [process.execPath, [LIGHTERMAN, "deploy", "--all"]];
  const begin = performance.now();
  const child = spawn(program, args, { cwd, env, stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const [code] = (await once(child, "close")) as [number];
  if (code !== 0) throw new Error(`${side} deploy ended with ${code}:\n${errors}`);
  return (performance.now() - begin) / 1000;
}

async function expectDeployments(url: string, count: number): Promise<void> {
  const found = await call<number>(url, "POST", "/deployments/count", {});
  if (found !== count) throw new Error(`${found} of ${count} deployments are there`);
}

async function clear(url: string): Promise<void> {
  for (const { id } of await call<{ readonly id: string }[]>(url, "POST", "/flows/filter", {})) {
    await call(url, "DELETE", `/flows/${id}`);
  }
}

async function call<T>(url: string, method: string, path: string, body?: unknown): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    const response = await fetch(url + path, {
      method,
      headers: { "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      if (attempt === 5) throw error;
      return undefined; // the server closes a connection on which it has answered 503
    });
    if (response === undefined) continue;
    const text = await response.text();
    if (response.ok) return (text === "" ? undefined : JSON.parse(text)) as T;
    if (response.status !== 503 || attempt === 5)
      throw new Error(`${method} ${path}: ${response.status} ${text}`);
  }
}

function median(values: readonly number[] = []): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
