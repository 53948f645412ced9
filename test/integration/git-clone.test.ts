import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, readdir, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, it } from "vitest";

import { gitClone } from "../../src/steps/git-clone.ts";
import { hasOpenssl, makeCertificates } from "../support/certificates.ts";
import { GIT_ENV, startGitHttpServer } from "../support/git-http-server.ts";
import { openStage } from "../support/pull-stage.ts";

import type { ChildProcessByStdio } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { JsonObject } from "../../src/json/value.ts";
import type { GitHttpServer, Repository } from "../support/git-http-server.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PYTHON = process.env["LIGHTERMAN_TEST_PYTHON3"] ?? join(ROOT, ".venvs/prefect3/bin/python");
const USER = { username: "reader", password: "p w/@:%" };

interface GitCase {
  readonly name: string;
  readonly inputs: JsonObject;
  /** Why the results may differ; only that both end, or that ours does, is compared. */
  readonly difference?: "ours works" | "theirs works";
}

interface Outcome {
  readonly outputs?: JsonObject;
  readonly error?: string;
  /** The files of the clone and their contents. */
  readonly files: Readonly<Record<string, string>>;
  /** What was sent to the server as user and password. */
  readonly users: readonly string[];
}

/** The installed Prefect, waiting for cases. */
class Prefect implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  constructor(env: Readonly<Record<string, string>>) {
    this.#child = spawn(PYTHON, [join(ROOT, "test/integration/git/oracle.py")], {
      env: { ...env, PREFECT_HOME: join(env["HOME"] ?? "", ".prefect") },
      stdio: ["pipe", "pipe", "ignore"],
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async ask(item: object): Promise<Pick<Outcome, "outputs" | "error">> {
    this.#child.stdin.write(`${JSON.stringify(item)}\n`);
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error("The Python side has ended");
    return JSON.parse(value) as Pick<Outcome, "outputs" | "error">;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.stdin.end();
    await ended;
  }
}

describe.skipIf(!hasOpenssl)("git_clone, beside the installed Prefect", () => {
  let server: GitHttpServer;
  let home = "";
  let flows: Repository;
  let secret: Repository;

  beforeAll(async () => {
    using certificates = makeCertificates();
    server = await startGitHttpServer({ tls: certificates });
    home = await realpath(await mkdtemp(join(tmpdir(), "lighterman-git-")));
    const tree = { "flow.py": "1", "a/b/one.txt": "1", "c/two.txt": "2" };
    flows = await server.createRepository("flows", tree, {
      branches: { "dev/a": { "flow.py": "dev" } },
      tags: ["v1"],
    });
    const library = await server.createRepository("library", { "x.txt": "x" }, { user: USER });
    const submodules = { lib: { url: "../library.git", commit: library.commits["main"] ?? "" } };
    secret = await server.createRepository("secret", { "flow.py": "s" }, { user: USER, submodules });
    await server.createRepository("hub.github.io", { "flow.py": "hub" });
    for (const host of ["gitlab", "bitbucket", "other"]) {
      const username = { gitlab: "oauth2", bitbucket: "x-token-auth", other: "tok-123" }[host] ?? "";
      const user = { username, password: host === "other" ? "" : "tok-123" };
      await server.createRepository(`by-${host}`, { "flow.py": host }, { user });
    }
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  });

  /** Names below localhost are this machine to curl. */
  function at(host: string, path: string): string {
    return `https://${host}.localhost:${server.port}/${path}.git`;
  }

  function cases(): readonly GitCase[] {
    const sha = flows.commits["dev/a"] ?? "";
    const repository = flows.url;
    return [
      { name: "default branch", inputs: { repository } },
      { name: "without .git", inputs: { repository: repository.replace(/\.git$/, "") } },
      { name: "a slash at the end", inputs: { repository: `${repository}/` } },
      { name: ".git inside the name", inputs: { repository: `${server.url}/hub.github.io.git` } },
      { name: "branch with a slash", inputs: { repository, branch: "dev/a" } },
      { name: "tag", inputs: { repository, branch: "v1" } },
      { name: "empty branch", inputs: { repository, branch: "" } },
      { name: "commit", inputs: { repository, commit_sha: sha } },
      { name: "short commit", inputs: { repository, commit_sha: sha.slice(0, 8) }, difference: "ours works" },
      { name: "own name", inputs: { repository, clone_directory_name: "x/./y" } },
      { name: "outside", inputs: { repository, clone_directory_name: "../out" }, difference: "theirs works" },
      { name: "directories", inputs: { repository, directories: ["a/b"] } },
      { name: "directories of a commit", inputs: { repository, directories: ["c"], commit_sha: sha } },
      { name: "missing directory", inputs: { repository, directories: ["none"] } },
      { name: "branch and commit", inputs: { repository, branch: "main", commit_sha: sha } },
      {
        name: "token and credentials",
        inputs: { repository, access_token: "a", credentials: { token: "b" } },
      },
      { name: "option as branch", inputs: { repository, branch: "--upload-pack=x" } },
      { name: "no hex", inputs: { repository, commit_sha: "main" } },
      { name: "short hex", inputs: { repository, commit_sha: "abc" } },
      { name: "no such branch", inputs: { repository, branch: "none" } },
      { name: "no such repository", inputs: { repository: `${server.url}/none.git` } },
      { name: "user alone", inputs: { repository, credentials: { username: "u" } } },
      { name: "user and token", inputs: { repository, credentials: { username: "u", token: "t" } } },
      { name: "no token", inputs: { repository, credentials: { url: "u" } } },
      { name: "a text as credentials", inputs: { repository, credentials: "token" } },
      { name: "empty credentials", inputs: { repository, credentials: {} } },
      { name: "unknown input", inputs: { repository, brunch: "main" } },
      { name: "no input", inputs: {} },
      { name: "no credentials", inputs: { repository: secret.url } },
      { name: "user and password", inputs: { repository: secret.url, credentials: { ...USER } } },
      {
        name: "submodule",
        inputs: { repository: secret.url, credentials: { ...USER }, include_submodules: true },
      },
      {
        name: "user-info of the address",
        inputs: { repository: secret.url.replace("//", `//reader:${encodeURIComponent(USER.password)}@`) },
      },
      {
        name: "user:token for a host of no known kind",
        inputs: { repository: secret.url, access_token: `reader:${USER.password}` },
        difference: "ours works",
      },
      { name: "token", inputs: { repository: at("other", "by-other"), access_token: "tok-123" } },
      { name: "GitLab token", inputs: { repository: at("gitlab", "by-gitlab"), access_token: "tok-123" } },
      {
        name: "GitLab token with its user",
        inputs: { repository: at("gitlab", "by-gitlab"), credentials: { token: "oauth2:tok-123" } },
      },
      {
        name: "BitBucket token",
        inputs: { repository: at("bitbucket", "by-bitbucket"), credentials: { token: "tok-123" } },
      },
      {
        name: "BitBucket user and token in one",
        inputs: { repository: at("bitbucket", "secret"), credentials: { token: `reader:${USER.password}` } },
      },
      {
        name: "BitBucket Server without a user",
        inputs: { repository: at("bitbucketserver", "secret"), credentials: { token: "tok-123" } },
      },
      {
        name: "BitBucket Server",
        inputs: {
          repository: at("bitbucketserver", "secret"),
          credentials: { token: `reader:${USER.password}` },
        },
      },
    ];
  }

  async function filesBelow(directory: string): Promise<Record<string, string>> {
    const files: Record<string, string> = {};
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      const path = join(entry.parentPath, entry.name);
      if (!entry.isFile() || path.includes("/.git/") || entry.name === ".git") continue;
      files[path.slice(directory.length)] = await readFile(path, "utf8");
    }
    return files;
  }

  /** What the server was told since the last call, without repetitions and answers to nobody. */
  function takeUsers(): readonly string[] {
    const users = server.requests.splice(0).flatMap(({ user }) => (user === null ? [] : [user]));
    return [...new Set(users)].toSorted();
  }

  const env = (): Record<string, string> => ({ ...GIT_ENV, HOME: home, GIT_SSL_NO_VERIFY: "1" });

  async function askOurs(item: GitCase, cwd: string): Promise<Outcome> {
    const stage = openStage();
    try {
      await mkdir(cwd, { recursive: true });
      const { outputs } = await gitClone.run(item.inputs, { ...stage, cwd, env: env() });
      return {
        ...(outputs === undefined ? {} : { outputs }),
        files: await filesBelow(cwd),
        users: takeUsers(),
      };
    } catch (error) {
      return { error: String(error), files: await filesBelow(cwd), users: takeUsers() };
    } finally {
      stage.remove();
    }
  }

  async function askPrefect(item: GitCase, cwd: string, prefect: Prefect): Promise<Outcome> {
    const answer = await prefect.ask({ cwd, inputs: item.inputs });
    return { ...answer, files: await filesBelow(cwd), users: takeUsers() };
  }

  it(
    "gives the same results, files and users, but for the named differences",
    { timeout: 300_000 },
    async ({ expect }) => {
      expect(existsSync(PYTHON), `no Python with Prefect at ${PYTHON}: set LIGHTERMAN_TEST_PYTHON3`).toBe(
        true,
      );
      await using prefect = new Prefect(env());
      const differences: object[] = [];
      for (const [index, item] of cases().entries()) {
        const ours = await askOurs(item, join(home, "ours", String(index)));
        const theirs = await askPrefect(item, join(home, "theirs", String(index)), prefect);
        if (item.difference !== undefined) {
          const isOurs = item.difference === "ours works";
          const [works, fails] = isOurs ? [ours, theirs] : [theirs, ours];
          if (works.error !== undefined || fails.error === undefined)
            differences.push({ ...item, ours, theirs });
          continue;
        }
        const same =
          (ours.error === undefined) === (theirs.error === undefined) &&
          JSON.stringify([ours.outputs, ours.files]) === JSON.stringify([theirs.outputs, theirs.files]) &&
          // Git also offers Prefect's address to the submodule; a refused clone may have asked less.
          (ours.error !== undefined || JSON.stringify(ours.users) === JSON.stringify(theirs.users));
        if (!same) differences.push({ ...item, ours, theirs });
      }
      expect(differences).toEqual([]);
    },
  );
});
