import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, it, onTestFinished } from "vitest";

import { until } from "../../support/deadline.ts";
import { openStage } from "../../support/pull-stage.ts";
import { writeWheel } from "../../support/python-packages.ts";
import { writeUv } from "../../support/stand-in-uv.ts";

import type { Json } from "../../../src/json/value.ts";
import type { PulledCode } from "../../../src/steps/pull-stage.ts";
import type { TestStage } from "../../support/pull-stage.ts";

const STEP = "lighterman.steps.python_environment";
const real = execFileSync("python3", ["-c", "import sys; print(sys.executable)"], {
  encoding: "utf8",
}).trim();

// Debian has it in a package of its own.
const hasPip = spawnSync(real, ["-c", "import ensurepip, venv"]).status === 0;

/** Lets the stage's environments be made without pip, which saves seconds. */
function withUv(stage: TestStage, before = ""): void {
  const bin = join(stage.cwd, "bin");
  writeUv(bin, before);
  stage.env["PATH"] = `${bin}:${stage.env["PATH"] ?? ""}`;
  stage.env["PIP_CONFIG_FILE"] = "/dev/null";
}

const environmentsOf = (stage: TestStage): string[] =>
  existsSync(stage.environmentsDir) ? readdirSync(stage.environmentsDir).toSorted() : [];

describe("python_environment", () => {
  let stage: TestStage;
  let sharing: TestStage;

  beforeEach(async () => {
    stage = openStage();
    sharing = { ...openStage(), environmentsDir: stage.environmentsDir };
    for (const one of [stage, sharing]) {
      onTestFinished(() => one.remove());
      await writeWheel(join(one.cwd, "wheels"), {
        module: "color_of_env",
        version: "1.0",
        source: "NAME = 'red'\n",
      });
      one.write("requirements.txt", "--no-index\n--find-links wheels\ncolor-of-env==1.0\n");
    }
  });

  const build = (one: TestStage, inputs: Json = {}, ...more: readonly Json[]): Promise<PulledCode> =>
    one.run([{ [STEP]: inputs }, ...more], { environmentsDir: one.environmentsDir });

  it(
    "makes an environment with pip, in which the following steps and the flow run",
    { timeout: 90_000 },
    async ({ expect }) => {
      stage.write(
        "own.py",
        "def look(name):\n    import sys, color_of_env\n    return {'seen': name + color_of_env.NAME, 'prefix': sys.prefix}\n",
      );
      stage.env["PYTHONPATH"] = "/nowhere";
      if (!hasPip) {
        await expect(build(stage)).rejects.toMatchObject({
          hint: expect.stringContaining("-venv") as string,
        });
        return;
      }
      const pulled = await build(
        stage,
        { id: "env" },
        {
          "prefect.deployments.steps.run_shell_script": {
            id: "sh",
            script: "python -c 'import color_of_env; print(color_of_env.NAME)'",
          },
        },
        { "own.look": { name: "{{ sh.stdout }} and " } },
      );
      const { python = "" } = pulled;
      expect(python).toMatch(/\/bin\/python$/);
      expect(pulled.outputs).toMatchObject({
        env: { python, environment: join(python, "../..") },
        seen: "red and red",
        prefix: join(python, "../.."),
      });
      expect(pulled.env).toMatchObject({
        VIRTUAL_ENV: join(python, "../.."),
        PATH: `${join(python, "..")}:${stage.env["PATH"] ?? ""}`,
        PYTHONPATH: "/nowhere",
      });
      expect(pulled.directory).toBe(stage.cwd);
      expect(
        stage.lines.filter((line) => line.startsWith("info: Building the Python environment: "))[0],
      ).toMatch(/making it with Python 3\.\d+\.\d+, 0 s$/);
      expect(
        stage.lines.some((line) =>
          /^info: Built the Python environment in \d+ s: Python 3\.\S+, without Prefect; kept at /.test(line),
        ),
      ).toBe(true);
      // Whoever looks finds it under a name that stays.
      const [key = ""] = environmentsOf(stage);
      expect(
        execFileSync(join(stage.environmentsDir, key, "bin", "python"), ["-c", "import color_of_env"]),
      ).toHaveLength(0);

      // Nothing may be installed into what others share.
      await expect(
        build(stage, {}, { "prefect.deployments.steps.pip_install_requirements": {} }),
      ).rejects.toThrow(/would change a cached environment that other runs share/);
    },
  );

  it("is shared by all that need the same, and by nobody else", async ({ expect }) => {
    for (const one of [stage, sharing]) withUv(one);
    const first = await build(stage);
    const second = await build(sharing, { requirements_file: "requirements.txt" });
    expect(second.python).toBe(first.python);
    expect(sharing.lines.filter((line) => line.includes("environment"))).toEqual([
      "info: Executing deployment step: python_environment",
      expect.stringMatching(
        /^info: Using the cached Python environment .* \(Python 3\.\S+, without Prefect\)$/,
      ),
      "info: Deployment step 'python_environment' completed successfully",
    ]);

    // The same words, but another wheel.
    await writeWheel(join(sharing.cwd, "wheels"), {
      module: "color_of_env",
      version: "1.0",
      source: "NAME = 'blue, not red'\n",
    });
    const third = await build(sharing);
    expect(third.python).not.toBe(first.python);
    const color = (pulled: PulledCode): string =>
      execFileSync(pulled.python ?? "", ["-c", "import color_of_env; print(color_of_env.NAME)"], {
        encoding: "utf8",
      }).trim();
    expect([color(first), color(third)]).toEqual(["red", "blue, not red"]);
    // Two environments, each with its link; no lock, no half-made one.
    expect(environmentsOf(stage)).toHaveLength(4);
  });

  it("is made once for runs that come together", async ({ expect }) => {
    for (const one of [stage, sharing]) withUv(one, "sleep 0.5");
    const [first, second] = await Promise.all([build(stage), build(sharing)]);
    expect(first.python).toBe(second.python);
    const made = [stage, sharing].flatMap(({ cwd }) => (existsSync(join(cwd, "bin", "uv.log")) ? [cwd] : []));
    expect(made).toHaveLength(1);
    expect([...stage.lines, ...sharing.lines]).toContain(
      "info: Waiting for the same Python environment, which another run is building",
    );
  });

  it("is made anew when its maker was killed, or when its interpreter is gone", async ({ expect }) => {
    withUv(stage);
    const { python = "" } = await build(stage);
    const [key = "", ready = ""] = environmentsOf(stage);
    // As a maker that dies in the middle leaves it: a lock without an owner, a directory without a link.
    execFileSync(
      "sh",
      [
        "-c",
        `rm "${key}" && rm -r "${ready}/bin" && mkdir "${key}.0123abcd" && echo 999999999 > "${key}.lock"`,
      ],
      {
        cwd: stage.environmentsDir,
      },
    );
    const again = await build(stage);
    expect(again.python).not.toBe(python);
    expect(environmentsOf(stage)).toEqual([key, again.python?.split("/").at(-3)]);

    execFileSync("rm", [again.python ?? ""]);
    const third = await build(stage);
    expect(existsSync(third.python ?? "")).toBe(true);
    expect(environmentsOf(stage)).toEqual([key, third.python?.split("/").at(-3)]);
  });

  it("says why an installation failed, and leaves nothing", async ({ expect }) => {
    withUv(stage);
    const failure = await build(stage, { requirements: ["--no-index", "does-not-exist==1"] }).catch(
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({
      message: expect.stringMatching(
        /^Pull step 1 of 1 \(lighterman\.steps\.python_environment\) failed: Installing .*does-not-exist==1 into a new environment failed with error code 1$/,
      ) as string,
      outputTail: expect.stringContaining("there is no version of does-not-exist==1") as string,
      hint: expect.stringContaining("A requirement has no version for") as string,
    });
    expect(environmentsOf(stage)).toEqual([]);
  });

  it("ends the installation and leaves nothing when the run is stopped", async ({ expect }) => {
    withUv(stage, 'echo "Collecting something"; sleep 600');
    const running = build(stage);
    running.catch(() => undefined);
    await until("the installation to run", () => existsSync(join(stage.cwd, "bin", "uv.log")));
    stage.abort.abort(new Error("stopped"));
    await expect(running).rejects.toThrow("stopped");
    expect(environmentsOf(stage)).toEqual([]);
  });

  it("takes another interpreter, by version or by program, or says which there are", async ({ expect }) => {
    withUv(stage);
    const version = execFileSync(real, ["-c", "import platform; print(platform.python_version())"], {
      encoding: "utf8",
    }).trim();
    const own = await build(stage);
    expect((await build(stage, { python: version })).python).toBe(own.python);
    expect((await build(stage, { python: version.split(".").slice(0, 2).join(".") })).python).toBe(
      own.python,
    );
    expect((await build(stage, { python: real })).python).toBe(own.python);
    await expect(build(stage, { python: "3.1" })).rejects.toThrow(
      /There is no Python 3\.1 for the environment \(.*is 3\.\d+\.\d+/,
    );
    await expect(build(stage, { python: 3 })).rejects.toThrow(
      /'python' of python_environment must be a text/,
    );
  });

  it("wants something to install", async ({ expect }) => {
    await expect(build(stage, { directory: "wheels" })).rejects.toThrow(
      /nothing to install: there is no .*\/wheels\/requirements\.txt/,
    );
    await expect(build(stage, { requirements: ["-e ."] })).rejects.toThrow(/cached environments outlive it/);
  });

  it("keeps no password", async ({ expect }) => {
    withUv(stage);
    const { python = "" } = await build(stage, {
      requirements: [
        "--no-index",
        "--find-links wheels",
        "--find-links http://me:canary-word@127.0.0.1:9/",
        "color_of_env",
      ],
    });
    const environment = join(python, "../..");
    const files = readdirSync(environment, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    const texts = files.map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"));
    expect(texts.some((text) => text.includes("127.0.0.1:9"))).toBe(true);
    expect(texts.some((text) => text.includes("canary-word"))).toBe(false);
  });
});
