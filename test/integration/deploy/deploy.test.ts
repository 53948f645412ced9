import { spawn } from "node:child_process";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, it } from "vitest";

import { PrefectServer, prefectProgram } from "../../support/prefect-server.ts";
import { POOLS, PROJECTS, SECRETS, VARIABLES } from "./projects.ts";

import type { Project } from "./projects.ts";

const LIGHTERMAN = fileURLToPath(new URL("../../../dist/lighterman.js", import.meta.url));
const ORACLE = fileURLToPath(new URL("oracle.py", import.meta.url));

/** Runs `deploy …` in a directory; resolves with exit status and output. */
type Deploy = (cwd: string, args: readonly string[], env: Readonly<Record<string, string>>) => Promise<Ran>;

interface Ran {
  readonly code: number;
  readonly output: string;
}

interface Side {
  readonly server: PrefectServer;
  readonly deploy: Deploy;
  readonly directory: string;
  stop(): Promise<void>;
}

let theirs: Side;
let ours: Side;

beforeAll(async () => {
  [theirs, ours] = await Promise.all([openSide(prefectDeploy), openSide(lightermanDeploy)]);
});

afterAll(async () => {
  await Promise.all([theirs.stop(), ours.stop()]);
});

describe("`lighterman deploy` leaves on the server what `prefect deploy` leaves", () => {
  it.for(PROJECTS)("$name", async (project, { expect }) => {
    const [expected, found] = await Promise.all([outcome(theirs, project), outcome(ours, project)]);
    expect(found.codes, `${found.outputs.join("\n")}\n--- prefect\n${expected.outputs.join("\n")}`).toEqual(
      expected.codes,
    );
    expect(found.left, found.outputs.join("\n")).toEqual(expected.left);
  });
});

interface Outcome {
  readonly codes: readonly number[];
  readonly outputs: readonly string[];
  readonly left: unknown;
}

async function outcome({ server, deploy, directory }: Side, project: Project): Promise<Outcome> {
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
    call<Item[]>(server, "POST", "/automations/filter", {}),
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

async function clear(server: PrefectServer): Promise<void> {
  for (const { id } of await call<Item[]>(server, "POST", "/automations/filter", {})) {
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

async function openSide(
  open: (server: PrefectServer, directory: string) => Promise<Pick<Side, "deploy" | "stop">>,
): Promise<Side> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), "deploy-")));
  const server = await PrefectServer.start();
  for (const [name, pool] of Object.entries(POOLS))
    await call(server, "POST", "/work_pools/", { name, ...pool });
  for (const [name, value] of Object.entries(VARIABLES))
    await call(server, "POST", "/variables/", { name, value });
  await saveSecrets(server);
  const { deploy, stop } = await open(server, directory);
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

async function saveSecrets(server: PrefectServer): Promise<void> {
  const program = `
import json, sys
from prefect.blocks.system import Secret
for name, value in json.loads(sys.argv[1]).items():
    Secret(value=value).save(name)
`;
  const child = spawn(prefectProgram(3, "python"), ["-c", program, JSON.stringify(SECRETS)], {
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

async function prefectDeploy(
  server: PrefectServer,
  directory: string,
): Promise<Pick<Side, "deploy" | "stop">> {
  const child = spawn(prefectProgram(3, "python"), [ORACLE], {
    env: environment(server),
    stdio: ["pipe", "pipe", "inherit"],
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await answers.next();
  const output = join(directory, "output");
  return {
    async deploy(cwd, args, env) {
      const request = { cwd, args: ["--no-prompt", "deploy", ...args], env, output };
      child.stdin.write(`${JSON.stringify(request)}\n`);
      const { value } = (await answers.next()) as { value: string };
      return { code: JSON.parse(value) as number, output: await readFile(output, "utf8") };
    },
    async stop() {
      child.stdin.end();
      await once(child, "exit");
    },
  };
}

function lightermanDeploy(server: PrefectServer): Promise<Pick<Side, "deploy" | "stop">> {
  return Promise.resolve({
    async deploy(cwd, args, env) {
      const child = spawn(process.execPath, [LIGHTERMAN, "deploy", ...args], {
        cwd,
        env: { ...environment(server), LIGHTERMAN_PYTHON: prefectProgram(3, "python"), ...env },
        stdio: ["ignore", "pipe", "pipe"],
      });
      let output = "";
      for (const stream of [child.stdout, child.stderr]) {
        stream.on("data", (chunk: Buffer) => {
          output += chunk.toString();
        });
      }
      const [code] = (await once(child, "close")) as [number];
      return { code, output };
    },
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
