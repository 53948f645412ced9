import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "vitest";

import { findEngine } from "../../../src/docker/engine-address.ts";
import { DockerEngine } from "../../../src/docker/engine.ts";
import { createDockerLauncher } from "../../../src/launcher/docker/docker-launcher.ts";
import { systemClock } from "../../../src/lifecycle/clock.ts";
import { FakeEngine, frameOf } from "../../support/fake-engine.ts";

import type { Launcher, LaunchSpec } from "../../../src/launcher/types.ts";

const ATTEMPT = "0badc0de-0000-4000-8000-000000000001";

// What an engine does that loses an answer can only be shown by one that is told to: the rest is integration/docker-*.
describe("the launcher of containers", () => {
  let engine: FakeEngine;
  let launcher: Launcher;

  beforeEach(async () => {
    engine = await FakeEngine.start();
    engine.onStart = (container) => engine.end(container, 3);
    const env = { HOME: engine.directory, DOCKER_HOST: engine.host };
    const client = new DockerEngine({ address: findEngine(env) });
    launcher = createDockerLauncher({ engine: client, env, cwd: engine.directory, clock: systemClock });
  });

  afterEach(async () => {
    await launcher.close();
    await engine[Symbol.asyncDispose]();
  });

  const losesAnswerOnce = (request: RegExp): void => {
    engine.fault = (found) => {
      if (!request.test(found)) return undefined;
      engine.fault = () => undefined;
      return { kind: "lose" };
    };
  };
  const creations = (): number =>
    engine.requests.filter((request) => request === "POST /containers/create").length;

  function spec(): LaunchSpec {
    return {
      flowRunId: "1",
      attempt: ATTEMPT,
      command: ["true"],
      cwd: "/",
      env: {},
      outputFile: join(engine.directory, "run.log"),
      container: { configuration: { image: "some:1" }, name: "calm otter", labels: {} },
    };
  }

  it("finds its own container again when the answer to its creation was lost", async ({ expect }) => {
    losesAnswerOnce(/create$/);
    const attempt = await launcher.launch(spec());
    expect(attempt.identifier).toBe("http+docker://localhost:id-of-calm-otter");
    expect(await attempt.exited).toEqual({ kind: "exited", code: 3, oomKilled: false });
    expect(creations()).toBe(2);
    expect(engine.containers.size).toBe(1);
  });

  it("takes the answer to a start that was lost for a start", async ({ expect }) => {
    losesAnswerOnce(/start$/);
    const attempt = await launcher.launch(spec());
    expect(await attempt.exited).toMatchObject({ kind: "exited", code: 3 });
    expect(engine.containers.size).toBe(1);
  });

  it("tries one other name when its own is taken, and no more", async ({ expect }) => {
    engine.add({ name: "calm-otter" });
    const attempt = await launcher.launch(spec());
    expect(attempt.handle).toMatchObject({ container: "id-of-calm-otter-0badc0de" });
    await attempt.exited;
    engine.containers.clear();
    for (const name of ["calm-otter", "calm-otter-0badc0de"]) engine.add({ name });
    const before = creations();
    await expect(launcher.launch(spec())).rejects.toMatchObject({ code: "LAUNCH_FAILED" });
    expect(creations() - before).toBe(2);
  });

  it("takes no 0 for the end of a container that somebody has removed, as podman says it", async ({
    expect,
  }) => {
    engine.onStart = () => undefined;
    const attempt = await launcher.launch(spec());
    const [container] = [...engine.containers.values()];
    engine.containers.clear();
    engine.end(container!);
    expect(await attempt.exited).toEqual({ kind: "gone", removed: true });
  });

  it("has the last output although the engine does not come to its end", async ({ expect }) => {
    engine.isFollowEndless = true;
    engine.onStart = () => undefined;
    const lines: string[] = [];
    const attempt = await launcher.launch({ ...spec(), onLine: (line) => lines.push(line) });
    const [container] = [...engine.containers.values()];
    container!.output = frameOf("2026-01-02T03:04:05.000000006Z last words\n");
    engine.end(container!);
    expect(await attempt.exited).toMatchObject({ kind: "exited", code: 0 });
    expect(lines).toEqual(["last words"]);
  });

  it("finds what a dead worker has begun, and makes sure that what it has not never begins", async ({
    expect,
  }) => {
    const trace = { outputFile: join(engine.directory, "run.log"), attempt: ATTEMPT };
    expect(await launcher.trace(trace)).toBeNull();
    const labels = { "io.lighterman.attempt": ATTEMPT };
    engine.add({ name: "made", labels, status: "created" });
    expect(await launcher.trace(trace)).toBeNull();
    expect(engine.containers.size).toBe(0);
    engine.add({ name: "begun", labels, exitCode: 3 });
    const handle = await launcher.trace(trace);
    expect(handle).toMatchObject({ kind: "docker", container: "id-of-begun" });
    const adopted = await launcher.adopt(handle!, { outputFile: trace.outputFile });
    expect(await adopted?.exited).toMatchObject({ kind: "exited", code: 3 });
  });

  it("keeps the newest containers of ended runs, and those of runs in hand", async ({ expect }) => {
    for (const name of ["a", "b", "c"])
      engine.add({ name, labels: { "io.lighterman.attempt": name, "io.prefect.flow-run-id": name } });
    const options = { now: Date.now(), isInHand: (id: string) => id === "b" };
    expect(await launcher.sweep({ ...options, keepMs: 1e15, keepCount: 5 })).toBe(0);
    expect(await launcher.sweep({ ...options, keepMs: 1e15, keepCount: 1 })).toBe(1);
    expect(await launcher.sweep({ ...options, keepMs: 0, keepCount: 5 })).toBe(1);
    expect([...engine.containers.values()].map(({ name }) => name)).toEqual(["b"]);
  });
});
