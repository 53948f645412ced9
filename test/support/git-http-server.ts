import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { createGunzip } from "node:zlib";

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const run = promisify(execFile);

/** A directory to copy, or paths and contents. */
export type Tree = string | Readonly<Record<string, string>>;

export interface RepositoryUser {
  readonly username: string;
  readonly password: string;
}

export interface RepositoryOptions {
  /** Who may read it; everybody when absent. */
  readonly user?: RepositoryUser;
  /** Further branches, each with its files on top of the branch before. */
  readonly branches?: Readonly<Record<string, Tree>>;
  /** Names of tags on the default branch's first commit. */
  readonly tags?: readonly string[];
  /** Path → address and commit, on the default branch. */
  readonly submodules?: Readonly<Record<string, { readonly url: string; readonly commit: string }>>;
}

export interface Repository {
  readonly name: string;
  /** Without user-info. */
  readonly url: string;
  /** The bare repository on the disk. */
  readonly path: string;
  /** The last commit of each branch. */
  readonly commits: Readonly<Record<string, string>>;
}

/** What the server does instead of its work; `times` requests long, for ever when it is absent. */
export type GitFault = { readonly times?: number; readonly match?: RegExp } & (
  | { readonly kind: "status"; readonly status: number; readonly body?: string }
  /** Ends the connection after so many bytes of the answer's body. */
  | { readonly kind: "cut"; readonly afterBytes: number }
  /** Waits before it answers. */
  | { readonly kind: "delay"; readonly ms: number }
  /** Takes the request and never answers. */
  | { readonly kind: "hang" }
  /** To the same path on another server, with `from` in it replaced. */
  | { readonly kind: "redirect"; readonly to: string; readonly from?: string; readonly into?: string }
);

export interface GitRequest {
  readonly method: string;
  readonly url: string;
  /** `user:password` as sent, or null. */
  readonly user: string | null;
  readonly headers: IncomingMessage["headers"];
}

export interface GitHttpServerOptions {
  /** Serves https with this key and certificate (PEM). */
  readonly tls?: { readonly key: string; readonly cert: string };
}

/** Git repositories over http: `git http-backend` behind a server that knows users, faults and what was asked. */
export async function startGitHttpServer(options: GitHttpServerOptions = {}): Promise<GitHttpServer> {
  const root = await mkdtemp(join(tmpdir(), "lighterman-git-"));
  const git = new GitHttpServer(root, options);
  await git.listen();
  return git;
}

export class GitHttpServer implements AsyncDisposable {
  readonly root: string;
  readonly requests: GitRequest[] = [];
  readonly faults: GitFault[] = [];
  readonly #scheme: "http" | "https";
  readonly #users = new Map<string, RepositoryUser>();
  readonly #used = new Map<GitFault, number>();
  readonly #server: Server;

  constructor(root: string, { tls }: GitHttpServerOptions) {
    this.root = root;
    this.#scheme = tls === undefined ? "http" : "https";
    const listener = (request: IncomingMessage, response: ServerResponse): void => {
      this.#answer(request, response).catch((error: unknown) => response.destroy(error as Error));
    };
    this.#server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}`;
  }

  /** Makes `/<name>.git` with `main` and the other branches; `name` may have slashes. */
  async createRepository(name: string, tree: Tree, options: RepositoryOptions = {}): Promise<Repository> {
    const path = join(this.root, `${name}.git`);
    const commits: Record<string, string> = {};
    const work = await mkdtemp(join(tmpdir(), "lighterman-git-work-"));
    try {
      await git(work, "init", "--quiet", "--initial-branch=main");
      commits["main"] = await commit(work, tree, options.submodules);
      for (const tag of options.tags ?? []) await git(work, "tag", tag);
      for (const [branch, branchTree] of Object.entries(options.branches ?? {})) {
        await git(work, "checkout", "--quiet", "-b", branch);
        commits[branch] = await commit(work, branchTree);
      }
      await git(work, "checkout", "--quiet", "main");
      await mkdir(dirname(path), { recursive: true });
      await git(work, "clone", "--quiet", "--bare", work, path);
      await git(path, "config", "uploadpack.allowFilter", "true");
    } finally {
      await rm(work, { recursive: true, force: true });
    }
    if (options.user !== undefined) this.#users.set(`/${name}.git`, options.user);
    return { name, url: `${this.url}/${name}.git`, path, commits };
  }

  /** Puts another commit on a branch and answers its id. */
  async push(repository: Repository, tree: Tree, branch = "main"): Promise<string> {
    const work = await mkdtemp(join(tmpdir(), "lighterman-git-work-"));
    try {
      await git(work, "clone", "--quiet", "--branch", branch, repository.path, ".");
      const id = await commit(work, tree);
      await git(work, "push", "--quiet", "--force", "origin", branch);
      return id;
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }

  /** Runs git in the bare repository. */
  async git(repository: Repository, ...args: readonly string[]): Promise<string> {
    return await git(repository.path, ...args);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.url);
    const user = basicUser(request);
    this.requests.push({
      method: request.method ?? "GET",
      url: request.url ?? "/",
      user,
      headers: request.headers,
    });
    const fault = this.#fault(url.pathname);
    switch (fault?.kind) {
      case "status":
        request.resume();
        response.writeHead(fault.status, { "content-type": "text/plain" }).end(fault.body ?? "");
        return;
      case "redirect":
        request.resume();
        response
          .writeHead(301, {
            location: `${fault.to}${(request.url ?? "").replace(fault.from ?? "", fault.into ?? "")}`,
          })
          .end();
        return;
      case "hang":
        request.resume();
        return;
      case "delay":
        await new Promise((resolve) => setTimeout(resolve, fault.ms));
        break;
      default:
    }
    const allowed = this.#userOf(url.pathname);
    if (allowed !== undefined && user !== `${allowed.username}:${allowed.password}`) {
      request.resume();
      response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end();
      return;
    }
    await this.#serve(request, response, url, fault?.kind === "cut" ? fault.afterBytes : undefined);
  }

  #userOf(pathname: string): RepositoryUser | undefined {
    const repository = [...this.#users.keys()].find((path) => pathname.startsWith(`${path}/`));
    return repository === undefined ? undefined : this.#users.get(repository);
  }

  #fault(pathname: string): GitFault | undefined {
    const fault = this.faults.find(
      (candidate) =>
        (candidate.match?.test(pathname) ?? true) &&
        (this.#used.get(candidate) ?? 0) < (candidate.times ?? Infinity),
    );
    if (fault !== undefined) this.#used.set(fault, (this.#used.get(fault) ?? 0) + 1);
    return fault;
  }

  /** The common gateway interface, as far as http-backend needs it. */
  async #serve(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    cutAfterBytes: number | undefined,
  ): Promise<void> {
    const child = spawn("git", ["http-backend"], {
      env: {
        ...GIT_ENV,
        GIT_PROJECT_ROOT: this.root,
        GIT_HTTP_EXPORT_ALL: "1",
        GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
        PATH_INFO: decodeURIComponent(url.pathname),
        QUERY_STRING: url.search.slice(1),
        REQUEST_METHOD: request.method ?? "GET",
        CONTENT_TYPE: request.headers["content-type"] ?? "",
        REMOTE_ADDR: "127.0.0.1",
      },
      stdio: ["pipe", "pipe", "ignore"],
    });
    response.once("close", () => child.kill());
    child.stdin.on("error", () => undefined); // it has read enough
    const isZipped = request.headers["content-encoding"] === "gzip";
    (isZipped ? request.pipe(createGunzip()) : request).pipe(child.stdin);
    let head = Buffer.alloc(0);
    let sent = 0;
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      let body = chunk;
      if (!response.headersSent) {
        head = Buffer.concat([head, chunk]);
        const end = head.indexOf("\r\n\r\n");
        if (end === -1) continue;
        writeHead(response, head.subarray(0, end).toString());
        body = head.subarray(end + 4);
      }
      if (cutAfterBytes !== undefined && sent + body.length > cutAfterBytes) {
        response.write(body.subarray(0, cutAfterBytes - sent), () => response.destroy());
        return;
      }
      sent += body.length;
      if (body.length > 0) response.write(body);
    }
    response.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await rm(this.root, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Git with no configuration but its own, for repositories and for clones in tests. */
export const GIT_ENV: Readonly<Record<string, string>> = {
  PATH: process.env["PATH"] ?? "/usr/bin:/bin",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_AUTHOR_NAME: "Test",
  GIT_AUTHOR_EMAIL: "test@example.invalid",
  GIT_COMMITTER_NAME: "Test",
  GIT_COMMITTER_EMAIL: "test@example.invalid",
};

async function git(cwd: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run("git", args, { cwd, env: GIT_ENV });
  return stdout.trim();
}

async function commit(
  work: string,
  tree: Tree,
  submodules: RepositoryOptions["submodules"] = {},
): Promise<string> {
  if (typeof tree === "string") {
    await cp(tree, work, { recursive: true, filter: (path) => !path.includes("__pycache__") });
  } else {
    for (const [name, text] of Object.entries(tree)) {
      await mkdir(dirname(join(work, name)), { recursive: true });
      await writeFile(join(work, name), text);
    }
  }
  // Not `submodule add`, which would clone: the address may need a user.
  for (const [path, submodule] of Object.entries(submodules)) {
    await git(work, "config", "--file=.gitmodules", `submodule.${path}.path`, path);
    await git(work, "config", "--file=.gitmodules", `submodule.${path}.url`, submodule.url);
    await git(work, "update-index", "--add", "--cacheinfo", `160000,${submodule.commit},${path}`);
    await mkdir(join(work, path), { recursive: true });
  }
  await git(work, "add", "--all");
  await git(work, "commit", "--quiet", "--allow-empty", "--message=change");
  return await git(work, "rev-parse", "HEAD");
}

function basicUser(request: IncomingMessage): string | null {
  const encoded = /^Basic (.+)$/.exec(request.headers.authorization ?? "")?.[1];
  return encoded === undefined ? null : Buffer.from(encoded, "base64").toString();
}

function writeHead(response: ServerResponse, head: string): void {
  let status = 200;
  for (const line of head.split("\r\n")) {
    const [name = "", ...value] = line.split(": ");
    if (name.toLowerCase() === "status") status = Number.parseInt(value.join(": "), 10);
    else response.setHeader(name, value.join(": "));
  }
  response.writeHead(status);
}
