import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, it, onTestFinished } from "vitest";

import { Float } from "../../../src/json/value.ts";
import { until } from "../../support/deadline.ts";
import { isAlive } from "../../support/proc.ts";
import { openStage as open } from "../../support/pull-stage.ts";
import { writeWheel } from "../../support/python-packages.ts";

import type { TestStage } from "../../support/pull-stage.ts";

const STEPS = `
import asyncio, os, pathlib, subprocess, sys, time, warnings

def echo(**inputs):
    return inputs

async def later(value):
    await asyncio.sleep(0)
    return {"value": value}

def nothing():
    return 7

def move(to):
    os.chdir(to)

def move_and_say(to, directory):
    os.chdir(to)
    return {"directory": directory}

def set_env():
    os.environ["ADDED"] = "yes"
    os.environ["PATH"] = "/changed:" + os.environ["PATH"]
    os.environ["PREFECT_API_URL"] = "http://elsewhere"
    del os.environ["GONE"]

def see_env():
    return {"env": {name: os.environ.get(name) for name in ("ADDED", "GONE", "PATH")}}

def add_paths():
    import sysconfig
    sys.path += [os.path.join(os.getcwd(), "lib"), sysconfig.get_paths()["purelib"], "relative"]

def talk():
    print("to stdout")
    print("to stderr", file=sys.stderr)
    os.system("echo from a child")
    warnings.warn("old way", DeprecationWarning)
    sys.stdout.write("no end")
    return {}

def flood():
    for number in range(20000):
        print("line", number)
    return {"last": 19999}

def odd():
    return {"path": pathlib.PurePosixPath("/a/b"), "set": {1}, "nan": float("nan"), "list": (1, 2.0, 2**70), 3: None}

def fail(secret):
    raise ValueError("no good")

def leave(code):
    sys.exit(code)

def die():
    print("last words")
    os._exit(9)

def hang():
    child = subprocess.Popen(["sleep", "600"])
    print("hanging", child.pid, os.getpid())
    time.sleep(600)

def argv():
    return {"argv": sys.argv, "cmdline": open("/proc/self/cmdline").read()}

class Group:
    @staticmethod
    def inside():
        return {"inside": True}
`;

function openStage(): TestStage {
  const stage = open();
  onTestFinished(() => stage.remove());
  stage.write("my_steps.py", STEPS);
  return stage;
}

function outputs(stage: TestStage): string[] {
  return stage.lines.filter((line) => line.startsWith("output: ")).map((line) => line.slice(8));
}

describe("steps that only exist in Python", () => {
  it("take and give JSON, with its numbers as Python has them", async ({ expect }) => {
    const stage = openStage();
    const inputs = {
      text: "ä\n{{ x }}",
      number: new Float(1),
      big: 2n ** 70n,
      list: [1, null, true, { a: 1.5 }],
    };
    const pulled = await stage.run([
      { "my_steps.echo": { id: "one", ...inputs } },
      { "my_steps:later": { value: "{{ one.number }} {{ big }}" } },
      { "my_steps.echo": { value: "{{ one.list }}" } },
    ]);
    expect(pulled.outputs["one"]).toEqual({ ...inputs, text: "ä\n" });
    expect(pulled.outputs["value"]).toEqual(inputs.list);
    expect(stage.events.map(({ stepName, status }) => `${stepName} ${status}`)).toEqual([
      "echo executed",
      "my_steps:later executed",
      "echo executed",
    ]);
  });

  it("may be a file's function or return no mapping, which gives no outputs", async ({ expect }) => {
    const stage = openStage();
    const pulled = await stage.run([
      { [`${stage.cwd}/my_steps.py:Group.inside`]: {} },
      { "my_steps.nothing": { id: "n" } },
    ]);
    expect(pulled.outputs).toEqual({ inside: true });
    expect(stage.events).toHaveLength(1);
  });

  it("share one process with the environment and directory that the steps before left", async ({
    expect,
  }) => {
    const stage = openStage();
    stage.env["GONE"] = "soon";
    stage.env["PREFECT_API_URL"] = "http://here";
    const pulled = await stage.run([
      { "my_steps.move": { to: "/usr" } },
      { "my_steps.set_env": {} },
      {
        "prefect.deployments.steps.run_shell_script": { id: "sh", script: `sh -c 'pwd; echo $ADDED:$GONE'` },
      },
      { "prefect.deployments.steps.set_working_directory": { directory: "bin" } },
      { "my_steps.see_env": {} },
      { "my_steps.add_paths": {} },
    ]);
    expect(pulled.outputs["sh"]).toEqual({ stdout: "/usr\nyes:", stderr: "" });
    expect(pulled.outputs["env"]).toEqual({
      ADDED: "yes",
      GONE: null,
      PATH: `/changed:${stage.env["PATH"]}`,
    });
    expect(pulled.env).toMatchObject({
      ADDED: "yes",
      PATH: stage.env["PATH"],
      PREFECT_API_URL: "http://here",
    });
    expect(pulled.env).not.toHaveProperty("GONE");
    expect(Object.keys(pulled.env).toSorted()).toEqual(["ADDED", "HOME", "PATH", "PREFECT_API_URL"]);
    expect(pulled.directory).toMatch(/^\/usr\/bin$/);
    expect(pulled.pythonPath.map((path) => path.replace(/^.*\//, ""))).toEqual(["lib", "relative"]);
  });

  it("select a directory by changing into it, or by a relative one seen from there", async ({ expect }) => {
    const stage = openStage();
    expect((await stage.run([{ "my_steps.move": { to: "/usr" } }])).directory).toBe("/usr");
    const said = await stage.run([{ "my_steps.move_and_say": { to: "/usr", directory: "lib" } }]);
    expect(said.directory).toBe("/usr/lib");
    const emptied = await stage.run([{ "my_steps.move_and_say": { to: "/usr", directory: "" } }]);
    expect(emptied.directory).toBe("/usr");
    await expect(stage.run([{ "my_steps.echo": { directory: "nowhere" } }])).rejects.toThrow(
      `selected the directory ${stage.cwd}/nowhere, which does not exist`,
    );
  });

  it("print to the output, before their end is logged, also when they print much", async ({ expect }) => {
    const stage = openStage();
    await stage.run([{ "my_steps.talk": {} }, { "my_steps.flood": {} }]);
    expect(outputs(stage).slice(0, 4).toSorted()).toEqual([
      "from a child",
      "no end",
      "to stderr",
      "to stdout",
    ]);
    expect(outputs(stage)).toHaveLength(20_004);
    expect(stage.lines).toContain("warn: old way");
    expect(stage.lines.slice(-3)).toEqual([
      "output: line 19999",
      "info: Deployment step 'flood' completed successfully",
      "info: All deployment steps completed successfully",
    ]);
  });

  it("hand on what JSON cannot hold as its text", async ({ expect }) => {
    const stage = openStage();
    const pulled = await stage.run([{ "my_steps.odd": {} }]);
    expect(pulled.outputs).toEqual({
      path: "/a/b",
      set: "{1}",
      nan: "nan",
      list: [1, new Float(2), 2n ** 70n],
      "3": null,
    });
    expect(stage.lines).toContain(
      "warn: Values of the step's result are handed on as their text: set (set), nan (float)",
    );
  });

  it.for<[string, object, string, string | undefined]>([
    ["my_steps.fail", { secret: "s3cret" }, "ValueError: no good", 'raise ValueError("no good")'],
    ["my_steps.fail", {}, "TypeError: fail() missing 1 required positional argument", undefined],
    ["my_steps.nope", {}, "AttributeError: module 'my_steps' has no attribute 'nope'", undefined],
    ["no_such_module.step", {}, "ModuleNotFoundError: No module named 'no_such_module'", undefined],
    ["nodots", {}, "ValueError: 'nodots' names no function", undefined],
    ["my_steps.leave", { code: 0 }, "the step called sys.exit(0)", undefined],
    ["my_steps.die", {}, "ended with exit code 9 before the step returned", "last words"],
  ])("fail with the reason: %s %j", async ([name, inputs, reason, tail], { expect }) => {
    const stage = openStage();
    const failure = await stage.run([{ [name]: inputs } as never]).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "STEP_FAILED",
      message: expect.stringContaining(`Pull step 1 of 1 (${name}) failed: `),
    });
    expect(failure).toMatchObject({ message: expect.stringContaining(reason) });
    if (tail !== undefined) expect(failure).toMatchObject({ outputTail: expect.stringContaining(tail) });
    expect(JSON.stringify(failure)).not.toContain("bridge.py");
    expect(JSON.stringify(failure)).not.toContain("s3cret");
  });

  it("end with all their children when aborted", async ({ expect }) => {
    const stage = openStage();
    const reason = new Error("cancelled");
    stage.onLine = (line) => {
      if (line.startsWith("output: hanging")) stage.abort.abort(reason);
    };
    await expect(stage.run([{ "my_steps.hang": {} }])).rejects.toBe(reason);
    const pids = outputs(stage).at(-1)?.split(" ").slice(1).map(Number) ?? [];
    expect(pids).toHaveLength(2);
    await until("both to be gone", () => !pids.some((pid) => isAlive(pid)), { everyMs: 10 });
  });

  it("get no input through their command line", async ({ expect }) => {
    const stage = openStage();
    const pulled = await stage.run([{ "my_steps.echo": { secret: "s3cret" } }, { "my_steps.argv": {} }]);
    expect(JSON.stringify([pulled.outputs["argv"], pulled.outputs["cmdline"]])).not.toContain("s3cret");
  });
});

describe("packages in an environment of the flow", () => {
  const run = promisify(execFile);
  let directory: string;
  let python: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "lighterman-venv-"));
    python = join(directory, "venv", "bin", "python");
    await run("python3", ["-m", "venv", "--system-site-packages", "--without-pip", join(directory, "venv")]);
    // A Python without pip outside of its environments needs the slow way.
    await run(python, ["-m", "pip", "--version"]).catch(() =>
      run("python3", ["-m", "venv", join(directory, "venv")]),
    );
    const source = "def step():\n    return {'wheel': True}\n";
    await writeWheel(join(directory, "wheels"), { module: "lm_required", version: "1.0", source });
    await writeWheel(join(directory, "wheels"), { module: "lm_listed", version: "1.0", source });
  });
  afterAll(async () => await rm(directory, { recursive: true, force: true }));

  function openVenvStage(): TestStage {
    const stage = openStage();
    Object.assign(stage.env, { PIP_NO_INDEX: "1", PIP_FIND_LINKS: join(directory, "wheels") });
    return Object.assign(stage, { python: async () => python });
  }

  it("are installed when a step requires them, once", async ({ expect }) => {
    const stage = openVenvStage();
    const step = { "lm_required.step": { requires: "lm-required>=1.0" } };
    const pulled = await stage.run([step, step]);
    expect(pulled.outputs).toEqual({ wheel: true });
    const attempts = stage.lines.filter((line) => line.includes("Attempting install of"));
    expect(attempts).toEqual([
      "info: Unable to load step function: lm_required.step. Attempting install of lm-required>=1.0.",
    ]);
  });

  it("fail the step with pip's words when they cannot be installed", async ({ expect }) => {
    const stage = openVenvStage();
    const steps = [{ "lm_missing.step": { requires: ["lm-missing"] } }];
    const failure = await stage.run(steps).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      message: expect.stringContaining(
        "Installing what the step requires (lm-missing) failed with error code 1",
      ),
      outputTail: expect.stringContaining("No matching distribution found for lm-missing"),
      hint: expect.stringContaining("has no version for"),
    });
  });

  it("are only a warning when the step can do without", async ({ expect }) => {
    const stage = openVenvStage();
    const pulled = await stage.run([
      { "my_steps.echo": { requires: "lm-missing", a: 1 } },
      { "prefect.deployments.steps.run_shell_script": { requires: "lm-missing", script: "echo" } },
    ]);
    expect(pulled.outputs["a"]).toBe(1);
    expect(stage.lines.filter((line) => line.startsWith("warn: "))).toEqual([
      "warn: Unable to install required packages for my_steps.echo",
      "warn: Unable to install lm-missing; the step itself does not need it",
    ]);
  });

  it("come from a requirements file into the flow's interpreter", async ({ expect }) => {
    const stage = openVenvStage();
    stage.write("requirements.txt", "lm-listed\n");
    const pulled = await stage.run([{ "prefect.deployments.steps.pip_install_requirements": { id: "pip" } }]);
    expect(pulled.outputs["stdout"]).toContain("Successfully installed lm-listed-1.0");
    expect(outputs(stage).join("\n")).toContain("Successfully installed lm-listed-1.0");
    await run(python, ["-c", "import lm_listed"]);

    stage.write("bad.txt", "lm-unknown\n");
    const steps = [
      {
        "prefect.deployments.steps.pip_install_requirements": {
          requirements_file: "bad.txt",
          stream_output: false,
        },
      },
    ];
    await expect(stage.run(steps)).rejects.toMatchObject({
      message: expect.stringContaining("Installing bad.txt failed with error code 1"),
      outputTail: expect.stringContaining("No matching distribution found for lm-unknown"),
    });
  });
});
