import { randomUUID } from "node:crypto";
import {
  access,
  constants,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  utimes,
} from "node:fs/promises";
import { basename, join } from "node:path";

import { hasVariable, listProcesses } from "../../lifecycle/proc.ts";
import { withPathLock } from "../path-lock.ts";

import type { PathLockOptions } from "../path-lock.ts";

/** The last file that is written into an environment; with it there, nothing may be installed any more. */
export const MANIFEST = "lighterman-environment.json";

/** What the manifest of an environment tells. */
export interface EnvironmentManifest {
  /** `3.12.4` */
  readonly python: string;
  /** Null when Prefect is not installed in it. */
  readonly prefect: string | null;
  /** What was asked for, without passwords. */
  readonly requirements: readonly string[];
}

export interface CachedEnvironment extends EnvironmentManifest {
  /** Absolute, and the same as long as the environment exists. */
  readonly directory: string;
  readonly isNew: boolean;
}

// A half-made environment that nobody has touched for so long has no maker any more.
const ABANDONED_MS = 24 * 3600 * 1000;

/**
 * The environment of this key below `root`; when there is none, `build` makes it, one maker at a time on this machine.
 *
 * Each is made in a directory of its own, `KEY.RANDOM`, for an environment can't be moved. The link `KEY` points to the
 * finished one: what a killed worker leaves behind has no link, is never used, and goes with the next build or sweep.
 */
export async function obtainEnvironment(
  root: string,
  key: string,
  lock: PathLockOptions,
  build: (into: string) => Promise<EnvironmentManifest>,
): Promise<CachedEnvironment> {
  const ready = await findEnvironment(root, key);
  if (ready !== undefined) return ready;
  await mkdir(root, { recursive: true, mode: 0o700 });
  return await withPathLock(join(root, `${key}.lock`), lock, async () => {
    const made = await findEnvironment(root, key);
    if (made !== undefined) return made;
    for (const name of await readdir(root)) {
      if (name.startsWith(`${key}.`) && name !== `${key}.lock`) await removeTree(join(root, name));
    }
    const directory = join(root, `${key}.${randomUUID().slice(0, 8)}`);
    try {
      const manifest = await build(directory);
      const draft = `${directory}.link`;
      await symlink(basename(directory), draft);
      await rename(draft, join(root, key));
      return { ...manifest, directory, isNew: true };
    } catch (thrown) {
      await removeTree(directory);
      throw thrown;
    }
  });
}

/** Marks it as used now. Undefined when there is none, or when its interpreter is gone. */
async function findEnvironment(root: string, key: string): Promise<CachedEnvironment | undefined> {
  try {
    const directory = join(root, await readlink(join(root, key)));
    await access(join(directory, "bin", "python"), constants.X_OK);
    const manifest = JSON.parse(await readFile(join(directory, MANIFEST), "utf8")) as EnvironmentManifest;
    const now = new Date();
    await utimes(directory, now, now);
    return { ...manifest, directory, isNew: false };
  } catch {
    return undefined; // not there, or not usable: it is made anew
  }
}

/** Removes environments that were not used for `keepMs` and are not in use, and what killed makers left. Returns how many. */
export async function sweepEnvironments(
  root: string,
  lock: PathLockOptions,
  keepMs: number,
): Promise<number> {
  const names = await readdir(root).catch(() => []);
  let removed = 0;
  for (const name of names) {
    const [key = "", suffix] = name.split(".");
    if (suffix === undefined || suffix === "lock" || !(await isOld(root, name, keepMs, lock))) continue;
    await withPathLock(join(root, `${key}.lock`), lock, async () => {
      if (!(await isOld(root, name, keepMs, lock))) return;
      if (await isLinked(root, name)) await rm(join(root, key));
      await removeTree(join(root, name));
      removed += 1;
    });
  }
  return removed;
}

async function isOld(
  root: string,
  name: string,
  keepMs: number,
  { clock }: PathLockOptions,
): Promise<boolean> {
  const path = join(root, name);
  const entry = await lstat(path).catch(() => undefined);
  if (entry === undefined) return false;
  const limitMs = (await isLinked(root, name)) ? keepMs : ABANDONED_MS;
  return clock.now() - entry.mtimeMs >= limitMs && !isInUse(path);
}

async function isLinked(root: string, name: string): Promise<boolean> {
  const target = await readlink(join(root, name.split(".")[0] ?? "")).catch(() => undefined);
  return target === name;
}

/** A run may last longer than an environment is kept. */
function isInUse(directory: string): boolean {
  return listProcesses().some(({ pid }) => hasVariable(pid, `VIRTUAL_ENV=${directory}`));
}

async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 3 });
}
