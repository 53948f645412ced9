import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, it, onTestFinished } from "vitest";

import { MANIFEST, obtainEnvironment, sweepEnvironments } from "../../../src/steps/environments/cache.ts";
import { until } from "../../support/deadline.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { readProcFile } from "../../support/proc.ts";
import { TestProcess } from "../../support/test-process.ts";

const { signal } = new AbortController();
const DAY_MS = 24 * 3600 * 1000;
const KEEP_MS = 30 * DAY_MS;
const MADE = { python: "3.11.2", prefect: "3.8.8", requirements: ["prefect==3.8.8"] };

describe("sweepEnvironments", () => {
  const now = Date.now();
  const lock = { clock: new FakeClock(now), signal };
  let root = "";

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "lighterman-environments-"));
    onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  });

  /** A finished one that was last used so many days ago. */
  async function environment(key: string, days: number): Promise<string> {
    const { directory } = await obtainEnvironment(root, key, lock, async (into) => {
      mkdirSync(join(into, "bin"), { recursive: true });
      symlinkSync(process.execPath, join(into, "bin", "python"));
      writeFileSync(join(into, MANIFEST), JSON.stringify(MADE));
      return MADE;
    });
    age(directory, days);
    return directory;
  }

  function age(directory: string, days: number): void {
    const then = new Date(now - days * DAY_MS);
    utimesSync(directory, then, then);
  }

  it("removes what was not used for long, with its link, and leaves the rest", async ({ expect }) => {
    const old = await environment("old", 31);
    await environment("young", 29);
    expect(await sweepEnvironments(root, lock, KEEP_MS)).toBe(1);
    expect(existsSync(old)).toBe(false);
    expect(readdirSync(root).map((name) => name.split(".")[0])).toEqual(["young", "young"]);
    expect(await sweepEnvironments(join(root, "none"), lock, KEEP_MS)).toBe(0);
  });

  it("counts every use", async ({ expect }) => {
    const directory = await environment("used", 31);
    const again = await obtainEnvironment(root, "used", lock, () =>
      Promise.reject(new Error("there is one")),
    );
    expect(again).toEqual({ ...MADE, directory, isNew: false });
    expect(await sweepEnvironments(root, lock, KEEP_MS)).toBe(0);
  });

  it("leaves one that a process runs in", async ({ expect }) => {
    const directory = await environment("busy", 100);
    await using run = new TestProcess("sleep", ["600"], { env: { VIRTUAL_ENV: directory } });
    // Its environment can be read once it has become the program.
    await until("the process to start", () => readProcFile(run.pid, "cmdline").startsWith("sleep"));
    expect(await sweepEnvironments(root, lock, KEEP_MS)).toBe(0);
    run.signal("SIGKILL");
    await run.ended;
    expect(await sweepEnvironments(root, lock, KEEP_MS)).toBe(1);
  });

  it("removes half-made ones after a day", async ({ expect }) => {
    for (const name of ["half.1", "half.2"]) mkdirSync(join(root, name));
    age(join(root, "half.1"), 2);
    expect(await sweepEnvironments(root, lock, KEEP_MS)).toBe(1);
    expect(readdirSync(root)).toEqual(["half.2"]);
  });
});
