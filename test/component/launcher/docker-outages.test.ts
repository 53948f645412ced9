import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "vitest";

import { findEngine } from "../../../src/docker/engine-address.ts";
import { DockerEngine } from "../../../src/docker/engine.ts";
import { createDockerLauncher } from "../../../src/launcher/docker/docker-launcher.ts";
import { LaunchPostponed, LaunchUncertain } from "../../../src/launcher/launch-outcomes.ts";
import { systemClock } from "../../../src/lifecycle/clock.ts";
import { until } from "../../support/deadline.ts";
import { FakeEngine, frameOf } from "../../support/fake-engine.ts";

import type { Launcher, LaunchSpec } from "../../../src/launcher/types.ts";
import type { Clock } from "../../../src/lifecycle/clock.ts";
import type { Logger } from "../../../src/log/logger.ts";

const ATTEMPT = "0badc0de-0000-4000-8000-000000000001";

/** Patience is measured in seconds and minutes. */
function quickClock(speed: number): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now() * speed,
    sleep: (ms, signal) => systemClock.sleep(ms / speed, signal),
  };
}

describe("an engine that goes away, or is in trouble", () => {
  let engine: FakeEngine;
  let launcher: Launcher;
  let said: string[];
  let returns: number;
  let output: string[];

  beforeEach(async () => {
    engine = await FakeEngine.start();
    said = [];
    returns = 0;
    output = [];
    launcher = open(20);
  });

  function open(speed: number): Launcher {
    const env = { HOME: engine.directory, DOCKER_HOST: engine.host };
    const note = (_: unknown, text?: string): number => said.push(text ?? String(_));
    const logger = { debug: note, info: note, warn: note, error: note } as unknown as Logger;
    return createDockerLauncher({
      engine: new DockerEngine({ address: findEngine(env) }),
      env,
      cwd: engine.directory,
      clock: quickClock(speed),
      logger,
      onBack: () => (returns += 1),
    });
  }

  afterEach(async () => {
    await launcher.close();
    await engine[Symbol.asyncDispose]();
  });

  function spec(fields: Partial<LaunchSpec> = {}): LaunchSpec {
    return {
      flowRunId: "1",
      attempt: ATTEMPT,
      command: ["true"],
      cwd: "/",
      env: {},
      outputFile: join(engine.directory, "run.log"),
      onLine: (line) => output.push(line),
      container: { configuration: { image: "some:1" }, name: "otter", labels: {} },
      ...fields,
    };
  }

  const times = (text: RegExp): number => said.filter((line) => text.test(line)).length;
  const isAsked = (request: string): boolean => engine.requests.includes(request);
  const losesStart: FakeEngine["fault"] = (request) =>
    request.endsWith("/start")
      ? { kind: "lose" }
      : request.startsWith("GET /containers/id-of-otter")
        ? { kind: "hang" }
        : undefined;
  const begun = (): Promise<unknown> =>
    until("it has begun", () => engine.named("otter")?.status === "running");

  it("starts nothing while it is away, says so once, and goes on by itself", async ({ expect }) => {
    await engine.goDown();
    await expect(launcher.launch(spec())).rejects.toThrow(LaunchPostponed);
    await expect(launcher.launch(spec())).rejects.toThrow(/no such socket/);
    expect(await launcher.isReady()).toBe(false);
    expect(launcher.obstacle).toMatch(/cannot be reached: there is no such socket/);
    expect(times(/does not answer/)).toBe(1);
    await engine.listen();
    await until("it is back", () => returns > 0, { everyMs: 5 });
    expect([await launcher.isReady(), launcher.obstacle, times(/answers again/)]).toEqual([true, null, 1]);
    const attempt = await launcher.launch(spec());
    engine.end(engine.named("otter")!, 3);
    expect(await attempt.exited).toMatchObject({ kind: "exited", code: 3 });
  });

  it("is away where a proxy in front of it answers with errors, but a refusal is none", async ({
    expect,
  }) => {
    engine.fault = () => ({ kind: "status", status: 502 });
    await expect(launcher.launch(spec())).rejects.toThrow(LaunchPostponed);
    engine.fault = () => undefined;
    await until("it is back", () => returns > 0, { everyMs: 5 });
    engine.fault = (request) =>
      request.endsWith("/create") ? { kind: "status", status: 500, message: "no such runtime" } : undefined;
    await expect(launcher.launch(spec())).rejects.toMatchObject({ code: "LAUNCH_FAILED" });
    expect(launcher.obstacle).toBeNull();
  });

  it("is not away when a proxy ends a connection on which nothing came for long", async ({ expect }) => {
    let waits = 0;
    engine.fault = (request) =>
      request.endsWith("/wait") && (waits += 1) <= 2 ? { kind: "cut" } : undefined;
    const attempt = await launcher.launch(spec());
    await until("it is waited for again", () => waits === 3, { everyMs: 5 });
    expect([times(/does not answer/), launcher.obstacle]).toEqual([0, null]);
    engine.end(engine.named("otter")!);
    expect(await attempt.exited).toMatchObject({ kind: "exited", code: 0 });
  });

  it("keeps no container of a run that is handed back", async ({ expect }) => {
    engine.fault = (request) => (request.endsWith("/create") ? { kind: "lose" } : undefined);
    await expect(launcher.launch(spec())).rejects.toThrow(LaunchPostponed);
    await until("it is removed", () => engine.containers.size === 0, { everyMs: 5 });
    expect(engine.requests.some((request) => request.endsWith("/start"))).toBe(false);
  });

  it("hands nothing back that may have begun, and watches it when the engine is back", async ({ expect }) => {
    engine.fault = losesStart;
    const launched = launcher.launch(spec());
    await begun();
    await engine.goDown();
    engine.fault = () => undefined;
    await systemClock.sleep(12_000 / 20); // longer than what has not begun is waited for
    await engine.listen();
    const attempt = await launched;
    engine.end(engine.named("otter")!, 4);
    expect(await attempt.exited).toMatchObject({ kind: "exited", code: 4 });
    expect(engine.requests.filter((request) => request.endsWith("/create"))).toHaveLength(1);
  });

  it("leaves what may have begun to the next worker, or ends it later when it is not wanted", async ({
    expect,
  }) => {
    const stopping = new AbortController();
    engine.fault = losesStart;
    const launched = launcher.launch(spec({ signal: stopping.signal }));
    launched.catch(() => undefined);
    await begun();
    await engine.goDown();
    stopping.abort(new Error("the worker must go"));
    const error = await launched.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LaunchUncertain);
    engine.fault = () => undefined;
    await engine.listen();
    expect(engine.named("otter")?.status).toBe("running");
    (error as LaunchUncertain).discard();
    await until("it is removed", () => engine.containers.size === 0, { everyMs: 5 });
  });

  describe("that answers nothing but 500 about a container", () => {
    beforeEach(() => {
      engine.fault = (request) =>
        /^POST .*(wait|stop|kill)$|^GET \/containers|^DELETE/.test(request)
          ? { kind: "status", status: 500 }
          : undefined;
    });

    it("is asked again and again, which is said once, and every few minutes", async ({ expect }) => {
      await launcher.close();
      launcher = open(200);
      await launcher.launch(spec());
      await until("it is said again", () => times(/fails to answer a request/) === 2, { everyMs: 5 });
      const asked = engine.requests.filter((request) => request.endsWith("/wait")).length;
      expect(asked).toBeGreaterThan(4);
      expect(times(/output cannot be read/)).toBe(1);
      expect(launcher.obstacle).toBeNull();
    });

    it("has the end and the output of the container when it is well again", async ({ expect }) => {
      const attempt = await launcher.launch(spec());
      await until("it is said", () => times(/fails to answer a request/) === 1, { everyMs: 5 });
      engine.named("otter")!.output = frameOf("2026-01-02T03:04:05.000000006Z said\n");
      engine.fault = () => undefined;
      engine.end(engine.named("otter")!, 5);
      expect(await attempt.exited).toMatchObject({ kind: "exited", code: 5 });
      expect(output).toEqual(["said"]);
      expect(times(/answers all requests/)).toBe(1);
    });

    it("does not keep a run from being cancelled, and removes its container once it can", async ({
      expect,
    }) => {
      const attempt = await launcher.launch(spec());
      const { result } = await attempt.stop({ intent: "cancel", graceMs: 1000 });
      expect(result).toEqual({ kind: "gone" });
      expect(isAsked("POST /containers/id-of-otter/kill")).toBe(true);
      expect(times(/could not be ended/)).toBe(1);
      engine.fault = () => undefined;
      await until("it is removed", () => engine.containers.size === 0, { everyMs: 5 });
    });

    it("does not keep a worker that must go", async ({ expect }) => {
      const attempt = await launcher.launch(spec());
      const { result } = await attempt.stop({ intent: "none", graceMs: 0 });
      expect(result).toEqual({ kind: "detached" });
    });
  });
});
