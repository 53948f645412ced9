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
});
