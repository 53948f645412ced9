import { randomUUID } from "node:crypto";
import { link, readFile, stat, unlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { coerceError } from "../errors.ts";

import type { Clock } from "../lifecycle/clock.ts";

export interface PathLockOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Called once when somebody else holds the lock. */
  readonly onWait?: () => void;
}

const POLL_MS = 100;
// A lock file is written at once with its owner; one that stays empty belongs to a writer that died between the two.
const UNREADABLE_MS = 5000;
// The kernel tells start times in hundredths of a second, the boot time in whole seconds.
const START_TOLERANCE_MS = 2000;

/**
 * Does `work` while no other process of this machine, and no other call in this one, does any under the same `path`. The
 * lock is the file that Prefect's own workers use (prefect/locking/_filelock.py): the owner's pid, and nothing else. It
 * falls with its owner: a pid that is gone, or that started after the file was written, holds nothing.
 */
export async function withPathLock<T>(
  path: string,
  { clock, signal, onWait }: PathLockOptions,
  work: () => Promise<T>,
): Promise<T> {
  let hasWaited = false;
  while (!(await tryLock(path))) {
    if (await removeIfStale(path)) continue;
    if (!hasWaited) onWait?.();
    hasWaited = true;
    await clock.sleep(POLL_MS, signal);
  }
  try {
    return await work();
  } finally {
    await remove(path);
  }
}

/** A link appears whole or not at all, so nobody ever reads half a lock. */
async function tryLock(path: string): Promise<boolean> {
  const draft = join(dirname(path), `.lock_${randomUUID()}`);
  try {
    await writeFile(draft, String(process.pid), { flag: "wx" });
  } catch (thrown) {
    // Nobody of our kind can lock there; the work itself says what it may not write.
    if (["EACCES", "EPERM", "EROFS"].includes(codeOf(thrown) ?? "")) return true;
    throw thrown;
  }
  try {
    await link(draft, path);
    return true;
  } catch (thrown) {
    if (codeOf(thrown) === "EEXIST") return false;
    if (codeOf(thrown) === "ENOENT") throw thrown;
    return await tryLockWithoutLinks(path);
  } finally {
    await remove(draft);
  }
}

async function tryLockWithoutLinks(path: string): Promise<boolean> {
  try {
    await writeFile(path, String(process.pid), { flag: "wx" });
    return true;
  } catch (thrown) {
    if (codeOf(thrown) === "EEXIST") return false;
    throw thrown;
  }
}

async function removeIfStale(path: string): Promise<boolean> {
  try {
    const seen = await stat(path);
    const pid = Number((await readFile(path, "utf8")).trim() || Number.NaN);
    const isHeld = Number.isInteger(pid)
      ? await isOwner(pid, seen.mtimeMs)
      : Date.now() - seen.mtimeMs < UNREADABLE_MS;
    if (isHeld) return false;
    // Somebody else may have found it stale as well, and hold a lock of his own by now.
    if ((await stat(path)).ino === seen.ino) await remove(path);
    return true;
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return true;
    throw thrown;
  }
}

async function isOwner(pid: number, writtenAt: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (thrown) {
    if (codeOf(thrown) === "ESRCH") return false; // otherwise it lives but is not ours
  }
  const startedAt = await startOf(pid);
  return startedAt === undefined || startedAt <= writtenAt + START_TOLERANCE_MS;
}

/** Milliseconds since the epoch at which a process started; undefined without /proc. */
async function startOf(pid: number): Promise<number | undefined> {
  try {
    const own = await readFile(`/proc/${pid}/stat`, "latin1");
    const ticks = Number(own.slice(own.lastIndexOf(")") + 2).split(" ")[19]);
    const bootSeconds = Number(/^btime (\d+)$/m.exec(await readFile("/proc/stat", "latin1"))?.[1]);
    const startedAt = (bootSeconds + ticks / 100) * 1000;
    return Number.isFinite(startedAt) ? startedAt : undefined;
  } catch {
    return undefined; // no /proc, or it has just ended
  }
}

async function remove(path: string): Promise<void> {
  await unlink(path).catch((thrown: unknown) => {
    if (!["ENOENT", "EACCES", "EROFS"].includes(codeOf(thrown) ?? "")) throw thrown;
  });
}

function codeOf(thrown: unknown): string | undefined {
  const error: NodeJS.ErrnoException = coerceError(thrown);
  return error.code;
}
