import { closeSync, constants, openSync, readSync } from "node:fs";
import { join } from "node:path";

import { readProcFile } from "../../lifecycle/proc.ts";

import type { ProcessIdentity } from "../../lifecycle/proc.ts";

export interface OomRoots {
  readonly proc: string;
  readonly cgroup: string;
  readonly kmsg: string;
}

const SYSTEM: OomRoots = { proc: "/proc", cgroup: "/sys/fs/cgroup", kmsg: "/dev/kmsg" };
const MAX_KERNEL_RECORDS = 50_000;
const MICROS_PER_TICK = 10_000; // USER_HZ is 100 on every Linux that Node runs on

/** Remembers how many processes the kernel had killed for want of memory when an attempt began. */
export interface OomWatch {
  /** Best effort: true when the kernel names the process, or its control group has lost one since the start. */
  wasKilled(): boolean;
}

export function watchForOom(process: ProcessIdentity, roots: OomRoots = SYSTEM): OomWatch {
  const counters = counterFiles(process.pid, roots);
  const file = counters.find((path) => readCounter(path) !== undefined);
  const before = file === undefined ? undefined : readCounter(file);
  return {
    wasKilled() {
      const now = file === undefined ? undefined : readCounter(file);
      if (before !== undefined && now !== undefined && now > before) return true;
      return isNamedByKernel(process, roots.kmsg);
    },
  };
}

/** Where the number may stand, the most exact first: cgroup v2, v1, then the whole machine. */
function counterFiles(pid: number, roots: OomRoots): readonly string[] {
  const files: string[] = [];
  for (const line of (readProcFile(join(roots.proc, String(pid), "cgroup")) ?? "").split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    if (controllers === "") {
      // Seen from inside a container the path may be the host's; then our own root is the right one.
      files.push(join(roots.cgroup, path, "memory.events"), join(roots.cgroup, "memory.events"));
    } else if (controllers.split(",").includes("memory")) {
      const root = join(roots.cgroup, "memory");
      files.push(join(root, path, "memory.oom_control"), join(root, "memory.oom_control"));
    }
  }
  return [...files, join(roots.proc, "vmstat")];
}

function readCounter(path: string): number | undefined {
  const count = /^oom_kill (\d+)$/m.exec(readProcFile(path) ?? "")?.[1];
  return count === undefined ? undefined : Number(count);
}

/** The kernel's own log says which process it has killed; mostly only root may read it. */
function isNamedByKernel(process: ProcessIdentity, kmsg: string): boolean {
  let fd: number;
  try {
    fd = openSync(kmsg, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return false;
  }
  const buffer = Buffer.alloc(8192);
  const victim = new RegExp(`Killed process ${process.pid} |oom-kill:.*\\bpid=${process.pid},`);
  try {
    // One record a read; EAGAIN at the end.
    for (let count = 0; count < MAX_KERNEL_RECORDS; count += 1) {
      const length = readSync(fd, buffer);
      if (length === 0) return false;
      const record = buffer.toString("latin1", 0, length);
      const micros = Number(record.split(",", 3)[2]);
      if (micros >= process.startTicks * MICROS_PER_TICK && victim.test(record)) return true;
    }
  } catch {
    return false;
  } finally {
    closeSync(fd);
  }
  return false;
}
