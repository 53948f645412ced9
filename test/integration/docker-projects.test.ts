import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { runCli } from "../support/cli.ts";
import { AsyncDisposables } from "../support/disposables.ts";
import { DockerEngine } from "../support/docker-engine.ts";
import { DockerRegistry, prefectHubImage } from "../support/docker-registry.ts";
import { PrefectApi, uniqueName } from "../support/prefect-api.ts";
import { prefectProgram } from "../support/prefect-server.ts";
import { startWorker } from "../support/worker-process.ts";
import type { CliResult, Keys } from "../support/cli.ts";

const FLOW = `import os
from prefect import flow

@flow(log_prints=True)
def greet(name: str = "nobody"):
    print(f"hello {name} from {os.getcwd()}")
`;

describe("a project with an image of its own is built, pushed, deployed, and runs to COMPLETED in a container", () => {
  const pool = uniqueName("docker-projects");
  const opened = new AsyncDisposables();
  let engine: DockerEngine;
  let registry: DockerRegistry;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "docker-projects-"));
    opened.defer(() => rm(directory, { recursive: true, force: true }));
    registry = opened.use(await DockerRegistry.start({ isMirror: true }));
    const flags = ["--registry-mirror", `http://${registry.address}`];
    engine = opened.use(await DockerEngine.start({ flags }));
    const api = new PrefectApi(inject("prefect3Url"));
    const env = { DOCKER_HOST: engine.host };
    opened.use(await startWorker({ apiUrl: api.url, pool, args: ["--type", "docker"], env }));
    await api.waitForWorker(pool);
  });
  afterAll(() => opened.dispose());

  const lighterman = (cwd: string, argv: readonly string[], keys?: Keys): Promise<CliResult> =>
    runCli(argv, {
      cwd,
      ...(keys === undefined ? {} : { keys }),
      apiUrl: inject("prefect3Url"),
      env: {
        PATH: process.env["PATH"] ?? "",
        LIGHTERMAN_PYTHON: prefectProgram(3, "python"),
        DOCKER_HOST: engine.host,
      },
    });

  test.each([
    ["auto", {}],
    ["Dockerfile", { Dockerfile: `FROM ${prefectHubImage}\nCOPY . /opt/prefect/own\n` }],
  ])("by the recipe docker, dockerfile %s", async (dockerfile, files) => {
    const tag = uniqueName("flows");
    const cwd = join(directory, dockerfile === "auto" ? "generated" : "own");
    await mkdir(cwd);
    for (const [name, text] of Object.entries({ "flow.py": FLOW, ...files }))
      await writeFile(join(cwd, name), text);
    // The registry has the base image's layers there, so that they are not pushed once more.
    const image = `${registry.address}/prefecthq/prefect`;
    const fields = ["--field", `image_name=${image}`, "--field", `tag=${tag}`];
    expect(await lighterman(cwd, ["init", "--recipe", "docker", ...fields])).toMatchObject({ code: 0 });
    const path = join(cwd, "prefect.yaml");
    const text = await readFile(path, "utf8");
    expect(text).toContain(`dockerfile: ${dockerfile}`);
    await writeFile(
      path,
      text
        .replace("- name: null", `- name: ${tag}`)
        .replace("entrypoint: null", "entrypoint: flow.py:greet")
        .replace("      name: null", `      name: ${pool}`),
    );

    const deployed = await lighterman(cwd, ["deploy"]);
    expect(deployed).toMatchObject({ code: 0, stderr: expect.stringContaining(`Built ${image}:${tag}`) });
    expect(deployed.stderr).toContain(`Pushed ${image}:${tag}`);

    // As on another machine, which has to pull it.
    await engine.docker("rmi", `${image}:${tag}`);
    const run = await lighterman(cwd, ["deployment", "run", `greet/${tag}`, "-p", "name=world", "--watch"]);
    expect(run).toMatchObject({ code: 0 });
    expect(run.stdout).toContain(
      `hello world from /opt/prefect/${dockerfile === "auto" ? "generated" : "own"}`,
    );
    expect(await engine.docker("images", "--quiet", `${image}:${tag}`)).not.toBe("");
  });

  test("by answers on a terminal, with a Dockerfile that is generated; what is saved builds it again", async () => {
    const tag = uniqueName("flows");
    const cwd = join(directory, "answered");
    await mkdir(cwd);
    await writeFile(join(cwd, "flow.py"), FLOW);
    const image = `${registry.address}/prefecthq/prefect:${tag}`;
    const deployed = await lighterman(
      cwd,
      ["deploy", "flow.py:greet", "-n", tag, "-p", pool],
      [
        [/Build a custom Docker image/, "y"],
        [/Repository/, "prefecthq\r"],
        [/Image name/, "prefect\r"],
        [/Image tag/, `${tag}\r`],
        [/Push this image/, "y"],
        [/Registry/, `${registry.address}\r`],
        [/private registry/, "n"],
        [/Add schedules/, "n"],
        [/Save this/, "y"],
      ],
    );
    expect(deployed).toMatchObject({ code: 0, stderr: expect.stringContaining(`Pushed ${image}`) });
    const text = await readFile(join(cwd, "prefect.yaml"), "utf8");
    expect(text).toContain("dockerfile: auto\n");
    expect(text).toContain('image: "{{ build-image.image }}"\n');
    const again = await lighterman(cwd, ["deploy", "-n", tag]);
    expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining(`Built ${image}`) });
    const run = await lighterman(cwd, ["deployment", "run", `greet/${tag}`, "-p", "name=world", "--watch"]);
    expect(run).toMatchObject({ code: 0 });
    expect(run.stdout).toContain("hello world from /opt/prefect/answered");
  });
});
