import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, inject, it } from "vitest";
import { AsyncDisposables } from "../support/disposables.ts";
import { baseImage, DockerEngine, prefectImage } from "../support/docker-engine.ts";
import { until } from "../support/deadline.ts";
import { PrefectApi, uniqueName } from "../support/prefect-api.ts";
import { startWorker } from "../support/worker-process.ts";
import type { FlowRun, RunOptions } from "../support/prefect-api.ts";
import type { RunningWorker } from "../support/worker-process.ts";

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));
const api = new PrefectApi(inject("prefect3Url"));
const inFixtures = { "prefect.deployments.steps.set_working_directory": { directory: "/flows" } };

describe("a docker worker, on 3.8.8", () => {
  const opened = new AsyncDisposables();
  const pool = uniqueName("docker");
  let engine: DockerEngine;
  let worker: RunningWorker;

  beforeAll(async () => {
    engine = opened.use(await DockerEngine.start());
    worker = opened.use(
      await startWorker({
        apiUrl: api.url,
        pool,
        args: ["--type", "docker"],
        env: { DOCKER_HOST: engine.host, LIGHTERMAN_KILL_GRACE: "5s" },
      }),
    );
    await api.waitForWorker(pool);
  });
  afterAll(() => opened.dispose());

  /** A run of one of the fixtures' flows, in a container with Prefect. */
  async function run(flow: string, options: RunOptions = {}): Promise<FlowRun> {
    const deployment = await api.createDeployment({
      pool,
      entrypoint: `flows.py:${flow}`,
      pullSteps: [inFixtures],
      jobVariables: { image: prefectImage, image_pull_policy: "Never", volumes: [`${fixtures}:/flows:ro`] },
    });
    return await api.run(deployment, options);
  }

  /** A run whose command is no engine: the run stays as it is, its container's end decides. */
  async function runCommand(command: string, more: Record<string, unknown> = {}): Promise<FlowRun> {
    const jobVariables = { image: baseImage, image_pull_policy: "Never", command, ...more };
    return await api.run(await api.createDeployment({ pool, entrypoint: "flows.py:none", jobVariables }));
  }

  const inspect = async (container: string, format: string): Promise<string> =>
    await engine.docker("inspect", "--format", format, container);

  const containerOf = async (flowRun: FlowRun): Promise<string> => {
    const label = `label=io.prefect.flow-run-id=${flowRun.id}`;
    return await until(
      "the run's container is there",
      async () =>
        (await engine.docker("ps", "--all", "--quiet", "--no-trunc", "--filter", label)) || undefined,
      { detail: () => worker.process.output },
    );
  };

  it("makes the pool with prefect-docker's template", async ({ expect }) => {
    const { type, base_job_template: template } = await api.pool(pool);
    expect(type).toBe("docker");
    expect(template).toMatchObject({
      job_configuration: { container_create_kwargs: "{{ container_create_kwargs }}" },
    });
  });

  it("runs a flow in a container, as prefect-docker's worker does", async ({ expect }) => {
    const flowRun = await run("greet");
    const end = await api.waitForEnd(flowRun);
    expect(end.state).toMatchObject({ type: "COMPLETED" });
    await api.waitForLog(flowRun, /Hello world, 42/);
    const container = await containerOf(flowRun);
    expect(end.infrastructure_pid).toBe(`http+docker://localhost:${container}`);
    expect(await inspect(container, "{{.Name}}")).toBe(`/${flowRun.name}`);
    expect(await inspect(container, '{{index .Config.Labels "io.prefect.flow-run-name"}}')).toBe(
      flowRun.name,
    );
    expect(await inspect(container, "{{.HostConfig.NetworkMode}} {{.HostConfig.ExtraHosts}}")).toBe(
      "host [host.docker.internal:host-gateway]",
    );
    // For automations that were made for prefect-docker.
    await until("the container's events are there", async () => {
      const resource = { id: [`prefect.docker.container.${container}`] };
      const { events } = await api.call<{ events: readonly { event: string }[] }>("POST", "/events/filter", {
        filter: { resource, occurred: { since: new Date(Date.now() - 600_000).toISOString() } },
      });
      const told = new Set(events.map(({ event }) => event.replace("prefect.docker.container.", "")));
      return ["created", "running", "exited"].every((status) => told.has(status));
    });
    await until("the output is streamed", () => worker.process.output.includes("Hello world, 42"));
  });

  it("says how a container ended that reported nothing", async ({ expect }) => {
    const codes = {
      1: /general error/,
      125: /could not be run/,
      126: /cannot be executed/,
      127: /was not found/,
    };
    const runs = await Promise.all(
      Object.keys(codes).map((code) => runCommand(`sh -c 'echo last words; exit ${code}'`)),
    );
    for (const [at, [code, meaning]] of Object.entries(codes).entries()) {
      const { state } = await api.waitForEnd(runs[at]!);
      expect(state.type).toBe("CRASHED");
      expect(state.message).toContain(`Flow run infrastructure exited with non-zero status code ${code}.`);
      expect(state.message).toMatch(meaning);
      expect(state.message).toContain("Last output:\nlast words");
    }
  });

  it("tells want of memory from a SIGKILL, and a removal from both", async ({ expect }) => {
    const eats = "python3 -c 'x = bytearray(200 << 20); import time; time.sleep(60)'";
    const [hungry, killed, removed] = await Promise.all([
      runCommand(eats, { mem_limit: "48m", memswap_limit: "48m" }),
      runCommand("sleep 600"),
      runCommand("sleep 600"),
    ]);
    const started = async (flowRun: FlowRun): Promise<string> => {
      const container = await containerOf(flowRun);
      await until("it runs", async () => (await inspect(container, "{{.State.Running}}")) === "true");
      return container;
    };
    await engine.docker("kill", await started(killed));
    await engine.docker("rm", "--force", await started(removed));
    expect((await api.waitForEnd(hungry)).state).toMatchObject({
      type: "CRASHED",
      message: expect.stringMatching(/status code 137\. .*memory ran out/) as unknown,
    });
    expect((await api.waitForEnd(killed)).state).toMatchObject({
      type: "CRASHED",
      message: expect.stringMatching(
        /status code 137\. .*killed \(SIGKILL\), not for want of memory/,
      ) as unknown,
    });
    expect((await api.waitForEnd(removed)).state).toMatchObject({
      type: "CRASHED",
      message: expect.stringMatching(/status code 137\. .*removed while it ran/) as unknown,
    });
  });

  it("says what is missing when a container cannot start, and leaves none behind", async ({ expect }) => {
    const [image, program, network] = await Promise.all([
      runCommand("true", { image: "nowhere.invalid/none:1" }),
      runCommand("no-such-program"),
      runCommand("true", { networks: ["no-such-network"] }),
    ]);
    const messageOf = async (flowRun: FlowRun): Promise<string> => {
      const { state } = await api.waitForEnd(flowRun);
      expect(state.type).toBe("CRASHED");
      return state.message ?? "";
    };
    expect(await messageOf(image)).toContain(
      "The engine has no image nowhere.invalid/none:1, and its pull policy is Never",
    );
    expect(await messageOf(program)).toContain('"no-such-program": executable file not found in $PATH');
    expect(await messageOf(network)).toContain("network no-such-network not found");
    for (const flowRun of [image, program, network]) {
      const label = `label=io.prefect.flow-run-id=${flowRun.id}`;
      expect(await engine.docker("ps", "--all", "--quiet", "--filter", label)).toBe("");
    }
  });

  it("removes a container that is to go only when its end was read", async ({ expect }) => {
    const flowRun = await runCommand("sh -c 'echo gone soon; exit 3'", { auto_remove: true });
    const { state } = await api.waitForEnd(flowRun);
    expect(state.message).toMatch(/status code 3\..*Last output:\ngone soon/s);
    const label = `label=io.prefect.flow-run-id=${flowRun.id}`;
    await until("it is removed", async () => (await engine.docker("ps", "-aq", "--filter", label)) === "");
  });

  it("gives the container what the job says, and drops what null takes away", async ({ expect }) => {
    const flowRun = await runCommand("sh -c 'env; cat /proc/sys/kernel/shmmax; ulimit -n; sleep 600'", {
      env: { OWN: "1 = 2", PREFECT_API_URL: null },
      labels: { "team.example/name": "data", plain: "x" },
      volumes: ["./shared:/shared:ro", "cache:/cache"],
      networks: [],
      network_mode: "bridge",
      mem_limit: "96m",
      privileged: true,
      container_create_kwargs: {
        shm_size: "32m",
        ulimits: [{ name: "nofile", soft: 512, hard: 1024 }],
        extra_hosts: { "db.example": "10.1.2.3" },
        hostname: "inside",
        working_dir: "/tmp",
        init: true,
        image: "ignored",
      },
    });
    const container = await containerOf(flowRun);
    const found = JSON.parse(await engine.docker("inspect", container)) as [
      { Config: Record<string, unknown> & { Env: string[] }; HostConfig: Record<string, unknown> },
    ];
    const { Config: config, HostConfig: host } = found[0];
    expect(config).toMatchObject({ Hostname: "inside", WorkingDir: "/tmp", Image: baseImage });
    expect(config["Env"]).toContain("OWN=1 = 2");
    expect(config["Env"].join("\n")).not.toContain("PREFECT_API_URL");
    expect(config["Labels"]).toMatchObject({ "example.team.name": "data", plain: "x" });
    expect(host).toMatchObject({
      Binds: [`${worker.home.path}/shared:/shared:ro`, "cache:/cache"],
      NetworkMode: "bridge",
      Memory: 96 << 20,
      Privileged: true,
      ShmSize: 32 << 20,
      Ulimits: [{ Name: "nofile", Soft: 512, Hard: 1024 }],
      ExtraHosts: ["host.docker.internal:host-gateway", "db.example:10.1.2.3"],
      Init: true,
    });
    await api.cancel(flowRun);
    expect((await api.waitForEnd(flowRun)).state.type).toBe("CANCELLED");
  });

  it("takes another name when the wanted one is taken", async ({ expect }) => {
    const name = uniqueName("same");
    const [first, second] = [await runCommand("true", { name }), await runCommand("true", { name })];
    const names = [await containerOf(first), await containerOf(second)].map((id) => inspect(id, "{{.Name}}"));
    const sorted = (await Promise.all(names)).toSorted();
    expect(sorted[0]).toBe(`/${name}`);
    expect(sorted[1]).toMatch(new RegExp(`^/${name}-[0-9a-f]{8}$`));
    await Promise.all(
      [first, second].map((flowRun) =>
        until(
          "it has ended",
          async () => (await inspect(await containerOf(flowRun), "{{.State.Running}}")) === "false",
        ),
      ),
    );
  });
});
