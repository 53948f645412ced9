import { cp, mkdir } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { WorkerError } from "../../errors.ts";
import { packageRoot } from "../../lifecycle/package-root.ts";
import { outputTail, runTool } from "../../steps/tool.ts";

import type { ToolResult } from "../../steps/tool.ts";

const FILES = join(packageRoot, "src", "cli", "demo", "project");
const EMAIL = "demo@lighterman.invalid";

export interface RepositoryOptions {
  /** Absolute; made when it is missing. */
  readonly directory: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

/**
 * Makes a git repository of the demo's files, or brings the one that is there up to date. Returns false, and leaves it alone,
 * when somebody has worked in it. The user's own settings of git are not needed, nor do they matter.
 */
export async function makeRepository({ directory, env, signal }: RepositoryOptions): Promise<boolean> {
  const own = Object.entries(env).filter(
    (entry): entry is [string, string] => !entry[0].startsWith("GIT_") && entry[1] !== undefined,
  );
  const options = {
    cwd: directory,
    signal,
    env: {
      ...Object.fromEntries(own),
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_AUTHOR_NAME: "Lighterman",
      GIT_AUTHOR_EMAIL: EMAIL,
      GIT_COMMITTER_NAME: "Lighterman",
      GIT_COMMITTER_EMAIL: EMAIL,
      LC_ALL: "C",
    },
  };
  const attempt = (...args: readonly string[]): Promise<ToolResult> => runTool(["git", ...args], options);
  async function git(...args: readonly string[]): Promise<string> {
    const result = await attempt(...args);
    if (result.exitCode === 0) return result.stdout.trim();
    throw new WorkerError(
      "MACHINE_UNFIT",
      `git ${args[0] ?? ""} failed in ${directory}: ${outputTail(result, 3)}`,
      {
        hint: "Remove that directory and start the demo again, or choose another with --data-dir.",
      },
    );
  }

  await mkdir(directory, { recursive: true });
  if (!existsSync(join(directory, ".git"))) await git("-c", "init.defaultBranch=main", "init", "--quiet");
  const author = await attempt("log", "-1", "--format=%ae");
  const isEmpty = author.exitCode !== 0;
  if (!isEmpty && (author.stdout.trim() !== EMAIL || (await git("status", "--porcelain")) !== ""))
    return false;
  await copyProject(directory);
  await git("add", "--all");
  if (isEmpty || (await git("status", "--porcelain")) !== "")
    await git("commit", "--quiet", "--message", "The demo's flow and program");
  return true;
}

/** Puts the demo's files into a directory. */
export async function copyProject(directory: string): Promise<void> {
  await cp(FILES, directory, { recursive: true });
}
