import { describe, it } from "vitest";

import { TestProcess } from "../../support/test-process.ts";
import { workerBundle } from "../../support/worker-process.ts";
import { openScene, POOL, PYTHON, QUICK, stop } from "./scene.ts";

describe.concurrent("command flow runs (engine: none)", () => {
  it.for<[script: string, state: string, message: RegExp]>([
    ["exit 0", "Completed", /^The command exited with status code 0\.$/],
    ["echo why >&2; exit 3", "Failed", /^Command exited with status code: 3\. .*\nwhy$/s],
    ["kill -KILL $$", "Crashed", /status code: -9\. The process was killed \(SIGKILL\)/],
    ["kill -SEGV $$", "Crashed", /status code: -11\. The process died by signal SIGSEGV/],
  ])("end as the program does: %s", async ([script, name, message], { expect }) => {
    await using scene = await openScene();
    const run = scene.script(script);
    const worker = await scene.worker();
    const state = await scene.server.waitForEnd(run.id);
    expect({ name: state.name, message: state.message }).toEqual({
      name,
      message: expect.stringMatching(message) as string,
    });
    expect(scene.server.historyOf(run.id)).toEqual([
      "SCHEDULED",
      "PENDING",
      "PENDING",
      "RUNNING",
      state.type,
    ]);
    expect(await stop(worker)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });

  it("ship stdout as info and stderr as warnings, in order, whatever bytes they hold", async ({ expect }) => {
    await using scene = await openScene();
    const run = scene.script(String.raw`printf 'one\ntw\377o\r\nunfinished'; printf 'bad\n' >&2`);
    const worker = await scene.worker();
    await scene.server.waitForEnd(run.id);
    expect(await stop(worker)).toBe(0);
    const lines = scene.server.store.logs
      .filter((line) => line["flow_run_id"] === run.id && line["name"] === "prefect.flow_runs")
      .map((line) => [line["level"], line["message"]]);
    expect(lines.filter(([level]) => level === 20).map(([, text]) => text)).toEqual([
      expect.stringMatching(/^Downloading flow code/),
      "one",
      "tw\uFFFDo",
      "unfinished",
    ]);
    expect(lines.filter(([level]) => level === 30).map(([, text]) => text)).toEqual(["bad"]);
    expect(worker.lines).toContain("one");
  });

  it("go on when nobody reads the worker's stdout any more", async ({ expect }) => {
    await using scene = await openScene();
    const args = ["worker", "start", "--pool", POOL, "--python", PYTHON];
    await using shell = new TestProcess(
      "sh",
      ["-c", `"$0" "$@" | true`, process.execPath, workerBundle, ...args],
      {
        cwd: scene.home.path,
        env: { ...scene.home.env, ...QUICK, PREFECT_API_URL: scene.server.apiUrl },
      },
    );
    await shell.waitForLine(/started: pool/, 10_000);
    for (const script of ["echo one; echo two", "echo three"]) {
      expect((await scene.server.waitForEnd(scene.script(script).id)).name).toBe("Completed");
    }
    shell.kill("SIGTERM");
    await shell.closed;
    expect(shell.output).not.toMatch(/EPIPE/);
    expect(scene.leftovers()).toEqual([]);
  });
});
