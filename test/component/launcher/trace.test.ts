import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env } from "node:process";
import { afterEach, beforeEach, describe, it } from "vitest";

import { createProcessLauncher } from "../../../src/launcher/process/process-launcher.ts";
import { AttemptWithdrawn } from "../../../src/launcher/withdrawn.ts";
import { systemClock } from "../../../src/lifecycle/clock.ts";
import { until } from "../../support/deadline.ts";

import type { Infrastructure, Launcher, LaunchSpec } from "../../../src/launcher/types.ts";

const PATH = env["PATH"] ?? "";

let directory: string;
let launcher: Launcher;
/** Of the next worker. It does not wait long. */
let later: Launcher;
let started: Infrastructure[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "lighterman-trace-"));
  launcher = createProcessLauncher({ clock: systemClock });
  later = createProcessLauncher({
    clock: { ...systemClock, sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 5), signal) },
  });
  started = [];
});

afterEach(async () => {
  for (const infrastructure of started) await infrastructure.stop({ intent: "none", graceMs: 0 });
  await Promise.all([launcher.close(), later.close()]);
  await rm(directory, { recursive: true });
});

type Spec = LaunchSpec & { readonly attempt: string };

function specOf(script: string, changes: Partial<Spec> = {}): Spec {
  const attempt = changes.attempt ?? "0badc0de-0000-4000-8000-000000000001";
  return {
    flowRunId: "00000000-0000-4000-8000-000000000001",
    attempt,
    command: ["sh", "-c", script],
    cwd: directory,
    env: { PATH },
    outputFile: join(directory, `${attempt}.log`),
    ...changes,
  };
}

async function launch(spec: LaunchSpec): Promise<Infrastructure> {
  const infrastructure = await launcher.launch(spec);
  started.push(infrastructure);
  return infrastructure;
}

const at = (name: string): string => join(directory, name);

function appears(name: string): Promise<boolean> {
  return until(name, () => existsSync(at(name)), { everyMs: 10, timeoutMs: 10_000 });
}

describe("an attempt whose start was not noted", () => {
  it.for([
    ["that becomes its command", {}],
    ["that keeps its status", { keepStatus: true }],
  ] as const)("%s: traced before it has begun it never will", async ([, changes], { expect }) => {
    const spec = specOf(`touch ${at("ran")}`, changes);
    expect(await later.trace(spec)).toBeNull();
    const { exited } = await launch(spec);
    expect(await exited).toEqual({ kind: "withdrawn" });
    expect(existsSync(at("ran"))).toBe(false);
    // Should the worker die that has traced it, the next one learns the same.
    expect(await later.trace(spec)).toBeNull();
  });

  it("whose environment no shell can hand on: it is not started", async ({ expect }) => {
    const spec = specOf(`touch ${at("ran")}`, { env: { PATH, "my.variable": "1" } });
    expect(await later.trace(spec)).toBeNull();
    await expect(launch(spec)).rejects.toThrow(AttemptWithdrawn);
    expect(existsSync(at("ran"))).toBe(false);
  });

  it.for([
    ["by its environment", "touch up; exec sleep 600", {}],
    ["without an environment to know it by", "touch up; exec env -i sleep 600", {}],
    ["under its shell", "touch up; exec env -i sleep 600", { keepStatus: true }],
    ["that was started without a shell", "touch up; exec sleep 600", { env: { PATH, "my.variable": "1" } }],
  ] as const)("is found while it lives %s", async ([, script, changes], { expect }) => {
    const spec = specOf(script, changes);
    const { handle, identifier } = await launch(spec);
    await appears("up");
    const found = await later.trace(spec);
    expect(found).toEqual(handle);
    expect((await later.adopt(found ?? {}, spec))?.identifier).toBe(identifier);
  });

  it.for([
    ["left its status", { keepStatus: true }, { kind: "exited", code: 3 }],
    ["left nothing", {}, { kind: "gone" }],
    ["was started without a shell", { env: { PATH, "my.variable": "1" } }, { kind: "gone" }],
  ] as const)("has begun, also when it is over and %s", async ([, changes, end], { expect }) => {
    const spec = specOf("exit 3", changes);
    await (
      await launch(spec)
    ).exited;
    const found = await later.trace(spec);
    expect(found).not.toBeNull();
    expect(await later.adopt(found ?? {}, spec)).toBeNull();
    expect(later.endOf(spec)).toEqual(end);
  });

  it("either runs or is withdrawn, however close the race", async ({ expect }) => {
    const outcomes = new Set<string>();
    for (let round = 0; round < 60; round += 1) {
      const name = `ran-${round}`;
      const attempt = `${String(round).padStart(8, "0")}-0000-4000-8000-000000000001`;
      const spec = specOf(`touch ${at(name)}`, { attempt, keepStatus: round % 2 === 0 });
      const launching = launch(spec);
      // The first rounds look before the process is there, the last ones after its end.
      const start = performance.now();
      while (performance.now() - start < round / 10) await new Promise(setImmediate);
      const found = await later.trace(spec);
      const result = await (await launching).exited;
      outcomes.add(result.kind);
      expect([found === null, existsSync(at(name))]).toEqual(
        result.kind === "withdrawn" ? [true, false] : [false, true],
      );
      if (result.kind !== "withdrawn") expect(result).toEqual({ kind: "exited", code: 0 });
    }
    expect(outcomes.has("withdrawn")).toBe(true);
  });

  it("says in its output why it did not begin", async ({ expect }) => {
    const spec = specOf("true");
    await later.trace(spec);
    await (
      await launch(spec)
    ).exited;
    expect(readFileSync(spec.outputFile, "utf8")).toMatch(/\.begun/);
  });
});
