import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, inject, it } from "vitest";
import { AsyncDisposables } from "../support/disposables.ts";
import { baseImage, DockerEngine, prefectImage } from "../support/docker-engine.ts";
import { until } from "../support/deadline.ts";
import { PrefectApi, uniqueName } from "../support/prefect-api.ts";
import { startWorker, WorkerHome } from "../support/worker-process.ts";
import type { AddressInfo } from "node:net";
import type { Deployment, FlowRun } from "../support/prefect-api.ts";
import type { RunningWorker } from "../support/worker-process.ts";

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));
const api = new PrefectApi(inject("prefect3Url"));
const inFixtures = { "prefect.deployments.steps.set_working_directory": { directory: "/flows" } };

describe("containers and a worker that goes and comes, on 3.8.8", () => {
  const opened = new AsyncDisposables();
  const pool = uniqueName("docker");
  let engine: DockerEngine;
  let home: WorkerHome;
  let worker: RunningWorker;
  let directory: string;
  /** Whose runs run a program. */
  let commands: Deployment;

  const start = (): Promise<RunningWorker> =>
    startWorker({
      apiUrl: api.url,
      pool,
      home,
      args: ["--type", "docker"],
      env: { DOCKER_HOST: engine.host, LIGHTERMAN_KILL_GRACE: "2s", LIGHTERMAN_DRAIN_TIMEOUT: "0s" },
    });

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "marks-"));
    opened.defer(() => rm(directory, { recursive: true, force: true }));
    engine = opened.use(await DockerEngine.start());
    home = opened.use(await WorkerHome.create());
    worker = await start();
    opened.defer(() => worker[Symbol.asyncDispose]());
    await api.waitForWorker(pool);
    commands = await api.createDeployment({
      pool,
      entrypoint: "flows.py:none",
      jobVariables: {
        image: baseImage,
        image_pull_policy: "Never",
        volumes: [`${directory}:${directory}`],
      },
    });
  });
  afterAll(() => opened.dispose());

  async function runCommand(command: string, more: Record<string, unknown> = {}): Promise<FlowRun> {
    return await api.run(commands, { jobVariables: { command, ...more } });
  }

  async function runFlow(flow: string): Promise<{ run: FlowRun; marks: string }> {
    const marks = join(directory, uniqueName("marks"));
    const deployment = await api.createDeployment({
      pool,
      entrypoint: `flows.py:${flow}`,
      pullSteps: [inFixtures],
      parameters: { marks },
      jobVariables: {
        image: prefectImage,
        image_pull_policy: "Never",
        volumes: [`${fixtures}:/flows:ro`, `${directory}:${directory}`],
      },
    });
    return { run: await api.run(deployment), marks };
  }

  const marksOf = async (path: string): Promise<readonly string[]> =>
    (await readFile(path, "utf8").catch(() => "")).split("\n").filter((line) => line !== "");

  const begun = (marks: string): Promise<unknown> =>
    until("the flow has started", async () => (await marksOf(marks))[0], {
      detail: () => worker.process.output,
    });

  const running = async (runs: readonly FlowRun[]): Promise<void> => {
    await until(
      "all containers run",
      async () => {
        const labels = await engine.docker("ps", "--format", '{{.Label "io.prefect.flow-run-id"}}');
        return runs.every(({ id }) => labels.includes(id));
      },
      { detail: () => worker.process.output },
    );
  };

  async function killWorker(): Promise<void> {
    worker.process.kill("SIGKILL");
    await worker.process.end();
  }

  it("a worker that is killed and started again ends 20 running containers, none of them twice", async ({
    expect,
  }) => {
    const file = (at: number): string => join(directory, `storm-${at}`);
    const script = (at: number, code: number): string =>
      `sh -c 'echo begun >> ${file(at)}; echo before; while [ ! -e ${file(at)}.go ]; do sleep 0.1; done; echo after ${at}; exit ${code}'`;
    const codes = Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? 0 : 40 + at));
    const runs: FlowRun[] = [];
    for (const [at, code] of codes.entries())
      runs.push(await runCommand(script(at, code), { engine: "none", auto_remove: at % 4 === 3 }));
    await running(runs);
    await killWorker();
    // Some end while nobody watches, the others later.
    const go = (ats: readonly number[]): Promise<string> =>
      engine.docker(
        "run",
        "--rm",
        "-v",
        `${directory}:${directory}`,
        baseImage,
        "touch",
        ...ats.map((at) => `${file(at)}.go`),
      );
    const early = [0, 1, 2, 3, 4, 5];
    await go(early);
    await until("they have ended", async () => {
      const labels = await engine.docker("ps", "--format", '{{.Label "io.prefect.flow-run-id"}}');
      return early.every((at) => !labels.includes(runs[at]?.id ?? ""));
    });
    worker = await start();
    await until("they are watched again", () => worker.process.output.includes("Settling 20 flow runs"));
    await go(codes.map((_, at) => at).slice(early.length));
    for (const [at, flowRun] of runs.entries()) {
      const { state } = await api.waitForEnd(flowRun);
      expect([at, state.type]).toEqual([at, codes[at] === 0 ? "COMPLETED" : "FAILED"]);
      if (codes[at] !== 0)
        expect(state.message).toMatch(new RegExp(`code: ${codes[at]}\\..*after ${at}`, "s"));
      expect(await marksOf(file(at))).toEqual(["begun"]);
    }
    // Each line once, although two workers have read them.
    const [, second] = runs;
    await api.waitForLog(second!, /after 1/);
    const lines = (await api.logs(second!)).filter(({ name }) => name === "prefect.flow_runs");
    expect(lines.map(({ message }) => message)).toEqual(["before", "after 1"]);
    await until("those that were to go are removed", async () => {
      const labels = await engine.docker("ps", "--all", "--format", '{{.Label "io.prefect.flow-run-id"}}');
      return !runs.some(({ id }, at) => at % 4 === 3 && labels.includes(id));
    });
  });

  it("containers go on when the worker is stopped, and the next one takes them over", async ({ expect }) => {
    const { run, marks } = await runFlow("sleeps");
    await begun(marks);
    worker.process.signal("SIGTERM");
    expect((await worker.process.end(20_000)).code).toBe(0);
    expect(worker.process.output).toContain("the remaining containers go on");
    expect((await api.flowRun(run.id)).state.type).toBe("RUNNING");
    worker = await start();
    await until("it is watched again", () => worker.process.output.includes("Settling 1 flow runs"));
    await api.cancel(run);
    expect((await api.waitForEnd(run)).state.type).toBe("CANCELLED");
    await until("its hook has run", async () => (await marksOf(marks)).includes("cancelled"));
    expect(await api.states(run)).not.toContain("CRASHED");
  });

  it("a run is cancelled at once before its flow has begun, whatever its container does", async ({
    expect,
  }) => {
    const flowRun = await runCommand(
      "sh -c 'trap \"\" TERM; while :; do sleep 1; done' prefect flow-run execute",
    );
    await running([flowRun]);
    await api.cancel(flowRun);
    expect((await api.waitForEnd(flowRun, 20_000)).state.type).toBe("CANCELLED");
    await until(
      "it was killed",
      async () => !(await engine.docker("ps", "--format", "{{.Labels}}")).includes(flowRun.id),
    );
  });

  it("a run is cancelled while its image is being pulled", async ({ expect }) => {
    await using registry = await slowRegistry();
    const flowRun = await runCommand("true", {
      image: registry.image,
      image_pull_policy: "Always",
    });
    await until("the image is asked for", registry.isAsked, { detail: () => worker.process.output });
    await api.cancel(flowRun);
    expect((await api.waitForEnd(flowRun, 20_000)).state.type).toBe("CANCELLED");
    expect(await engine.docker("ps", "--all", "--format", "{{.Labels}}")).not.toContain(flowRun.id);
  });

  it("an engine that is away is waited for; then the containers are judged, and no line is lost", async ({
    expect,
  }) => {
    const dies = await runCommand("sh -c 'echo before; exec sleep 600'", { engine: "none" });
    await running([dies]);
    await api.waitForLog(dies, /before/);
    await using registry = await slowRegistry();
    await engine.docker("tag", baseImage, registry.image);
    const pulls = await runCommand("sh -c 'echo pulled'", {
      engine: "none",
      image: registry.image,
      image_pull_policy: "IfPossible",
    });
    await until("the image is asked for", registry.isAsked, { detail: () => worker.process.output });
    await engine.kill();
    await until("the worker notices", () =>
      worker.process.output.includes(
        "The Docker engine does not answer; no flow runs are taken until it does",
      ),
    );
    const waits = await runCommand("sh -c 'echo ran'", { engine: "none" });
    await until("what was not begun is handed back", () =>
      worker.process.output.includes("was not started: Nothing can be started at the moment"),
    );
    registry.refuse();
    await engine.resume();
    const { state } = await api.waitForEnd(dies);
    expect(state).toMatchObject({
      type: "CRASHED",
      message: expect.stringMatching(/status code: (137|143)\./) as unknown,
    });
    expect((await api.waitForEnd(waits)).state.type).toBe("COMPLETED");
    expect((await api.waitForEnd(pulls)).state.type).toBe("COMPLETED");
    // The one was not taken before the engine was back, the other was and came back.
    const cameBack = ({ name }: FlowRun): boolean =>
      worker.process.output.includes(`Flow run '${name}' was not started`);
    expect([waits, pulls].map(cameBack)).toEqual([false, true]);
    expect(worker.process.output).toMatch(/The Docker engine answers again after \d+ s/);
    const lines = (await api.logs(dies)).filter(({ name }) => name === "prefect.flow_runs");
    expect(lines.map(({ message }) => message)).toEqual(["before"]);
  });

  it("the lines of a TTY come whole, however long they are", async ({ expect }) => {
    const script = "sh -c 'head -c 40000 /dev/zero | tr \\\\0 x; echo; echo end'";
    const flowRun = await runCommand(script, { engine: "none", container_create_kwargs: { tty: true } });
    expect((await api.waitForEnd(flowRun)).state.type).toBe("COMPLETED");
    await api.waitForLog(flowRun, /^end$/);
    const lines = (await api.logs(flowRun)).filter(({ name }) => name === "prefect.flow_runs");
    expect(lines.map(({ message }) => message)).toEqual(["x".repeat(40_000), "end"]);
  });

  it("output that goes on while the engine is restarted comes whole, each line once", async ({ expect }) => {
    await using lasting = await DockerEngine.start({ liveRestore: true });
    await using other = await startWorker({
      apiUrl: api.url,
      pool: uniqueName("lasting"),
      args: ["--type", "docker", "--name", "lasting"],
      env: { DOCKER_HOST: lasting.host },
    });
    const lastingPool = /pool '(lasting-\w+)'/;
    const name = await until("it has started", () => lastingPool.exec(other.process.output)?.[1]);
    const count = 3000;
    const script = `i=0; while [ $i -lt ${count} ]; do echo line $i; i=$((i+1)); [ $((i % 10)) -ne 0 ] || sleep 0.02; done`;
    const jobVariables = { image: baseImage, image_pull_policy: "Never", command: `sh -c '${script}'` };
    const flowRun = await api.run(
      await api.createDeployment({ pool: name, entrypoint: "flows.py:none", jobVariables }),
    );
    const printed = (): readonly string[] => other.process.lines.filter((line) => /^line \d+$/.test(line));
    await until("it prints", () => printed().length > 100, { detail: () => other.process.output });
    await lasting.pause();
    await lasting.resume();
    await until("all is printed", () => printed().length >= count, { timeoutMs: 60_000 });
    expect(printed()).toEqual(Array.from({ length: count }, (_, at) => `line ${at}`));
    // It is no engine, and ended with 0: what it left open stays open.
    expect((await api.flowRun(flowRun.id)).state.type).toBe("PENDING");
  });
});

/** A registry that knows of an image, and does not come to giving it. */
async function slowRegistry() {
  const asked: string[] = [];
  let isRefusing = false;
  const registry = createServer((request, response) => {
    asked.push(request.url ?? "");
    if (request.url === "/v2/") response.end("{}");
    else if (isRefusing) response.writeHead(404).end();
  });
  await once(registry.listen(0, "127.0.0.1"), "listening");
  const { port } = registry.address() as AddressInfo;
  return {
    image: `127.0.0.1:${port}/slow:1`,
    isAsked: () => asked.some((path) => path.startsWith("/v2/slow/")),
    refuse: () => (isRefusing = true),
    async [Symbol.asyncDispose]() {
      registry.closeAllConnections();
      registry.close();
      await once(registry, "close");
    },
  };
}
