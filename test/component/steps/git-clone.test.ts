import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, it } from "vitest";

import { startGitHttpServer } from "../../support/git-http-server.ts";
import { GitWorkspace } from "../../support/git-workspace.ts";

import type { JsonObject } from "../../../src/json/value.ts";
import type { GitHttpServer, Repository } from "../../support/git-http-server.ts";

const USER = { username: "reader", password: "p:w/ö%&1" };

describe("git_clone", () => {
  let server: GitHttpServer;
  let flows: Repository;
  let secret: Repository;

  beforeAll(async () => {
    server = await startGitHttpServer();
    const tree = { "flow.py": "main", "a/one.txt": "1", "a/b/two.txt": "2", "c/three.txt": "3" };
    flows = await server.createRepository("team/flows", tree, {
      branches: { "feature/x": { "flow.py": "feature" } },
      tags: ["v1"],
    });
    secret = await server.createRepository("secret", { "flow.py": "secret" }, { user: USER });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it("clones the default branch with one git command, shallow, and leaves nothing beside it", async ({
    expect,
  }) => {
    await using work = await GitWorkspace.open();
    expect(await work.clone({ repository: flows.url })).toBe("flows");
    expect(await work.read("flows/flow.py")).toBe("main");
    expect(await work.list()).toEqual(["flows"]);
    expect(await work.git("flows", "rev-parse", "--is-shallow-repository")).toBe("true");
    expect(await work.git("flows", "rev-parse", "--abbrev-ref", "HEAD")).toBe("main");
    expect(await work.calls()).toHaveLength(1);
  });

  it("a branch with a slash, a tag, and a name of one's own", async ({ expect }) => {
    await using work = await GitWorkspace.open();
    expect(await work.clone({ repository: flows.url, branch: "feature/x" })).toBe("flows-feature-x");
    expect(await work.read("flows-feature-x/flow.py")).toBe("feature");
    expect(await work.clone({ repository: flows.url, branch: "v1" })).toBe("flows-v1");
    expect(await work.clone({ repository: flows.url, clone_directory_name: "deep/er" })).toBe("deep/er");
    expect(await work.read("deep/er/flow.py")).toBe("main");
  });

  it("an address that ends with a slash clones into the current directory, as Prefect does", async ({
    expect,
  }) => {
    await using work = await GitWorkspace.open();
    expect(await work.clone({ repository: `${flows.url}/` })).toBe(".");
    expect(await work.list()).toContain("flow.py");
    expect(await work.clone({ repository: `${flows.url}/` })).toBe(".");
  });

  const asked: readonly (readonly [what: string, inputs: JsonObject, url?: (plain: string) => string])[] = [
    ["username and password", { credentials: { username: USER.username, password: USER.password } }],
    ["username and access_token", { credentials: { username: USER.username, access_token: USER.password } }],
    ["user:token as token", { credentials: { token: `${USER.username}:${USER.password}` } }],
    ["user:token as access_token", { access_token: `${USER.username}:${USER.password}` }],
    [
      "user-info of the address",
      {},
      (plain) => plain.replace("//", `//${USER.username}:${encodeURIComponent(USER.password)}@`),
    ],
    [
      "user of the address, access_token",
      { access_token: USER.password },
      (plain) => plain.replace("//", `//${USER.username}@`),
    ],
  ];
  for (const [what, inputs, url = (plain: string) => plain] of asked) {
    it(`clones a private repository with ${what}`, async ({ expect }) => {
      await using work = await GitWorkspace.open();
      expect(await work.clone({ repository: url(secret.url), ...inputs })).toBe("secret");
      expect(await work.read("secret/flow.py")).toBe("secret");
      expect(await work.git("secret", "config", "remote.origin.url")).toBe(secret.url);
      expect(work.stage.secrets).toContain(USER.password);
    });
  }

  it("a bare token is the user, with an empty password, as in Prefect's addresses", async ({ expect }) => {
    const user = { username: "ghp_token", password: "" };
    const repository = await server.createRepository("by-token", { "flow.py": "" }, { user });
    await using work = await GitWorkspace.open();
    await work.clone({ repository: repository.url, credentials: { token: "ghp_token" } });
    await work.clone({ repository: repository.url.replace("//", "//ghp_token@"), clone_directory_name: "b" });
    expect(work.stage.secrets).toContain("ghp_token");
  });

  it("fetches exactly the commit, full or short, also from servers that only give branches", async ({
    expect,
  }) => {
    const first = flows.commits["main"] ?? "";
    const late = await server.createRepository("history", { "flow.py": "old" });
    const old = late.commits["main"] ?? "";
    await server.push(late, { "flow.py": "new" });
    await using work = await GitWorkspace.open();
    expect(await work.clone({ repository: late.url, commit_sha: old })).toBe("history");
    expect(await work.read("history/flow.py")).toBe("old");
    expect(await work.git("history", "rev-list", "--count", "HEAD")).toBe("1");
    expect(await work.git("history", "config", "remote.origin.url")).toBe(late.url);

    await work.clone({ repository: late.url, commit_sha: old.slice(0, 8), clone_directory_name: "short" });
    expect(await work.read("short/flow.py")).toBe("old");

    Object.assign(work.env, {
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "protocol.version",
      GIT_CONFIG_VALUE_0: "0",
    });
    await work.clone({ repository: late.url, commit_sha: old, clone_directory_name: "strict" });
    expect(await work.read("strict/flow.py")).toBe("old");
    expect((await work.fail({ repository: late.url, commit_sha: first })).message).toContain(
      "no such commit",
    );
  });

  it("takes only the wanted directories, with a branch or a commit", async ({ expect }) => {
    await using work = await GitWorkspace.open();
    const directories = ["a/b", "--odd"];
    await work.clone({ repository: flows.url, directories });
    expect(await work.list("flows")).toEqual([".git", "a", "flow.py"]);
    expect(await work.list("flows/a/b")).toEqual(["two.txt"]);
    expect(await work.list("flows")).not.toContain("c");
    expect(work.stage.lines).toContain(
      "warn: The directory '--odd' starts with '--'; it is taken for a path, not for an option of git",
    );
    const commit_sha = flows.commits["feature/x"] ?? "";
    await work.clone({ repository: flows.url, directories: ["c"], commit_sha, clone_directory_name: "sha" });
    expect(await work.list("sha")).toEqual([".git", "c", "flow.py"]);
    expect(await work.read("sha/flow.py")).toBe("feature");
  });

  it("submodules of the same host get the credentials, others do not", async ({ expect }) => {
    await using other = await startGitHttpServer();
    const open = await other.createRepository("open", { "x.txt": "open" });
    const inner = await server.createRepository("inner", { "x.txt": "inner" }, { user: USER });
    const library = await server.createRepository(
      "library",
      { "x.txt": "library" },
      { user: USER, submodules: { inner: { url: "../inner.git", commit: inner.commits["main"] ?? "" } } },
    );
    const project = await server.createRepository(
      "project",
      { "flow.py": "" },
      {
        user: USER,
        submodules: {
          absolute: { url: library.url, commit: library.commits["main"] ?? "" },
          foreign: { url: open.url, commit: open.commits["main"] ?? "" },
        },
      },
    );
    const inputs = { repository: project.url, credentials: { ...USER }, include_submodules: true };
    const variants: readonly JsonObject[] = [
      {},
      { commit_sha: project.commits["main"] ?? "", clone_directory_name: "sha" },
      { directories: ["absolute"], clone_directory_name: "sparse" },
    ];
    for (const variant of variants) {
      await using work = await GitWorkspace.open();
      const directory = await work.clone({ ...inputs, ...variant });
      expect(await work.read(`${directory}/absolute/x.txt`)).toBe("library");
      expect(await work.read(`${directory}/absolute/inner/x.txt`)).toBe("inner");
    }
    expect(other.requests.length).toBeGreaterThan(0);
    expect(other.requests.filter(({ user }) => user !== null)).toEqual([]);
    await using work = await GitWorkspace.open();
    await work.clone({ ...inputs, include_submodules: false });
    expect(await work.list("project/absolute")).toEqual([]);
  });

  it("clones over ssh with whatever ssh the user has set up, and ignores credentials there", async ({
    expect,
  }) => {
    await using work = await GitWorkspace.open();
    const ssh = join(work.stage.cwd, "ssh");
    await writeFile(
      ssh,
      `#!/bin/sh\necho "$@" > '${ssh}.args'\nshift $(($# - 1))\nset -- "$(echo "$1" | sed "s#'team#'${server.root}/team#")"\nexec sh -c "$1"\n`,
    );
    await chmod(ssh, 0o755);
    work.env["GIT_SSH_COMMAND"] = ssh;
    const inputs = { repository: "git@git.example.invalid:team/flows.git", access_token: "tok-123456" };
    expect(await work.clone(inputs)).toBe("flows");
    expect(await work.read("flows/flow.py")).toBe("main");
    expect(work.stage.lines.filter((line) => line.startsWith("warn: "))).toHaveLength(1);
  });

  it("says when files of Git LFS stay pointers", async ({ expect }) => {
    const lfs = await server.createRepository("lfs", {
      ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n",
      "data.bin": "version https://git-lfs.github.com/spec/v1\n",
    });
    await using work = await GitWorkspace.open();
    await work.clone({ repository: lfs.url });
    expect(work.stage.lines.join("\n")).toMatch(/warn: .*Git LFS.*git lfs install/);
  });

  it("shows git's lasting lines, not each step of its meter", async ({ expect }) => {
    await using work = await GitWorkspace.open();
    await work.clone({ repository: flows.url });
    const output = work.stage.lines.filter((line) => line.startsWith("output: "));
    expect(output.some((line) => /Receiving objects: 100%.*done\./.test(line))).toBe(true);
    expect(output.filter((line) => /\d%/.test(line) && !line.includes("done."))).toEqual([]);
  });

  const refused: readonly (readonly [inputs: JsonObject, message: RegExp])[] = [
    [{}, /lacks its input 'repository'/],
    [{ repository: "" }, /Not an address/],
    [{ repository: "--upload-pack=touch x" }, /Not an address/],
    [{ repository: "u", brunch: "main" }, /takes no input 'brunch'/],
    [{ repository: "u", branch: "--upload-pack=x" }, /cannot start with '-'/],
    [{ repository: "u", branch: "a:b" }, /Not a name of a branch/],
    [{ repository: "u", branch: "main", commit_sha: "abcd" }, /a branch or a commit SHA, not both/],
    [{ repository: "u", commit_sha: "abc" }, /Not a commit SHA/],
    [{ repository: "u", commit_sha: "main" }, /Not a commit SHA/],
    [{ repository: "u", commit_sha: 12345678 }, /'commit_sha' .* must be a text, not int/],
    [{ repository: "u", access_token: "t", credentials: { token: "t" } }, /not both/],
    [{ repository: "u", credentials: "token" }, /'credentials' .* must be a mapping, not str/],
    [{ repository: "u", credentials: { url: "x" } }, /neither a `token` nor a `password`/],
    [{ repository: "u", credentials: { username: "x" } }, /a `username`, but neither/],
    [{ repository: "u", credentials: { username: "x", token: "y" } }, /a `username`, but neither/],
    [{ repository: "u", directories: "src" }, /must be a list of texts/],
    [{ repository: "u", directories: [1] }, /must be a list of texts/],
    [{ repository: "u", clone_directory_name: "../x" }, /not below the current directory/],
    [{ repository: "u", clone_directory_name: "/etc" }, /not below the current directory/],
    [{ repository: "https://host/a/.." }, /not below the current directory/],
  ];
  for (const [inputs, message] of refused) {
    it(`refuses ${JSON.stringify(inputs)}`, async ({ expect }) => {
      await using work = await GitWorkspace.open();
      const error = await work.fail(inputs);
      expect(error).toMatchObject({ name: "StepError", message: expect.stringMatching(message) as string });
      expect(await work.calls()).toEqual([]);
      expect(await work.list()).toEqual([]);
    });
  }

  it("never runs a command that an address names", async ({ expect }) => {
    await using work = await GitWorkspace.open();
    Object.assign(work.env, {
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "protocol.ext.allow",
      GIT_CONFIG_VALUE_0: "always",
    });
    const error = await work.fail({
      repository: `ext::sh -c touch% ${work.cwd}/owned`,
      clone_directory_name: "x",
    });
    expect(error.message).toContain("git does not speak the address's protocol");
    expect(await work.list()).toEqual([]);
  });

  it("leaves a directory alone that is no clone", async ({ expect }) => {
    await using work = await GitWorkspace.open();
    await mkdir(join(work.cwd, "flows"));
    await writeFile(join(work.cwd, "flows", "mine.txt"), "mine");
    const error = await work.fail({ repository: flows.url });
    expect(error.message).toMatch(/already exists and is not an empty directory/);
    expect(await work.list("flows")).toEqual(["mine.txt"]);
  });

  it("fills an empty directory that is there, and empties it again when it fails", async ({ expect }) => {
    await using work = await GitWorkspace.open();
    await mkdir(join(work.cwd, "flows"));
    await work.fail({ repository: flows.url, branch: "none", clone_directory_name: "flows" });
    expect(await work.list("flows")).toEqual([]);
    expect(await work.clone({ repository: flows.url })).toBe("flows");
    expect(await work.read("flows/flow.py")).toBe("main");
  });

  it("says that git is missing", async ({ expect }) => {
    await using work = await GitWorkspace.open();
    work.env["PATH"] = join(work.stage.cwd, "home");
    expect(await work.fail({ repository: flows.url })).toMatchObject({
      message: "Program not found: git",
      hint: expect.stringContaining("Install") as string,
    });
  });
});
