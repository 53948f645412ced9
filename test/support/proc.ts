import { readFileSync, readdirSync } from "node:fs";

export interface RunningProcess {
  readonly pid: number;
  /** Arguments, joined by blanks. */
  readonly argv: string;
}

/** A file of /proc/PID, empty when the process has ended. */
export function readProcFile(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

/** All processes of the machine that are not zombies. */
export function listProcesses(): readonly RunningProcess[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({
      pid: Number(name),
      argv: readProcFile(Number(name), "cmdline").replaceAll("\0", " ").trim(),
    }))
    .filter((running) => running.argv !== "");
}

export function isAlive(pid: number): boolean {
  const state = /^State:\s+(\w)/m.exec(readProcFile(pid, "status"))?.[1];
  return state !== undefined && state !== "Z" && state !== "X";
}

/** Resident memory in bytes. */
export function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readProcFile(pid, "status"))?.[1] ?? 0) * 1024;
}
