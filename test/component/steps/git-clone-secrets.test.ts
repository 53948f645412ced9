import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, it } from "vitest";

import { ArgvWatch, canariesBelow, canariesIn } from "../../support/canaries.ts";
import { startGitHttpServer } from "../../support/git-http-server.ts";
import { GitWorkspace } from "../../support/git-workspace.ts";

import type { JsonObject } from "../../../src/json/value.ts";
import type { GitHttpServer, Repository } from "../../support/git-http-server.ts";

const TOKEN = "canary-tok/en+7f3a9";
const PASSWORD = "canary pass:word@%41";
const CANARIES = new Map([
  ["token", TOKEN],
  ["password", PASSWORD],
  ["header of the token", `${TOKEN}:`],
  ["header of the password", `svc:${PASSWORD}`],
]);

describe("secrets of git_clone", () => {
  let server: GitHttpServer;
  let byToken: Repository;
  let byPassword: Repository;

  beforeAll(async () => {
    server = await startGitHttpServer();
    for (const [name, user] of [
      ["by-token", { username: TOKEN, password: "" }],
      ["by-password", { username: "svc", password: PASSWORD }],
    ] as const) {
      const library = await server.createRepository(`${name}-lib`, { "x.txt": "" }, { user });
      const repository = await server.createRepository(
        name,
        { "flow.py": "", "a/a.txt": "" },
        { user, submodules: { lib: { url: `../${name}-lib.git`, commit: library.commits["main"] ?? "" } } },
      );
      if (name === "by-token") byToken = repository;
      else byPassword = repository;
    }
    // Slow enough for the samples.
    server.faults.push({ kind: "delay", ms: 60 });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const cases: readonly (readonly [what: string, inputs: () => JsonObject, isRefused?: true])[] = [
    ["access_token", () => ({ repository: byToken.url, access_token: TOKEN, include_submodules: true })],
    [
      "username and password",
      () => ({
        repository: byPassword.url,
        credentials: { username: "svc", password: PASSWORD },
        include_submodules: true,
      }),
    ],
    [
      "an address with both",
      () => ({
        repository: byPassword.url.replace("//", `//svc:${encodeURIComponent(PASSWORD)}@`),
        include_submodules: true,
      }),
    ],
    [
      "an address with a bare token",
      () => ({ repository: byToken.url.replace("//", `//${encodeURIComponent(TOKEN)}@`) }),
    ],
    [
      "commit and directories",
      () => ({
        repository: byToken.url,
        access_token: TOKEN,
        commit_sha: byToken.commits["main"] ?? "",
        directories: ["a"],
      }),
    ],
    ["a refused token", () => ({ repository: byPassword.url, access_token: TOKEN }), true],
    [
      "a branch that is not there",
      () => ({ repository: byToken.url, access_token: TOKEN, branch: "none" }),
      true,
    ],
  ];
  for (const [what, inputs, isRefused] of cases) {
    it(`stand in no argument, file, line or error: ${what}`, async ({ expect }) => {
      await using work = await GitWorkspace.open();
      using watch = new ArgvWatch(CANARIES, 5);
      if (isRefused === true) {
        const error = await work.fail(inputs());
        const text = `${error.stack}\n${JSON.stringify(error)}\n${Object.values(error).join("\n")}`;
        expect(canariesIn(text, CANARIES)).toEqual([]);
      } else {
        await work.clone(inputs());
        await work.clone(inputs());
      }
      expect(watch.samples).toBeGreaterThan(5);
      expect([...watch.found]).toEqual([]);
      expect(canariesIn(work.stage.lines.join("\n"), CANARIES)).toEqual([]);
      expect(canariesIn((await work.calls()).join("\n"), CANARIES)).toEqual([]);
      expect(await canariesBelow(work.stage.cwd, CANARIES)).toEqual([]);
      expect(work.stage.secrets.length).toBeGreaterThan(0);
    });
  }

  it("are found by these means when they leak (an address with a token, given to git as it is)", async ({
    expect,
  }) => {
    await using work = await GitWorkspace.open();
    using watch = new ArgvWatch(CANARIES, 5);
    await work.git(".", "clone", byToken.url.replace("//", `//${encodeURIComponent(TOKEN)}@`), "leak");
    expect([...watch.found].length).toBeGreaterThan(0);
    expect((await canariesBelow(work.stage.cwd, CANARIES)).length).toBeGreaterThan(0);
  });

  it("given credentials neither ask nor feed the user's own credential store; a bare user asks it", async ({
    expect,
  }) => {
    await using work = await GitWorkspace.open();
    const store = join(work.stage.cwd, "store");
    const config = join(work.stage.cwd, "gitconfig");
    await writeFile(config, `[credential]\n\thelper = store --file='${store}'\n`);
    await writeFile(store, "");
    work.env["GIT_CONFIG_GLOBAL"] = config;
    await work.clone({ repository: byPassword.url, credentials: { username: "svc", password: PASSWORD } });
    expect(await readFile(store, "utf8")).toBe("");

    const host = byPassword.url.replace(/^http:\/\/([^/]*)\/.*$/, "$1");
    await writeFile(store, `http://svc:${encodeURIComponent(PASSWORD)}@${host}\n`);
    const inputs = { repository: byPassword.url.replace("//", "//svc@"), clone_directory_name: "own" };
    expect(await work.clone(inputs)).toBe("own");
    await work.clone({ repository: byPassword.url, clone_directory_name: "none" });
  });
});
