import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { StepError } from "./errors.ts";
import { addressKey, parseGitAddress } from "./git-address.ts";
import { classifyGitFailure } from "./git-failure.ts";

import type { Git } from "./git.ts";
import type { StepLog } from "./types.ts";

/** What shall be checked out. */
export interface GitRevision {
  /** Without user-info. */
  readonly url: string;
  /** A branch or tag; null for the repository's default branch. Never together with `commitSha`. */
  readonly branch: string | null;
  /** 4 to 64 hexadecimal digits. */
  readonly commitSha: string | null;
  readonly hasSubmodules: boolean;
  /** Only these directories and the files at the top; empty for all. */
  readonly directories: readonly string[];
}

const FULL_SHA1 = /^[0-9a-f]{40}$/i;
const NO_BLOBS = "--filter=blob:none";
const SUBMODULES = ["submodule", "update", "--init", "--recursive", "--force", "--jobs", "4"];

/** Makes a new clone in `into`, which does not exist yet or is empty. The plain case is one git command. */
export async function cloneRevision(
  git: Git,
  revision: GitRevision,
  { into, cwd }: { readonly into: string; readonly cwd: string },
): Promise<void> {
  const { url, branch, commitSha, directories, hasSubmodules } = revision;
  if (commitSha !== null) {
    await cloneCommit(git, revision, commitSha, { into, cwd });
  } else {
    const isSparse = directories.length > 0;
    const name = branch === null ? [] : [`--branch=${branch}`];
    // A sparse clone would fetch the files at the top on their own, before those of the directories.
    const sparse = isSparse ? [NO_BLOBS, "--sparse", "--no-checkout"] : [];
    const submodules = hasSubmodules && !isSparse ? ["--recurse-submodules", "--jobs", "4"] : [];
    const options = ["--progress", "--depth", "1", ...name, ...sparse, ...submodules];
    await git.run(["clone", ...options, "--", url, into], cwd);
    if (!isSparse) return;
    await setSparse(git, directories, into);
    await git.run(["checkout", "--progress"], into);
  }
  if (hasSubmodules) await git.run(SUBMODULES, into);
}

/** Fetches nothing but the commit where the server allows it; else the history, without its files. */
async function cloneCommit(
  git: Git,
  revision: GitRevision,
  commitSha: string,
  { into, cwd }: { readonly into: string; readonly cwd: string },
): Promise<void> {
  const { url, directories } = revision;
  await git.run(["init", "--quiet", "--", into], cwd);
  await git.run(["remote", "add", "--", "origin", url], into);
  const isFull = FULL_SHA1.test(commitSha);
  const fetched = isFull ? await fetchCommit(git, commitSha, directories.length > 0, into) : "not tried";
  if (fetched !== "fetched") {
    // A server that refuses a commit by its id refuses a file by its id, too.
    const filter = fetched === "refused" ? [] : [NO_BLOBS];
    await git.run(["fetch", "--progress", ...filter, "origin"], into);
  }
  await checkOutCommit(git, commitSha, directories, into);
}

async function checkOutCommit(
  git: Git,
  commitSha: string,
  directories: readonly string[],
  into: string,
): Promise<void> {
  // Fewer digits could also be a branch's name.
  const commit = FULL_SHA1.test(commitSha)
    ? commitSha
    : await git.run(["rev-parse", "--verify", `${commitSha}^{commit}`], into);
  if (directories.length > 0) await setSparse(git, directories, into);
  await git.run(["checkout", "--progress", "--force", "--detach", commit], into);
}

async function fetchCommit(
  git: Git,
  commitSha: string,
  isSparse: boolean,
  into: string,
): Promise<"fetched" | "refused"> {
  const filter = isSparse ? [NO_BLOBS] : [];
  const result = await git.attempt(
    ["fetch", "--progress", "--no-tags", "--depth", "1", ...filter, "origin", commitSha],
    into,
  );
  if (result.exitCode === 0) return "fetched";
  // Old servers only give what a branch points to.
  if (/unadvertised object/.test(result.stderr)) return "refused";
  throw git.failure(result);
}

async function setSparse(git: Git, directories: readonly string[], into: string): Promise<void> {
  await git.run(["sparse-checkout", "set", "--", ...directories], into);
}

/**
 * Brings an existing clone to the revision, exactly and whatever is there: fetch and reset, never merge. Answers false when
 * only a new clone can help. Throws when the directory is a clone of something else, and what no new clone would cure.
 */
export async function refreshRevision(
  git: Git,
  revision: GitRevision,
  { into, log }: { readonly into: string; readonly log: StepLog },
): Promise<boolean> {
  await assertSameRemote(git, revision.url, into);
  const { branch, commitSha, directories } = revision;
  const isCurrent =
    commitSha === null ? await resetToTip(git, branch, into) : await resetToCommit(git, commitSha, into);
  if (!isCurrent) {
    log.warn(`The existing clone at ${into} cannot be brought up to date and is cloned anew`);
    return false;
  }
  if (directories.length > 0) await setSparse(git, directories, into);
  if (revision.hasSubmodules) {
    await git.run(["submodule", "sync", "--quiet", "--recursive"], into);
    await git.run(SUBMODULES, into);
  }
  return true;
}

async function assertSameRemote(git: Git, url: string, into: string): Promise<void> {
  // From the file: a clone that git cannot read any more is still known by it.
  const file = join(into, ".git", "config");
  const result = await git.attempt(["config", "--file", file, "--get", "remote.origin.url"], into);
  const existing = result.stdout.trim();
  if (addressKey(existing) !== addressKey(url)) {
    throw new StepError(
      `The existing repository at ${into} does not match the configured repository ${url}`,
      {
        hint: "Remove the directory, or choose another `clone_directory_name`.",
      },
    );
  }
  // Prefect's own worker left the token there.
  if (parseGitAddress(existing).userInfo !== null) {
    await git.run(["config", "--file", file, "remote.origin.url", url], into);
  }
}

async function resetToTip(git: Git, branch: string | null, into: string): Promise<boolean> {
  const refs =
    branch === null
      ? ["HEAD"]
      : [`+refs/heads/${branch}:refs/remotes/origin/${branch}`, `refs/tags/${branch}`];
  for (const ref of refs) {
    const isLast = ref === refs.at(-1);
    const result = await git.attempt(["fetch", "--progress", "--depth", "1", "--force", "origin", ref], into);
    if (result.exitCode === 0) return await reset(git, "FETCH_HEAD", into);
    const { kind } = classifyGitFailure(result.stderr);
    if (kind === "branch" && !isLast) continue;
    if (isCurable(result.stderr)) return false;
    throw git.failure(result);
  }
  return false;
}

async function resetToCommit(git: Git, commitSha: string, into: string): Promise<boolean> {
  const known = await git.attempt(["rev-parse", "--verify", "--quiet", `${commitSha}^{commit}`], into);
  if (known.exitCode === 0) return await reset(git, known.stdout.trim(), into);
  if (!FULL_SHA1.test(commitSha)) return false;
  const result = await git.attempt(["fetch", "--progress", "--depth", "1", "origin", commitSha], into);
  if (result.exitCode === 0) return await reset(git, commitSha, into);
  if (isCurable(result.stderr)) return false;
  throw git.failure(result);
}

async function reset(git: Git, commit: string, into: string): Promise<boolean> {
  const result = await git.attempt(["reset", "--hard", commit], into);
  return result.exitCode === 0;
}

/** Whether a fetch may have failed because of what lies in the clone, and not because of the server or its answer. */
function isCurable(stderr: string): boolean {
  const { kind, isTransient } = classifyGitFailure(stderr);
  return (
    !isTransient && (kind === "unknown" || kind === "permission" || kind === "locked" || kind === "commit")
  );
}

/** Says when files of Git LFS stayed pointers: git itself keeps silent about it when git-lfs is not set up. */
export async function warnAboutLfs(git: Git, into: string, log: StepLog): Promise<void> {
  const attributes = await readFile(join(into, ".gitattributes"), "utf8").catch(() => "");
  if (!/^[^#\n]*\sfilter=lfs\b/m.test(attributes)) return;
  const filter = await git.attempt(
    ["config", "--get-regexp", String.raw`^filter\.lfs\.(process|smudge)$`],
    into,
  );
  if (filter.exitCode === 0) return;
  log.warn(
    "The repository keeps files in Git LFS, but git-lfs is not set up here: they are pointers instead of contents. " +
      "Install git-lfs on the worker's machine and run `git lfs install --system`.",
  );
}
