import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, it } from "vitest";

import { watchForOom } from "./oom.ts";

import type { OomRoots } from "./oom.ts";

const VICTIM = { pid: 42, startTicks: 1000 };

let directory: string;
let roots: OomRoots;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "lighterman-oom-"));
  roots = { proc: join(directory, "proc"), cgroup: join(directory, "cgroup"), kmsg: join(directory, "kmsg") };
});

afterEach(() => rm(directory, { recursive: true, force: true }));

async function put(path: string, text: string): Promise<void> {
  const file = join(directory, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}

it.for([
  ["cgroup v2", "0::/a/b", "cgroup/a/b/memory.events", "low 0\noom 1\noom_kill N\noom_group_kill 0\n"],
  ["cgroup v2 in a container", "0::/host/path", "cgroup/memory.events", "oom_kill N\n"],
  ["cgroup v1", "5:cpu:/\n4:memory:/x", "cgroup/memory/x/memory.oom_control", "under_oom 0\noom_kill N\n"],
  ["cgroup v1 with several controllers", "4:cpu,memory:/x", "cgroup/memory/memory.oom_control", "oom_kill N"],
  ["no control groups", "", "proc/vmstat", "nr_free_pages 1\noom_kill N\n"],
] as const)("counts kills with %s", async ([, cgroups, file, text], { expect }) => {
  await put("proc/42/cgroup", `${cgroups}\n`);
  await put(file, text.replace("N", "3"));
  const watch = watchForOom(VICTIM, roots);
  expect(watch.wasKilled()).toBe(false);
  await put(file, text.replace("N", "4"));
  expect(watch.wasKilled()).toBe(true);
});

it.for([
  ["6,1,10000001,-;Memory cgroup out of memory: Killed process 42 (python) total-vm:1kB", true],
  ["6,1,10000001,-;oom-kill:constraint=CONSTRAINT_MEMCG,task=python,pid=42,uid=0", true],
  ["6,1,9999999,-;Out of memory: Killed process 42 (older) total-vm:1kB", false],
  ["6,1,10000001,-;Out of memory: Killed process 421 (python) total-vm:1kB", false],
] as const)("reads the kernel's log: %s", async ([record, isKilled], { expect }) => {
  await put("kmsg", record);
  expect(watchForOom(VICTIM, roots).wasKilled()).toBe(isKilled);
});

it("says no where nothing can be read", ({ expect }) => {
  expect(watchForOom(VICTIM, roots).wasKilled()).toBe(false);
});
