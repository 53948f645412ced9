import { execFile } from "node:child_process";
import { readFile, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, inject, it } from "vitest";
import { parse } from "yaml";
import { until } from "../support/deadline.ts";
import { AsyncDisposables } from "../support/disposables.ts";
import { DockerEngine, prefectImage } from "../support/docker-engine.ts";
import { buildImage, makeBases } from "../support/lighterman-image.ts";
import { PrefectApi, uniqueName } from "../support/prefect-api.ts";
import { freePort } from "../support/prefect-server.ts";
import type { FlowRun } from "../support/prefect-api.ts";

const sidecar = new URL("../../deploy/kubernetes/sidecar/deployment.yaml", import.meta.url);
const readme = new URL("../../deploy/image/README.md", import.meta.url);
const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));
const api = new PrefectApi(inject("prefect3Url"));
const opened = new AsyncDisposables();
const sizes: Record<string, number> = {};
let engine: DockerEngine;

beforeAll(async () => {
  engine = opened.use(await DockerEngine.start());
  await makeBases(engine);
  for (const target of ["worker", "prefect"])
    sizes[target] = await buildImage(engine, target, `lighterman:${target}`);
}, 600_000);
afterAll(() => opened.dispose());

interface ContainerOptions {
  /** Of the worker. */
  readonly args?: readonly string[];
  /** Of `docker run`. */
  readonly flags?: readonly string[];
  /** Of the pool. */
  readonly type?: string;
}

/** The container of a worker that serves the pool, hardened as deploy/image/README.md says. */
async function startContainer(
  target: "worker" | "prefect",
  pool: string,
  { args = [], flags = [], type = "process" }: ContainerOptions = {},
): Promise<string> {
  await api.createPool(pool, { type });
  const env = { PREFECT_API_URL: api.url, PREFECT_WORKER_WEBSERVER_PORT: String(await freePort()) };
  const hardened = "run --detach --network host --read-only --tmpfs /tmp --cap-drop ALL --health-interval 1s";
  const id = await engine.docker(
    ...hardened.split(" "),
    ...flags,
    "--security-opt",
    "no-new-privileges",
    "--volume",
    `${fixtures}:/flows:ro`,
    ...Object.entries(env).flatMap(([name, value]) => ["--env", `${name}=${value}`]),
    `lighterman:${target}`,
    "worker",
    "start",
    "--pool",
    pool,
    ...args,
  );
  await api.waitForWorker(pool);
  return id;
}

const inside = (id: string, script: string): Promise<string> => engine.docker("exec", id, "sh", "-c", script);

async function runProgram(pool: string, command: string): Promise<FlowRun> {
  const jobVariables = { engine: "none", command };
  return api.run(await api.createDeployment({ pool, entrypoint: "none", jobVariables }));
}

async function runFlow(
  pool: string,
  flow: string,
  parameters: Readonly<Record<string, unknown>>,
): Promise<FlowRun> {
  const pullSteps = [{ "prefect.deployments.steps.set_working_directory": { directory: "/flows" } }];
  return api.run(await api.createDeployment({ pool, entrypoint: `flows.py:${flow}`, pullSteps, parameters }));
}

it("answers --version and --help without a server, and holds no tools to build with", async ({ expect }) => {
  const lighterman = (...words: string[]): Promise<string> =>
    engine.docker("run", "--rm", "--read-only", "lighterman:worker", ...words);
  expect(await lighterman("--version")).toMatch(/^\d+\.\d+\.\d+$/);
  expect(await lighterman("worker", "start", "--help")).toContain("--drain-timeout");
  const tools = "for tool in npm npx gcc make pip esbuild; do command -v $tool; done; true";
  const sh = ["run", "--rm", "--entrypoint", "sh", "lighterman:worker", "-c", tools];
  expect(await engine.docker(...sh)).toBe("");
  process.stdout.write(`Sizes of the images: ${JSON.stringify(sizes)} MB\n`);
  expect(sizes["worker"]).toBeLessThan(420);
});

it("runs as nobody in particular on a root file system that it can't write, turns healthy, reaps orphans, ends by a sidecar's preStop", async ({
  expect,
}) => {
  const pool = uniqueName("image");
  const id = await startContainer("worker", pool);
  expect(await inside(id, "id -u; git --version; ssh -V 2>&1; python3 -m venv /tmp/v && echo venv")).toMatch(
    /^10001\ngit version .*\nOpenSSH.*\nvenv$/,
  );
  await expect(inside(id, "touch /opt/lighterman/x")).rejects.toThrow(/Read-only file system/);

  const run = await runProgram(pool, "sh /flows/orphans.sh");
  expect((await api.waitForEnd(run)).state.type).toBe("COMPLETED");
  const pids = (await inside(id, "cat /tmp/orphans")).split("\n");
  expect(pids).toHaveLength(3);
  await until(
    "the orphans are reaped",
    async () =>
      (await inside(id, `ls -d ${pids.map((pid) => `/proc/${pid}`).join(" ")} 2>/dev/null || true`)) === "",
  );

  const health = (): Promise<string> => engine.docker("inspect", "--format", "{{.State.Health.Status}}", id);
  await until("it is healthy", async () => (await health()) === "healthy");

  const { spec } = parse(await readFile(sidecar, "utf8"));
  const preStop: readonly string[] = spec.template.spec.initContainers[0].lifecycle.preStop.exec.command;
  // It ends with the container, by the worker's end.
  await engine.docker("exec", id, ...preStop).catch(() => undefined);
  expect(await engine.docker("wait", id)).toBe("0");
});

it("completes Python flows; `docker stop` drains, hands back what is not done, and ends with 0", async ({
  expect,
}) => {
  const pool = uniqueName("image-prefect");
  const id = await startContainer("prefect", pool, { args: ["--drain-timeout", "5s"] });
  const greeting = await runFlow(pool, "greet", { name: "container" });
  expect((await api.waitForEnd(greeting)).state.type).toBe("COMPLETED");
  const long = await runFlow(pool, "sleeps", { marks: "/tmp/marks", seconds: 300 });
  await until("the flow sleeps", async () => /started/.test(await inside(id, "cat /tmp/marks || true")));
  const short = await runProgram(pool, "sleep 3");
  await api.waitFor(short, ["RUNNING"]);

  await engine.docker("kill", "--signal", "USR2", id);
  await engine.docker("stop", "--time", "60", id);
  expect(await engine.docker("inspect", "--format", "{{.State.ExitCode}} {{.State.OOMKilled}}", id)).toBe(
    "0 false",
  );
  const { stderr: log } = await promisify(execFile)("docker", ["--host", engine.host, "logs", id]);
  expect(log).toMatch(/serves pool '.*': 2 flow runs/);
  expect(log).toMatch(/no new flow runs; waiting up to 5 s for 2 in progress/);
  expect(log).toMatch(/handing the remaining flow runs back/);
  expect((await api.flowRun(short.id)).state.type).toBe("COMPLETED");
  expect((await api.flowRun(long.id)).state).toMatchObject({ type: "SCHEDULED", name: "AwaitingRetry" });
});

it("serves the API as the README says, turns healthy though it demands a password, and ends with 0", async ({
  expect,
}) => {
  const port = await freePort();
  const text = await readFile(readme, "utf8");
  const words = /--publish 4200:4200 lighterman (server start [^`]*)`/.exec(text)?.[1]?.split(" ") ?? [];
  const flags = `run --detach --network host --read-only --tmpfs /tmp --cap-drop ALL --health-interval 1s`;
  const env = {
    PREFECT_SERVER_API_PORT: String(port),
    PREFECT_SERVER_API_AUTH_STRING: "admin:secret-of-mine",
  };
  const id = await engine.docker(
    ...flags.split(" "),
    ...Object.entries(env).flatMap(([name, value]) => ["--env", `${name}=${value}`]),
    "lighterman:worker",
    ...words,
  );
  const health = (): Promise<string> => engine.docker("inspect", "--format", "{{.State.Health.Status}}", id);
  await until("it is healthy", async () => (await health()) === "healthy");
  const ask = (headers: Readonly<Record<string, string>>): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/api/flows/filter`, { method: "POST", headers });
  expect((await ask({})).status).toBe(401);
  const authorization = `Basic ${Buffer.from(env.PREFECT_SERVER_API_AUTH_STRING).toString("base64")}`;
  expect((await ask({ authorization })).status).toBe(200);
  await engine.docker("stop", id);
  expect(await engine.docker("inspect", "--format", "{{.State.ExitCode}}", id)).toBe("0");
});

it("serves a docker pool by the engine's socket, and leaves the code to the containers, as it shares no files", async ({
  expect,
}) => {
  const pool = uniqueName("image-docker");
  const { gid } = await stat(engine.socket);
  const socket = ["--volume", `${engine.socket}:/var/run/docker.sock`, "--group-add", String(gid)];
  await startContainer("worker", pool, { flags: socket, type: "docker" });
  const pullSteps = [{ "prefect.deployments.steps.set_working_directory": { directory: "/flows" } }];
  async function greet(more: Readonly<Record<string, string>>): Promise<FlowRun> {
    const jobVariables = { image_pull_policy: "Never", volumes: [`${fixtures}:/flows:ro`], ...more };
    return api.run(
      await api.createDeployment({ pool, entrypoint: "flows.py:greet", pullSteps, jobVariables }),
    );
  }
  const left = await greet({ image: prefectImage, pull: "auto" });
  const own = await greet({ image: "lighterman:prefect", command: "flow-run execute" });
  for (const run of [left, own])
    expect((await api.waitForEnd(run)).state).toMatchObject({ type: "COMPLETED" });
  await api.waitForLog(left, /does not share the files of the worker's machine$/);
});
