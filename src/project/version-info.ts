import { runTool } from "../steps/tool.ts";

import type { JsonObject } from "../json/value.ts";

export interface VersionInfoOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** Which commit is deployed, as a service or git tells it; `type` is Prefect's `version_type`. */
export interface VersionInfo extends JsonObject {
  readonly type: string;
  readonly version: string;
}

interface Service {
  readonly type: string;
  readonly commit: string;
  readonly branch: string;
  readonly repository: string;
  readonly url: (env: Readonly<Record<string, string>>, repository: string, commit: string) => string;
}

// Environment names of the services that build and deploy, in the order in which Prefect asks them (prefect/_internal/versioning.py).
const SERVICES: readonly Service[] = [
  {
    type: "vcs:github",
    commit: "GITHUB_SHA",
    branch: "GITHUB_REF_NAME",
    repository: "GITHUB_REPOSITORY",
    url: (env, repository, commit) => `${text(env, "GITHUB_SERVER_URL")}/${repository}/tree/${commit}`,
  },
  {
    type: "vcs:gitlab",
    commit: "CI_COMMIT_SHA",
    branch: "CI_COMMIT_REF_NAME",
    repository: "CI_PROJECT_NAME",
    url: (env, _, commit) => `${text(env, "CI_PROJECT_URL")}/-/tree/${commit}`,
  },
  {
    type: "vcs:bitbucket",
    commit: "BITBUCKET_COMMIT",
    branch: "BITBUCKET_BRANCH",
    repository: "BITBUCKET_REPO_SLUG",
    url: (env, _, commit) => `${text(env, "BITBUCKET_GIT_HTTP_ORIGIN")}/src/${commit}`,
  },
  {
    type: "vcs:azuredevops",
    commit: "BUILD_SOURCEVERSION",
    branch: "BUILD_SOURCEBRANCHNAME",
    repository: "BUILD_REPOSITORY_NAME",
    url: (env, _, commit) => `${text(env, "BUILD_REPOSITORY_URI")}?version=GC${commit}`,
  },
];

/**
 * Tells which commit is deployed: from the first service whose environment names commit, branch and repository, else from git,
 * which needs a commit and a remote `origin`. `type` restricts it to one; `prefect:simple` asks nobody. Null when it cannot be told.
 */
export async function inferVersionInfo(
  type: string | undefined,
  options: VersionInfoOptions,
): Promise<VersionInfo | null> {
  if (type === "prefect:simple") return null;
  const isWanted = (candidate: string): boolean => type === undefined || type === candidate;
  for (const service of SERVICES) {
    if (!isWanted(service.type)) continue;
    const { env } = options;
    const [commit, branch, repository] = [env[service.commit], env[service.branch], env[service.repository]];
    if (!commit || !branch || !repository) continue;
    const message = await firstLine(options);
    if (message === null) continue;
    return infoOf(service.type, {
      commit,
      branch,
      repository,
      message,
      url: service.url(env, repository, commit),
    });
  }
  return isWanted("vcs:git") ? await gitVersionInfo(options) : null;
}

async function gitVersionInfo(options: VersionInfoOptions): Promise<VersionInfo | null> {
  const [commit, branch, url, message] = await Promise.all([
    git(["rev-parse", "HEAD"], options),
    git(["rev-parse", "--abbrev-ref", "HEAD"], options),
    git(["config", "--get", "remote.origin.url"], options),
    firstLine(options),
  ]);
  if (!commit || !branch || !url || message === null) return null;
  return infoOf("vcs:git", { commit, branch, repository: repositoryOf(url), message, url });
}

function infoOf(
  type: string,
  parts: Readonly<Record<"commit" | "branch" | "repository" | "message" | "url", string>>,
): VersionInfo {
  const { commit, branch, repository, message, url } = parts;
  return { type, version: commit.slice(0, 8), commit_sha: commit, message, branch, repository, url };
}

/** The path of a remote's address without slashes around it and without `.git`. */
function repositoryOf(remote: string): string {
  const path = /^[a-z][a-z0-9+.-]*:\/\/[^/]*(\/[^?#]*)?/i.exec(remote)?.[1] ?? remote;
  return path.replaceAll(/^\/+|\/+$/g, "").replace(/\.git$/, "");
}

async function firstLine(options: VersionInfoOptions): Promise<string | null> {
  const message = await git(["log", "-1", "--pretty=%B"], options);
  return message === null || message === "" ? null : (message.split("\n")[0] ?? null);
}

/** What git prints, trimmed; null when it fails or is not there. */
async function git(
  args: readonly string[],
  { cwd, env, signal }: VersionInfoOptions,
): Promise<string | null> {
  try {
    const { exitCode, stdout } = await runTool(["git", ...args], { cwd, env, signal });
    return exitCode === 0 ? stdout.trim() : null;
  } catch {
    signal.throwIfAborted();
    return null; // no git here: the version is then the flow's own
  }
}

function text(env: Readonly<Record<string, string>>, name: string): string {
  return env[name] ?? "None"; // as Python's f-string has it
}
