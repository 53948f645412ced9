import { appendFile, mkdir, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, it } from "vitest";

import { until } from "../../support/deadline.ts";
import { startGitHttpServer } from "../../support/git-http-server.ts";
import { GitWorkspace } from "../../support/git-workspace.ts";
import { TestProcess } from "../../support/test-process.ts";

import type { GitHttpServer } from "../../support/git-http-server.ts";

const USER = { username: "reader", password: "pass-word-1" };

describe("git_clone where a clone is already", () => {
  let server: GitHttpServer;
  let count = 0;

  beforeAll(async () => {
    server = await startGitHttpServer();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const name = (): string => `repository-${(count += 1)}`;

  it("brings it to the exact tip: new commits, a rewritten branch, changed and deleted files", async ({
    expect,
  }) => {
    const flows = await server.createRepository(name(), { "flow.py": "1", "b.txt": "b" });
    await using work = await GitWorkspace.open();
    const inputs = { repository: flows.url };
    const directory = await work.clone(inputs);
    const second = await server.push(flows, { "flow.py": "2" });
    await writeFile(join(work.cwd, directory, "flow.py"), "changed here");
    await rm(join(work.cwd, directory, "b.txt"));
    await writeFile(join(work.cwd, directory, "untracked.txt"), "stays");
    expect(await work.clone(inputs)).toBe(directory);
    expect(await work.git(directory, "rev-parse", "HEAD")).toBe(second);
    expect(await work.git(directory, "status", "--porcelain")).toBe("?? untracked.txt");

    // Unrelated histories: what `git pull` of a shallow clone ends with.
    const other = await server.createRepository(name(), { "flow.py": "3" });
    await server.git(flows, "fetch", "--quiet", other.path, "+main:main");
    await work.clone(inputs);
    expect(await work.read(`${directory}/flow.py`)).toBe("3");
    expect(work.stage.lines.filter((line) => line.startsWith("warn: "))).toEqual([]);
  });

  it("follows another branch, tag or commit asked for under the same name", async ({ expect }) => {
    const flows = await server.createRepository(
      name(),
      { "flow.py": "main" },
      { branches: { "dev/a": { "flow.py": "dev" } }, tags: ["v1"] },
    );
    await using work = await GitWorkspace.open();
    const inputs = { repository: flows.url, clone_directory_name: "x" };
    await work.clone(inputs);
    await work.clone({ ...inputs, branch: "dev/a" });
    expect(await work.read("x/flow.py")).toBe("dev");
    await work.clone({ ...inputs, branch: "v1" });
    expect(await work.read("x/flow.py")).toBe("main");
    await work.clone({ ...inputs, commit_sha: flows.commits["dev/a"] ?? "" });
    expect(await work.read("x/flow.py")).toBe("dev");
    const third = await server.push(flows, { "flow.py": "third" });
    await server.push(flows, { "flow.py": "fourth" });
    await work.clone({ ...inputs, commit_sha: third });
    expect(await work.read("x/flow.py")).toBe("third");
    await work.clone({ ...inputs, commit_sha: (flows.commits["main"] ?? "").slice(0, 10) });
    expect(await work.read("x/flow.py")).toBe("main");
    await work.clone(inputs);
    expect(await work.read("x/flow.py")).toBe("fourth");
    expect((await work.fail({ ...inputs, branch: "none" })).message).toContain("no such branch or tag");
    expect(await work.read("x/flow.py")).toBe("fourth");
  });

  it("a commit that is already there is not asked for again", async ({ expect }) => {
    const flows = await server.createRepository(name(), { "flow.py": "1" });
    await using work = await GitWorkspace.open();
    const inputs = { repository: flows.url, commit_sha: flows.commits["main"] ?? "" };
    const directory = await work.clone(inputs);
    server.requests.length = 0;
    await writeFile(join(work.cwd, directory, "flow.py"), "changed here");
    await work.clone(inputs);
    expect(server.requests).toEqual([]);
    expect(await work.read(`${directory}/flow.py`)).toBe("1");
  });

  it("refuses a clone of another repository and leaves it alone", async ({ expect }) => {
    const mine = await server.createRepository(name(), { "flow.py": "mine" });
    const other = await server.createRepository(name(), { "flow.py": "other" });
    await using work = await GitWorkspace.open();
    await work.clone({ repository: mine.url, clone_directory_name: "x" });
    const error = await work.fail({ repository: other.url, clone_directory_name: "x" });
    expect(error.message).toBe(
      `The existing repository at ${join(work.cwd, "x")} does not match the configured repository ${other.url}`,
    );
    expect(await work.read("x/flow.py")).toBe("mine");
  });

  it("takes the token out of the configuration where Prefect's worker left it", async ({ expect }) => {
    const flows = await server.createRepository(name(), { "flow.py": "1" }, { user: USER });
    await using work = await GitWorkspace.open();
    const inputs = { repository: flows.url, credentials: { ...USER } };
    const directory = await work.clone(inputs);
    const withToken = flows.url.replace("//", `//${USER.username}:${USER.password}@`);
    await work.git(directory, "remote", "set-url", "origin", withToken);
    await server.push(flows, { "flow.py": "2" });
    await work.clone(inputs);
    expect(await work.read(`${directory}/flow.py`)).toBe("2");
    expect(await work.git(directory, "remote", "get-url", "origin")).toBe(flows.url);
  });

  it("clones anew when the old clone is broken, and keeps it when that cannot be done", async ({
    expect,
  }) => {
    const flows = await server.createRepository(name(), { "flow.py": "1" });
    await using work = await GitWorkspace.open();
    const inputs = { repository: flows.url };
    const directory = await work.clone(inputs);
    const git = join(work.cwd, directory, ".git");
    // A clone of the same repository around it: git must not take that one for the broken one.
    await work.git(".", "clone", "--quiet", "--no-checkout", flows.url, "around");
    await rename(join(work.cwd, "around", ".git"), join(work.cwd, ".git"));
    await rm(join(work.cwd, "around"), { recursive: true });
    await server.push(flows, { "flow.py": "1b" });
    await rm(join(git, "HEAD"));
    await work.clone(inputs);
    expect(work.stage.lines.join("\n")).toContain("is cloned anew");
    expect(await work.git(directory, "status", "--porcelain")).toBe("");
    expect(await work.read(`${directory}/flow.py`)).toBe("1b");
    expect(await work.git(".", "rev-parse", "HEAD")).toBe(flows.commits["main"]);
    await rm(join(work.cwd, ".git"), { recursive: true });

    // What a git leaves that was killed while it worked.
    await writeFile(join(git, "index.lock"), "");
    await server.push(flows, { "flow.py": "2" });
    await work.clone(inputs);
    expect(await work.read(`${directory}/flow.py`)).toBe("2");
    expect(await work.list()).toEqual([directory]);

    server.faults.push({ kind: "status", status: 404 });
    await work.fail(inputs);
    server.faults.length = 0;
    expect(await work.read(`${directory}/flow.py`)).toBe("2");
  });

  it("brings submodules and sparse directories up to date, too", async ({ expect }) => {
    const library = await server.createRepository(name(), { "x.txt": "1" }, { user: USER });
    const flows = await server.createRepository(
      name(),
      { "flow.py": "1", "a/a.txt": "a", "b/b.txt": "b" },
      { user: USER, submodules: { lib: { url: library.url, commit: library.commits["main"] ?? "" } } },
    );
    await using work = await GitWorkspace.open();
    const inputs = { repository: flows.url, credentials: { ...USER }, include_submodules: true };
    const directory = await work.clone(inputs);
    const next = await server.push(library, { "x.txt": "2" });
    await work.git(directory, "config", "user.email", "t@example.invalid");
    await using other = await GitWorkspace.open();
    const draft = await other.clone({ repository: flows.path });
    await other.git(draft, "update-index", "--cacheinfo", `160000,${next},lib`);
    await other.git(draft, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "-m", "bump");
    await other.git(draft, "push", "--quiet", "origin", "main");
    await work.clone({ ...inputs, directories: ["a"] });
    expect(await work.read(`${directory}/lib/x.txt`)).toBe("2");
    expect(await work.list(directory)).not.toContain("b");
    await work.clone({ ...inputs, directories: ["b"] });
    expect(await work.list(directory)).toContain("b");
  });

  it("many at once into one directory: one at a time, all of them right", async ({ expect }) => {
    const flows = await server.createRepository(name(), { "flow.py": "1" });
    await using work = await GitWorkspace.open();
    const all = await Promise.all(Array.from({ length: 8 }, () => work.clone({ repository: flows.url })));
    expect(new Set(all).size).toBe(1);
    expect(await work.git(all[0] ?? "", "status", "--porcelain")).toBe("");
    expect(await work.list()).toEqual([all[0]]);
  });

  it("waits for a lock that another process holds, and takes it when that is killed", async ({ expect }) => {
    const flows = await server.createRepository(name(), { "flow.py": "1" });
    await using work = await GitWorkspace.open();
    const lock = join(work.cwd, `${flows.name}.lock`);
    await using holder = new TestProcess("sleep", ["600"], { env: { PATH: "/usr/bin:/bin" } });
    await until("the holder", () => holder.pid > 0);
    await writeFile(lock, String(holder.pid));
    const cloning = work.clone({ repository: flows.url });
    await until("a line that says so", () =>
      work.stage.lines.some((line) => line.includes("Waiting for another")),
    );
    expect(await work.list()).toEqual([`${flows.name}.lock`]);
    expect(await readFile(lock, "utf8")).toBe(String(holder.pid));
    holder.kill("SIGKILL");
    expect(await cloning).toBe(flows.name);
    expect(await work.list()).toEqual([flows.name]);
  });

  it("an abort ends the wait for a lock and leaves the lock to its holder", async ({ expect }) => {
    await using work = await GitWorkspace.open();
    const lock = join(work.cwd, "x.lock");
    await writeFile(lock, String(process.pid));
    const running = work.fail({ repository: "https://host.invalid/x.git" });
    await until("a line that says so", () =>
      work.stage.lines.some((line) => line.includes("Waiting for another")),
    );
    work.stage.abort.abort(new Error("cancelled"));
    expect((await running).message).toBe("cancelled");
    expect(await readFile(lock, "utf8")).toBe(String(process.pid));
  });

  it("a lock of a process that ended, or whose pid another one got later, holds nobody up", async ({
    expect,
  }) => {
    const flows = await server.createRepository(name(), { "flow.py": "1" });
    await using work = await GitWorkspace.open();
    const lock = join(work.cwd, `${flows.name}.lock`);
    const gone = new TestProcess("true", [], { env: { PATH: "/usr/bin:/bin" } });
    await gone.ended;
    await writeFile(lock, String(gone.pid));
    await work.clone({ repository: flows.url });
    await appendFile(lock, "1");
    await utimes(lock, 1, 1);
    const own = join(work.cwd, "own.lock");
    await writeFile(own, String(process.pid));
    await utimes(own, 1, 1);
    await work.clone({ repository: flows.url });
    await work.clone({ repository: flows.url, clone_directory_name: "own" });
    expect(await work.list()).toEqual(["own", flows.name]);
  });

  it("what a killed worker left half done is replaced", async ({ expect }) => {
    const flows = await server.createRepository(name(), { "flow.py": "1" });
    await using work = await GitWorkspace.open();
    await mkdir(join(work.cwd, `.${flows.name}.partial`, ".git"), { recursive: true });
    await work.clone({ repository: flows.url });
    expect(await work.list()).toEqual([flows.name]);
  });
});
