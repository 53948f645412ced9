import { readFileSync } from "node:fs";

/** Names a process beyond pid reuse and reboots. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot at which it started; 0 where /proc does not exist. */
  readonly startTicks: number;
  readonly bootId: string;
}

export function ownProcess(): ProcessIdentity {
  return { pid: process.pid, startTicks: startTicks(process.pid) ?? 0, bootId: bootId() };
}

/** True while exactly that process is alive. */
export function isSameProcess(identity: ProcessIdentity): boolean {
  if (identity.bootId !== bootId()) return false;
  if (identity.startTicks !== 0) return startTicks(identity.pid) === identity.startTicks;
  try {
    process.kill(identity.pid, 0);
    return true;
  } catch {
    return false;
  }
}

// Field 22 of /proc/<pid>/stat; the second field (the program's name) may hold blanks and parentheses.
function startTicks(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : Number(fields[19]);
  } catch {
    return undefined; // no such process, or no /proc
  }
}

function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  } catch {
    return "";
  }
}
