import { readdirSync, readFileSync } from "node:fs";

/** A process as nobody else can ever be: its pid may come again, but not with the same start. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot (field 22 of /proc/PID/stat); 0 where there is no /proc. */
  readonly startTicks: number;
}

export interface ProcessStat extends ProcessIdentity {
  readonly state: string;
  readonly parentPid: number;
  readonly group: number;
  readonly session: number;
}

/** Undefined when there is no such process (any more), or no /proc. */
export function readStat(pid: number): ProcessStat | undefined {
  const text = readProcFile(`/proc/${pid}/stat`);
  return text === undefined ? undefined : parseStat(pid, text);
}

/** Reads the line of /proc/PID/stat. */
export function parseStat(pid: number, text: string): ProcessStat {
  // The program's name, in parentheses, may hold anything, also blanks and parentheses.
  const [state = "", ...fields] = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [parentPid = 0, group = 0, session = 0] = fields.slice(0, 3).map(Number);
  return { pid, state, parentPid, group, session, startTicks: Number(fields[18]) };
}

export function listProcesses(): readonly ProcessStat[] {
  let names: readonly string[];
  try {
    names = readdirSync("/proc");
  } catch {
    return [];
  }
  return names.filter((name) => /^\d+$/.test(name)).flatMap((name) => readStat(Number(name)) ?? []);
}

/** A zombie has ended: it only waits for its parent. */
export function isRunning(stat: ProcessStat): boolean {
  return stat.state !== "Z" && stat.state !== "X";
}

export function isAlive(identity: ProcessIdentity): boolean {
  const stat = readStat(identity.pid);
  return stat !== undefined && stat.startTicks === identity.startTicks && isRunning(stat);
}

/** True when the process was started with this variable; false when that cannot be seen. */
export function hasVariable(pid: number, assignment: string): boolean {
  return (readProcFile(`/proc/${pid}/environ`) ?? "").split("\0").includes(assignment);
}

/** Changes with every boot, so that a handle of an earlier one never matches. */
export function readBootId(): string {
  return readProcFile("/proc/sys/kernel/random/boot_id")?.trim() ?? "";
}

export function readProcFile(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined; // ended meanwhile, not ours to read, or another operating system
  }
}

/** A process beyond reboots too, for what is written to disk. */
export interface LastingIdentity extends ProcessIdentity {
  readonly bootId: string;
}

export function ownIdentity(): LastingIdentity {
  return { pid: process.pid, startTicks: readStat(process.pid)?.startTicks ?? 0, bootId: readBootId() };
}

/** True while exactly that process is alive; where there is no /proc, while any process has its pid. */
export function isStillAlive(identity: LastingIdentity): boolean {
  if (identity.bootId !== readBootId()) return false;
  if (identity.startTicks !== 0) return isAlive(identity);
  try {
    process.kill(identity.pid, 0);
    return true;
  } catch {
    return false;
  }
}
