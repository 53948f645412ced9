import { mkdirSync, readdirSync, readlinkSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "vitest";

import { writeWheel } from "../../support/python-packages.ts";
import { writeUv } from "../../support/stand-in-uv.ts";
import { openScene, PROGRAMS, stop } from "./scene.ts";

import type { Json } from "../../../src/json/value.ts";
import type { Scene } from "./scene.ts";

/** A wheel, and in front of the PATH a stand-in for uv: environments are made in a blink, without a network. */
async function prepare(scene: Scene): Promise<{ steps: readonly Json[]; env: Record<string, string> }> {
  await writeWheel(scene.path("wheels"), { module: "of_the_run", version: "1.0", source: "" });
  writeUv(scene.path("bin"), `if [ -e "${scene.path("hang")}" ]; then sleep 600; fi`);
  return {
    steps: [
      {
        "lighterman.steps.python_environment": {
          requirements: ["--no-index", `--find-links ${scene.path("wheels")}`, "of-the-run"],
        },
      },
      { "prefect.deployments.steps.set_working_directory": { directory: PROGRAMS } },
    ],
    env: { PATH: `${scene.path("bin")}:${process.env["PATH"] ?? ""}`, PIP_CONFIG_FILE: "/dev/null" },
  };
}

describe.concurrent("Python environments of flow runs", () => {
  it("the engine, and a program without an engine, run in the one that a step made", async ({ expect }) => {
    await using scene = await openScene();
    const { steps, env } = await prepare(scene);
    const worker = await scene.worker({ env });
    const diary = { ENGINE_DIARY: scene.path("diary") };
    const engine = scene.engine("prefix", { steps, env: diary });
    expect((await scene.server.waitForEnd(engine.id)).name).toBe("Completed");
    const program = scene.script(
      'python -c "import of_the_run, sys; print(sys.prefix)"; echo "$VIRTUAL_ENV"',
      { steps },
    );
    expect((await scene.server.waitForEnd(program.id)).name).toBe("Completed");

    const environments = scene.path(".lighterman", "environments");
    const [key = ""] = readdirSync(environments);
    const directory = join(environments, readlinkSync(join(environments, key)));
    expect(await scene.written("diary")).toEqual([directory]);
    await scene.logged(program, directory);
    expect(scene.server.logsOf(program.id).filter((line) => line === directory)).toHaveLength(2);
    expect(await scene.written("bin/uv.log")).toHaveLength(1);
    expect(await stop(worker)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });

  it("one whose making was cut off by kill -9 is made again by the next worker", async ({ expect }) => {
    await using scene = await openScene();
    const { steps, env } = await prepare(scene);
    writeFileSync(scene.path("hang"), "");
    const run = scene.engine("complete", { steps });
    const first = await scene.worker({ env });
    await scene.written("bin/uv.log");
    first.signal("SIGKILL");
    await first.end();
    const environments = scene.path(".lighterman", "environments");
    const halfMade = readdirSync(environments).filter((name) => !name.endsWith(".lock"));
    expect(halfMade).toHaveLength(1);

    // The worker that comes next goes on with the run, and does the installation anew.
    rmSync(scene.path("hang"));
    const second = await scene.worker({ env });
    expect((await scene.server.waitForEnd(run.id)).name).toBe("Completed");
    const names = readdirSync(environments);
    expect(names).toHaveLength(2);
    expect(names).not.toContain(halfMade[0]);
    expect(await stop(second)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });

  it("those that nobody has used for a long time are swept", async ({ expect }) => {
    await using scene = await openScene();
    const environments = scene.path(".lighterman", "environments");
    mkdirSync(join(environments, "0123.dead"), { recursive: true });
    mkdirSync(join(environments, "4567.young"));
    const longAgo = new Date(Date.now() - 40 * 24 * 3600 * 1000);
    utimesSync(join(environments, "0123.dead"), longAgo, longAgo);
    const worker = await scene.worker();
    await worker.waitForLine(/Housekeeping removed 1 unused Python environments/, 10_000);
    expect(readdirSync(environments)).toEqual(["4567.young"]);
    expect(await stop(worker)).toBe(0);
  });
});
