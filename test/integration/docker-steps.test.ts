import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { runProjectSteps } from "../../src/steps/run-steps.ts";
import { AsyncDisposables } from "../support/disposables.ts";
import { baseImage, DockerEngine } from "../support/docker-engine.ts";
import { DockerRegistry, prefectHubImage } from "../support/docker-registry.ts";
import { prefectProgram } from "../support/prefect-server.ts";
import { openStage } from "../support/pull-stage.ts";
import type { Json, JsonObject } from "../../src/json/value.ts";
import type { StepOutcome } from "../../src/steps/types.ts";
import type { TestStage } from "../support/pull-stage.ts";

const opened = new AsyncDisposables();
let engine: DockerEngine;
let registry: DockerRegistry;
let stage: TestStage;

beforeAll(async () => {
  registry = opened.use(await DockerRegistry.start({ isMirror: true }));
  engine = opened.use(
    await DockerEngine.start({ flags: ["--registry-mirror", `http://${registry.address}`] }),
  );
});
afterAll(() => opened.dispose());
beforeEach(() => {
  stage = openStage();
  stage.env["DOCKER_HOST"] = engine.host;
});
afterEach(() => stage.remove());

const prefix = "prefect_docker.deployments.steps";

async function run(kind: "build" | "push", inputs: JsonObject, repeated?: Map<string, Promise<StepOutcome>>) {
  const name = `${prefix}.${kind}_docker_image`;
  const steps: Json = [{ [name]: { id: "step", requires: "prefect-docker>=0.3.1", ...inputs } }];
  const python = async (): Promise<string> => prefectProgram(3, "python");
  const outputs = await runProjectSteps({ ...stage, python, kind, steps, repeated });
  return outputs["step"] as Record<string, Json>;
}

function write(files: Readonly<Record<string, string>>, directory = stage.cwd): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
}

/** Modes and names of what an image holds below /app. */
async function contentOf(image: string): Promise<readonly string[]> {
  const id = await engine.docker("create", image, "none");
  const directory = mkdtempSync(join(tmpdir(), "image-"));
  try {
    await engine.docker("cp", `${id}:/app`, directory);
    const found = execFileSync("find", ["app", "-mindepth", "1", "-printf", "%M %P %l\n"], {
      cwd: directory,
    });
    return found
      .toString()
      .trim()
      .split("\n")
      .map((line) => line.trim())
      .toSorted();
  } finally {
    await engine.docker("rm", id);
    rmSync(directory, { recursive: true });
  }
}

function inspect(image: string, format: string): Promise<string> {
  return engine.docker("image", "inspect", "--format", format, image);
}

describe("build_docker_image", () => {
  test("gives the outputs that Prefect's step gives, and tags the image", async () => {
    write({ Dockerfile: "FROM scratch\nCOPY . /app\n", "flow.py": "1" });
    const additional_tags = ["v1", "latest"];
    const outputs = await run("build", { image_name: "team/app", tag: "dev", additional_tags });
    expect(outputs).toEqual({
      image_name: "team/app",
      tag: "dev",
      image: "team/app:dev",
      image_id: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      additional_tags,
    });
    for (const tag of ["dev", "v1", "latest"]) {
      expect(await inspect(`team/app:${tag}`, "{{.Id}}")).toBe(outputs["image_id"]);
    }
    expect(await inspect("team/app:dev", '{{index .Config.Labels "io.prefect.version"}}')).toBe("3.8.8");
    expect(stage.lines).toContain("output: Step 2/3 : COPY . /app");
    expect(stage.lines.join("\n")).toMatch(/info: Sending the build context: 2 files, 0\.0 MB/);
    expect(await engine.docker("ps", "--all", "--quiet")).toBe("");
  });

  test("sends what .dockerignore leaves, with modes and links, and long names", async () => {
    const long = `pkg/${"deep".repeat(30)}/${"name".repeat(30)}.txt`;
    write({
      Dockerfile: "FROM scratch\nCOPY . /app\n",
      ".dockerignore": "# none of these\n*.log\n/data\n!data/keep\n**/secret.*\n",
      "run.sh": "#!/bin/sh\n",
      "a.log": "",
      "A.LOG": "",
      "pkg/b.log": "",
      "data/big.bin": "0",
      "data/keep/this.txt": "1",
      "pkg/secret.key": "s",
      "pkg/mod.py": "",
      [long]: "far",
    });
    chmodSync(join(stage.cwd, "run.sh"), 0o750);
    symlinkSync("pkg/mod.py", join(stage.cwd, "link.py"));
    await run("build", { image_name: "team/ignored", tag: "1" });
    expect(await contentOf("team/ignored:1")).toEqual(
      [
        "-rw-r--r-- .dockerignore",
        "-rw-r--r-- A.LOG",
        "-rw-r--r-- Dockerfile",
        "drwxr-xr-x data",
        "drwxr-xr-x data/keep",
        "-rw-r--r-- data/keep/this.txt",
        "lrwxrwxrwx link.py pkg/mod.py",
        "drwxr-xr-x pkg",
        "-rw-r--r-- pkg/b.log",
        "-rw-r--r-- pkg/mod.py",
        `drwxr-xr-x ${dirname(long)}`,
        `-rw-r--r-- ${long}`,
        "-rwxr-x--- run.sh",
      ].toSorted(),
    );
  });

  test("takes a Dockerfile of another name or place, another context, and build options", async () => {
    write({
      "docker/flows.Dockerfile": [
        "FROM scratch AS first",
        "ARG COLOUR=none",
        "LABEL colour=$COLOUR",
        "COPY . /app",
        "FROM first",
        "LABEL stage=second",
      ].join("\n"),
      "src/flow.py": "1",
    });
    const more = { buildargs: { COLOUR: "red" }, labels: { team: "a", number: 1 }, target: "first" };
    const inputs = {
      image_name: "team/options",
      tag: "1",
      path: "src",
      dockerfile: "../docker/flows.Dockerfile",
    };
    await run("build", { ...inputs, ...more, nocache: true, platform: "linux/amd64" });
    const labels = JSON.parse(await inspect("team/options:1", "{{json .Config.Labels}}")) as object;
    expect(labels).toEqual({ colour: "red", team: "a", number: "1", "io.prefect.version": "3.8.8" });
    expect((await contentOf("team/options:1")).filter((line) => line.endsWith(".py"))).toEqual([
      "-rw-r--r-- flow.py",
    ]);
  });

  test("dockerfile auto builds upon Prefect's image, which is pulled, and leaves no Dockerfile behind", async () => {
    write({ "flow.py": "1" });
    const inputs = { image_name: "team/auto", tag: "1", dockerfile: "auto", persist_dockerfile: true };
    await run("build", { ...inputs, dockerfile_output_path: "Kept" });
    const name = stage.cwd.split("/").at(-1) ?? "";
    expect(readFileSync(join(stage.cwd, "Kept"), "utf8")).toBe(
      `FROM ${prefectHubImage}\nCOPY . /opt/prefect/${name}/\nWORKDIR /opt/prefect/${name}/\n`,
    );
    expect(() => readFileSync(join(stage.cwd, "Dockerfile"))).toThrow("ENOENT");
    expect(await inspect("team/auto:1", "{{.Config.WorkingDir}}")).toBe(`/opt/prefect/${name}/`);
    expect(await engine.docker("run", "--rm", "team/auto:1", "ls")).toBe("Dockerfile\nKept\nflow.py");
    expect(registry.requests.join("\n")).toContain("/v2/prefecthq/prefect/manifests/3.8.8-python3.11");

    write({ Dockerfile: "FROM scratch\n" });
    await expect(run("build", inputs)).rejects.toThrow(
      /build_docker_image\) failed: A Dockerfile already exists/,
    );
  });

  test("requirements are installed by the generated Dockerfile", async () => {
    write({ "requirements.txt": "six\n" });
    // There is no uv in the tests' image; what is generated is seen all the same.
    const inputs = { image_name: "team/requirements", dockerfile: "auto", persist_dockerfile: true };
    await expect(run("build", inputs)).rejects.toThrow("uv pip install");
    const name = stage.cwd.split("/").at(-1) ?? "";
    expect(readFileSync(join(stage.cwd, "Dockerfile.generated"), "utf8").split("\n").slice(1, 3)).toEqual([
      `COPY requirements.txt /opt/prefect/${name}/requirements.txt`,
      `RUN uv pip install -r /opt/prefect/${name}/requirements.txt`,
    ]);
  });

  test("without a tag the time is the tag; the namespace comes from the settings", async () => {
    write({ Dockerfile: "FROM scratch\nCOPY . /app\n" });
    stage.env["PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE"] = "registry.example.com/team";
    const outputs = await run("build", { image_name: "app" });
    expect(outputs["image_name"]).toBe("registry.example.com/team/app");
    expect(outputs["tag"]).toMatch(/^\d{4}-\d\d-\d\dt\d\d-\d\d-\d\d-\d{6}-00-00$/);
  });

  test("the same inputs are built once in a command, unless ignore_cache is set", async () => {
    write({ Dockerfile: "FROM scratch\nCOPY . /app\n" });
    const repeated = new Map<string, Promise<StepOutcome>>();
    const tags: unknown[] = [];
    for (const more of [{}, {}, { ignore_cache: true }, {}]) {
      tags.push((await run("build", { image_name: "team/once", ...more }, repeated))["tag"]);
    }
    expect(tags[1]).toBe(tags[0]);
    expect(tags[2]).not.toBe(tags[0]);
    expect(tags[3]).toBe(tags[2]);
  });

  test("a failing build says what the engine says, and leaves nothing behind", async () => {
    write({ Dockerfile: `FROM ${baseImage}\nRUN echo on the way && exit 7\n` });
    const inputs = { image_name: "team/broken", tag: "1", pull: false };
    await expect(run("build", inputs)).rejects.toThrow(
      /^Build step 1 of 1 \(.*build_docker_image\) failed: The image team\/broken:1 could not be built: The command .*exit 7' returned a non-zero code: 7$/,
    );
    expect(stage.lines).toContain("output: on the way");
    expect(await engine.docker("ps", "--all", "--quiet")).toBe("");
    expect(await engine.docker("images", "--quiet", "team/broken")).toBe("");
  });

  test.each([
    ["a missing Dockerfile", { dockerfile: "Absent" }, /Cannot locate specified Dockerfile: Absent/],
    ["a base image that cannot be pulled", {}, /could not be built: .*127\.0\.0\.1:1\/.*connection refused/],
    [
      "white space in the name",
      { image_name: "team/my app" },
      /'team\/my app' is not the name of an image: it has white space/,
    ],
    ["a tag in the name", { image_name: "team/app:1" }, /The image_name 'team\/app:1' has a tag in it/],
    ["a backend there is not", { build_backend: "kaniko" }, /There is no build_backend 'kaniko'/],
    ["an option there is not", { secrets: ["x"] }, /build_docker_image takes no input 'secrets'/],
    ["a context that is not there", { path: "nowhere" }, /build context .*nowhere cannot be read: ENOENT/],
  ] as const)("%s is told", async (_, inputs, problem) => {
    write({ Dockerfile: "FROM 127.0.0.1:1/none:1\n" });
    await expect(
      run("build", { image_name: "team/app", tag: "1", ...(inputs as JsonObject) }),
    ).rejects.toThrow(problem);
  });

  test("an engine that is not there is told with its address", async () => {
    write({ Dockerfile: "FROM scratch\n" });
    stage.env["DOCKER_HOST"] = "unix:///nowhere/docker.sock";
    await expect(run("build", { image_name: "team/app" })).rejects.toThrow(
      /The Docker engine at unix:\/\/\/nowhere\/docker\.sock \(from DOCKER_HOST\) cannot be reached/,
    );
  });

  test("Ctrl-C ends a build at once", async () => {
    write({ Dockerfile: `FROM ${baseImage}\nRUN echo begun && sleep 600\n` });
    stage.onLine = (line) => {
      if (line.includes("output: begun")) stage.abort.abort(new Error("interrupted"));
    };
    await expect(run("build", { image_name: "team/slow", pull: false })).rejects.toThrow("interrupted");
  });
});

describe("push_docker_image", () => {
  beforeEach(async () => {
    await registry.pause();
  });

  async function build(tag: string): Promise<string> {
    write({ Dockerfile: "FROM scratch\nCOPY . /app\n", "flow.py": tag });
    const image_name = `${registry.address}/team/pushed`;
    await run("build", { image_name, tag, additional_tags: [`${tag}-too`] });
    return image_name;
  }
  const credentials = (fields: JsonObject = {}): JsonObject => ({
    username: registry.username,
    password: registry.password,
    registry_url: registry.address,
    reauth: true,
    ...fields,
  });

  test("pushes all tags with the block's credentials, which are hidden from logs", async () => {
    const image_name = await build("a");
    await registry.resume({ login: true });
    const more = { additional_tags: ["a-too"], credentials: credentials() };
    expect(await run("push", { image_name, tag: "a", ...more })).toEqual({
      image_name,
      tag: "a",
      image: `${image_name}:a`,
      additional_tags: ["a-too"],
    });
    expect(registry.requests.join("\n")).toMatch(
      /PUT \/v2\/team\/pushed\/manifests\/a [^]*PUT \/v2\/team\/pushed\/manifests\/a-too /,
    );
    expect(stage.secrets).toContain(registry.password);
  });

  test("a refused login, a missing one, and a registry that is away are told apart", async () => {
    const image_name = await build("b");
    const push = (more: JsonObject = {}) => run("push", { image_name, tag: "b", ...more });
    await expect(push()).rejects.toThrow(/could not be pushed: .*connection refused/);
    await registry.resume({ login: true });
    await expect(push()).rejects.toMatchObject({
      message: expect.stringMatching(/could not be pushed: .*no basic auth credentials/),
      hint: expect.stringContaining(`docker login ${registry.address}`),
    });
    await expect(push({ credentials: credentials({ password: "wrong" }) })).rejects.toMatchObject({
      message: expect.stringContaining("unauthorized"),
      hint: expect.stringContaining("from the registry_credentials"),
    });
    await expect(push({ credentials: { username: "me" } })).rejects.toThrow(
      "'credentials' lacks its 'password'",
    );
  });

  test("without a tag all tags are pushed, and the output is the name", async () => {
    const image_name = await build("c");
    await registry.resume();
    const outputs = await run("push", { image_name });
    expect(outputs).toEqual({ image_name, tag: null, image: image_name, additional_tags: [] });
    expect(registry.requests.join("\n")).toMatch(/PUT \/v2\/team\/pushed\/manifests\/c-too /);
  });

  test("an image that the engine has not cannot be pushed", async () => {
    await registry.resume();
    await expect(run("push", { image_name: `${registry.address}/team/absent`, tag: "1" })).rejects.toThrow(
      /could not be pushed: .*does not exist/,
    );
  });
});
