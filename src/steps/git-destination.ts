import { lstat, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";

import { coerceError } from "../errors.ts";
import { StepError } from "./errors.ts";
import { cloneRevision, refreshRevision } from "./git-checkout.ts";

import type { GitRevision } from "./git-checkout.ts";
import type { Git } from "./git.ts";
import type { StepContext } from "./types.ts";

/** Absolute. Refuses to leave the current directory: what is there may be deleted for a new clone. */
export function resolveDestination(name: string, cwd: string): string {
  const into = resolve(cwd, name);
  if (into === cwd && (name === "" || name === ".")) return into;
  if (
    into.startsWith(cwd.endsWith(sep) ? cwd : cwd + sep) &&
    !name.split("/").includes("..") &&
    !name.includes("\0")
  ) {
    return into;
  }
  throw new StepError(`The directory '${name}' of git_clone is not below the current directory`, {
    hint: "Choose a `clone_directory_name` below it, without '..'.",
  });
}

/** Clones into `into`, or brings the clone that is there up to date; whoever calls it holds the lock of `into`. */
export async function pullInto(
  git: Git,
  revision: GitRevision,
  into: string,
  { cwd, log }: Pick<StepContext, "cwd" | "log">,
): Promise<void> {
  if (await exists(join(into, ".git"))) {
    log.debug(`Bringing the clone at ${into} up to date`);
    if (await refreshRevision(git, revision, { into, log })) return;
    await replace(git, revision, into, cwd);
    return;
  }
  log.debug(`Cloning repository ${revision.url} into ${into}`);
  if (!(await exists(into))) {
    await replace(git, revision, into, cwd);
    return;
  }
  await assertEmpty(into);
  try {
    await cloneRevision(git, revision, { into, cwd });
  } catch (thrown) {
    await empty(into);
    throw thrown;
  }
}

/**
 * Clones beside the destination and moves the finished clone there: whatever stands at the destination is whole, also
 * after a power cut, and an old clone goes only when there is a new one.
 */
async function replace(git: Git, revision: GitRevision, into: string, cwd: string): Promise<void> {
  if (into === cwd) {
    await empty(into);
    await cloneRevision(git, revision, { into, cwd });
    return;
  }
  const draft = join(dirname(into), `.${basename(into)}.partial`);
  await discard(draft);
  try {
    await cloneRevision(git, revision, { into: draft, cwd });
    await discard(into);
    await rename(draft, into);
  } catch (thrown) {
    await discard(draft);
    throw thrown;
  }
}

async function assertEmpty(directory: string): Promise<void> {
  const entries = await readdir(directory).catch((thrown: unknown) => {
    throw new StepError(`The destination of git_clone cannot be used: ${coerceError(thrown).message}`, {
      cause: thrown,
      hint: "Remove it, or choose another `clone_directory_name`.",
    });
  });
  if (entries.length === 0) return;
  throw new StepError(`The destination path ${directory} already exists and is not an empty directory`, {
    hint: "A stale working directory may be left: remove it, or choose another `clone_directory_name`.",
  });
}

async function empty(directory: string): Promise<void> {
  for (const name of await readdir(directory)) await discard(join(directory, name));
}

async function discard(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 3 });
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch {
    return false; // or not for us to see: git will say so
  }
}
