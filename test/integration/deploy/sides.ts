import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { PrefectServer, prefectProgram } from "../../support/prefect-server.ts";
import { Oracle, runLighterman } from "./commands.ts";
import { POOLS, SECRETS, VARIABLES } from "./projects.ts";

import type { PrefectMajor } from "../../support/prefect-server.ts";
import type { Ran } from "./commands.ts";
import type { Project } from "./projects.ts";

/** Runs `deploy …` in a directory; resolves with exit status and output. */
type Deploy = (cwd: string, args: readonly string[], env: Readonly<Record<string, string>>) => Promise<Ran>;

/** A clean server, and a command that deploys to it. */
export interface Side {
  readonly server: PrefectServer;
  readonly deploy: Deploy;
  readonly directory: string;
  stop(): Promise<void>;
}

/** What a project left, and how its commands ended. */
export interface Outcome {
  readonly codes: readonly number[];
  readonly outputs: readonly string[];
  readonly left: unknown;
}

/** Deploys a project, and clears the server again. */
export async function outcome({ server, deploy, directory }: Side, project: Project): Promise<Outcome> {
  const cwd = join(directory, "project");
  await rm(cwd, { recursive: true, force: true });
  for (const [path, text] of Object.entries(project.files)) {
    await mkdir(dirname(join(cwd, path)), { recursive: true });
    await writeFile(join(cwd, path), text);
  }
  if (project.git === true) commit(cwd);
  const ran: Ran[] = [];
  for (const args of project.runs) ran.push(await deploy(cwd, args, project.env ?? {}));
  const left = await leftOn(server, directory);
  await clear(server);
  return { codes: ran.map(({ code }) => code), outputs: ran.map(({ output }) => output), left };
}

/** Deployments with their flows and automations, without what differs each time. */
async function leftOn(server: PrefectServer, directory: string): Promise<unknown> {
  const [deployments, flows, automations] = await Promise.all([
    call<Item[]>(server, "POST", "/deployments/filter", {}),
    call<Item[]>(server, "POST", "/flows/filter", {}),
    automationsOf(server),
  ]);
  const flowNames = new Map(flows.map(({ id, name }) => [id, name]));
  const names = new Map(deployments.map(({ id, name }) => [id, name]));
  const text = JSON.stringify({
    deployments: deployments
      .map((deployment) => ({ ...deployment, flow_id: flowNames.get(String(deployment["flow_id"])) }))
      .toSorted((a, b) => `${a.flow_id}/${a.name}`.localeCompare(`${b.flow_id}/${b.name}`)),
    automations: automations.toSorted((a, b) => a.name.localeCompare(b.name)),
  });
  let neutral = text.replaceAll(directory, "DIRECTORY");
  for (const [id, name] of names) neutral = neutral.replaceAll(id, `id of ${name}`);
  return strip(JSON.parse(neutral));
}

const DIFFERENT_EACH_TIME = new Set([
  "id",
  "created",
  "updated",
  "work_queue_id",
  "version_id",
  "last_polled",
  "flow_id_",
]);

// Sets, which Python sends in any order.
const SETS = new Set(["expect", "after", "for_each"]);

function strip(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => strip(item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, item]) => {
      if (DIFFERENT_EACH_TIME.has(key)) return [];
      // The anchor of an interval that names none is the time of the deploy.
      if (key === "anchor_date" && isRecent(item)) return [[key, "now"]];
      if (key === "labels") return [];
      if (SETS.has(key) && Array.isArray(item)) return [[key, item.toSorted(byText)]];
      if (key === "schedules" && Array.isArray(item))
        return [[key, item.map((each) => strip(each)).toSorted(byText)]];
      return [[key, strip(item)]];
    }),
  );
}

function byText(a: unknown, b: unknown): number {
  return JSON.stringify(a).localeCompare(JSON.stringify(b));
}

function isRecent(value: unknown): boolean {
  return typeof value === "string" && Math.abs(Date.now() - Date.parse(value)) < 600_000;
}

/** Servers 2.x have none unless they are told to. */
async function automationsOf(server: PrefectServer): Promise<Item[]> {
  return server.major === 2 ? [] : await call<Item[]>(server, "POST", "/automations/filter", {});
}

async function clear(server: PrefectServer): Promise<void> {
  for (const { id } of await automationsOf(server)) {
    await call(server, "DELETE", `/automations/${id}`);
  }
  for (const { id } of await call<Item[]>(server, "POST", "/deployments/filter", {})) {
    await call(server, "DELETE", `/deployments/${id}`);
  }
  for (const { id } of await call<Item[]>(server, "POST", "/flows/filter", {})) {
    await call(server, "DELETE", `/flows/${id}`);
  }
}

interface Item extends Readonly<Record<string, unknown>> {
  readonly id: string;
  readonly name: string;
}

async function call<T>(server: PrefectServer, method: string, path: string, body?: unknown): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    const response = await fetch(server.url + path, {
      method,
      headers: { "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (response.ok) return (text === "" ? undefined : JSON.parse(text)) as T;
    if (response.status !== 503 || attempt === 5)
      throw new Error(`${method} ${path}: ${response.status} ${text}`);
  }
}

/** Opens a server of that release with pools, variables and secrets, and `prefect deploy` or `lighterman deploy` for it. */
export async function openSide(who: "prefect" | "lighterman", major: PrefectMajor = 3): Promise<Side> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), "deploy-")));
  // Two servers 2.x that build their page at once fail: they build it in one place.
  const server = await PrefectServer.start({ major, env: { PREFECT_UI_ENABLED: "false" } });
  try {
    await fill(server);
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  const open = who === "prefect" ? prefectDeploy : lightermanDeploy;
  const { deploy, stop } = await open(server);
  return {
    server,
    deploy,
    directory,
    async stop() {
      await stop();
      await server[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Makes what the projects refer to. */
async function fill(server: PrefectServer): Promise<void> {
  for (const [name, pool] of Object.entries(POOLS))
    await call(server, "POST", "/work_pools/", { name, ...pool });
  for (const [name, value] of Object.entries(VARIABLES))
    // Variables of 2.x are texts.
    await call(server, "POST", "/variables/", {
      name,
      value: server.major === 3 || typeof value === "string" ? value : JSON.stringify(value),
    });
  await saveSecrets(server);
}

async function saveSecrets(server: PrefectServer): Promise<void> {
  const program = `
import json, sys
import prefect
from prefect.blocks.system import Secret
for name, value in json.loads(sys.argv[1]).items():
    # Secrets of 2.x are texts.
    Secret(value=value if prefect.__version__ > "3" or isinstance(value, str) else json.dumps(value)).save(name)
`;
  const child = spawn(prefectProgram(server.major, "python"), ["-c", program, JSON.stringify(SECRETS)], {
    env: environment(server),
    stdio: ["ignore", "ignore", "inherit"],
  });
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error("The secrets could not be saved");
}

function environment(server: PrefectServer): Record<string, string> {
  return {
    PATH: process.env["PATH"] ?? "",
    HOME: server.home,
    PREFECT_HOME: join(server.home, "client"),
    PREFECT_API_URL: server.url,
    PREFECT_SERVER_ANALYTICS_ENABLED: "false",
    DO_NOT_TRACK: "1",
    NO_COLOR: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
  };
}

async function prefectDeploy(server: PrefectServer): Promise<Pick<Side, "deploy" | "stop">> {
  const oracle = await Oracle.start(server.major, environment(server));
  return {
    deploy: (cwd, args, env) => oracle.run(cwd, ["--no-prompt", "deploy", ...args], env),
    stop: () => oracle[Symbol.asyncDispose](),
  };
}

function lightermanDeploy(server: PrefectServer): Promise<Pick<Side, "deploy" | "stop">> {
  const python = { LIGHTERMAN_PYTHON: prefectProgram(server.major, "python") };
  return Promise.resolve({
    deploy: (cwd, args, env) =>
      runLighterman(cwd, ["deploy", ...args], { ...environment(server), ...python, ...env }),
    stop: () => Promise.resolve(),
  });
}

function commit(cwd: string): void {
  const git = (...args: readonly string[]): void => {
    execFileSync("git", args, {
      cwd,
      stdio: "ignore",
      env: {
        PATH: process.env["PATH"] ?? "",
        GIT_CONFIG_GLOBAL: "/dev/null",
        GIT_AUTHOR_NAME: "a",
        GIT_AUTHOR_EMAIL: "a@example.com",
        GIT_COMMITTER_NAME: "a",
        GIT_COMMITTER_EMAIL: "a@example.com",
        GIT_AUTHOR_DATE: "2024-01-01T00:00:00Z",
        GIT_COMMITTER_DATE: "2024-01-01T00:00:00Z",
      },
    });
  };
  git("init", "-q", "-b", "main");
  git("remote", "add", "origin", "https://example.com/o/r.git");
  git("add", ".");
  git("commit", "-q", "-m", "First");
}
