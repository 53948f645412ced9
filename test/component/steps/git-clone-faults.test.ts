import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, it } from "vitest";

import { gitEnvironment, createGit } from "../../../src/steps/git.ts";
import { hasOpenssl, makeCertificates } from "../../support/certificates.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { startGitHttpServer } from "../../support/git-http-server.ts";
import { GitWorkspace } from "../../support/git-workspace.ts";
import { listProcesses } from "../../support/proc.ts";
import { until } from "../../support/deadline.ts";

import type { GitFault, GitHttpServer, Repository } from "../../support/git-http-server.ts";

const USER = { username: "reader", password: "pass-word-1" };

describe("git_clone when something fails", () => {
  let server: GitHttpServer;
  let flows: Repository;
  let secret: Repository;

  beforeAll(async () => {
    server = await startGitHttpServer();
    flows = await server.createRepository("flows", { "flow.py": "main", "big.txt": "x".repeat(1000) });
    secret = await server.createRepository("secret", { "flow.py": "" }, { user: USER });
  });
  beforeEach(() => {
    server.faults.length = 0;
    server.requests.length = 0;
  });
  afterAll(() => server[Symbol.asyncDispose]());

  /** Runs the step on a clock that goes on as soon as somebody waits for it; answers the waits. */
  async function onFakeClock(run: (clock: FakeClock) => Promise<unknown>): Promise<readonly number[]> {
    const clock = new FakeClock();
    const waits: number[] = [];
    let isOver = false;
    const running = run(clock).finally(() => (isOver = true));
    const drive = async (): Promise<void> => {
      for (;;) {
        await Promise.race([clock.sleeping(), running.catch(() => undefined)]);
        if (isOver) return;
        const waitMs = clock.nextWakeMs;
        if (waitMs === undefined) continue;
        waits.push(waitMs);
        await clock.advance(waitMs);
      }
    };
    await Promise.all([running, drive()]);
    return waits;
  }

  const transient: readonly (readonly [what: string, fault: GitFault, reason: string])[] = [
    ["503", { kind: "status", status: 503, times: 2 }, "the server failed"],
    ["429", { kind: "status", status: 429, times: 2 }, "the server failed"],
    [
      "500 on the second request",
      { kind: "status", status: 500, times: 2, match: /git-upload-pack$/ },
      "the server failed",
    ],
    [
      "a connection that breaks",
      { kind: "cut", afterBytes: 60, times: 2, match: /git-upload-pack$/ },
      "the connection broke",
    ],
    ["an answer that breaks off", { kind: "cut", afterBytes: 10, times: 2 }, "the connection broke"],
  ];
  for (const [what, fault, reason] of transient) {
    it(`tries again after 1 and 2 seconds: ${what}`, async ({ expect }) => {
      await using work = await GitWorkspace.open();
      server.faults.push(fault);
      const inputs = { repository: flows.url };
      const waits = await onFakeClock((clock) => work.clone(inputs, { clock, random: () => 0.5 }));
      expect(waits).toEqual([1000, 2000]);
      expect(await work.read("flows/flow.py")).toBe("main");
      expect(await work.list()).toEqual(["flows"]);
      const warnings = work.stage.lines.filter((line) => line.startsWith("warn: "));
      expect(warnings).toHaveLength(2);
      expect(warnings[0]).toContain("Attempt 1 of 3 failed, trying again in 1.0 s");
      expect(warnings[0]).toContain(reason);
    });
  }

  it("gives up after three attempts, with jittered delays, and leaves nothing", async ({ expect }) => {
    await using work = await GitWorkspace.open();
    server.faults.push({ kind: "status", status: 502 });
    let error: Error | undefined;
    const waits = await onFakeClock(async (clock) => {
      error = await work.fail({ repository: flows.url }, { clock, random: () => 1 });
    });
    expect(waits).toEqual([1300, 2600]);
    expect(error).toMatchObject({ name: "StepError", toolExitCode: 128, retryable: true });
    expect(error?.message).toBe(
      `Failed to clone repository '${flows.url}' with exit code 128: the server failed`,
    );
    expect(await work.list()).toEqual([]);
  });

  const final: readonly (readonly [what: string, inputs: () => Record<string, string>, reason: string])[] = [
    ["no credentials", () => ({ repository: secret.url }), "authentication failed"],
    [
      "a wrong token",
      () => ({ repository: secret.url, access_token: "wrong-token-1" }),
      "authentication failed",
    ],
    ["no such repository", () => ({ repository: `${server.url}/none.git` }), "repository not found"],
    ["no such branch", () => ({ repository: flows.url, branch: "none" }), "there is no such branch or tag"],
    [
      "no such commit",
      () => ({ repository: flows.url, commit_sha: "1".repeat(40) }),
      "there is no such commit",
    ],
    [
      "no such short commit",
      () => ({ repository: flows.url, commit_sha: "1".repeat(7) }),
      "there is no such commit",
    ],
    ["no such path", () => ({ repository: "/none/at/all" }), "repository not found"],
  ];
  for (const [what, inputs, reason] of final) {
    it(`tries only once: ${what}`, async ({ expect }) => {
      await using work = await GitWorkspace.open();
      const error = await work.fail(inputs(), { clock: new FakeClock() });
      expect(error.message).toContain(reason);
      expect(error).toHaveProperty("hint", expect.stringMatching(/.{20}/));
      expect(`${error.message}${error.stack}${JSON.stringify(error)}`).not.toContain("wrong-token-1");
      expect(await work.list()).toEqual([]);
    });
  }

  it("a server that is not there is tried three times", async ({ expect }) => {
    await using work = await GitWorkspace.open();
    let error: Error | undefined;
    const waits = await onFakeClock(async (clock) => {
      error = await work.fail({ repository: "http://127.0.0.1:1/x.git" }, { clock, random: () => 0 });
    });
    expect(waits).toEqual([700, 1400]);
    expect(error?.message).toContain("the server cannot be reached");
  });

  it("the credentials do not follow a redirect to another host", async ({ expect }) => {
    await using other = await startGitHttpServer();
    await other.createRepository("secret", { "flow.py": "" }, { user: USER });
    server.faults.push({ kind: "redirect", to: other.url });
    await using work = await GitWorkspace.open();
    const error = await work.fail({ repository: secret.url, credentials: { ...USER } });
    expect(error.message).toContain("authentication failed");
    expect(other.requests.length).toBeGreaterThan(0);
    expect(JSON.stringify(other.requests)).not.toMatch(/authorization/i);
  });

  it("a redirect on the same host is followed with the credentials", async ({ expect }) => {
    await server.createRepository("new/place", { "flow.py": "moved" }, { user: USER });
    await using work = await GitWorkspace.open();
    server.faults.push({
      kind: "redirect",
      to: server.url,
      from: "/gone.git",
      into: "/new/place.git",
      match: /^\/gone/,
    });
    await work.clone({ repository: `${server.url}/gone.git`, credentials: { ...USER } });
    expect(await work.read("gone/flow.py")).toBe("moved");
  });

  it("an abort ends git and what it started, and removes the partial clone", async ({ expect }) => {
    await using work = await GitWorkspace.open();
    server.faults.push({ kind: "hang" });
    const running = work.fail({ repository: flows.url });
    await until("a request", () => server.requests.length > 0, { everyMs: 10 });
    const isOurs = ({ argv }: { readonly argv: string }): boolean => argv.includes(flows.url);
    expect(listProcesses().filter(isOurs).length).toBeGreaterThan(1);
    const reason = new Error("cancelled");
    work.stage.abort.abort(reason);
    expect(await running).toBe(reason);
    await until("the end of all processes", () => !listProcesses().some(isOurs), { timeoutMs: 5000 });
    expect(await work.list()).toEqual([]);
  });

  it("an abort also ends the wait before another attempt", async ({ expect }) => {
    await using work = await GitWorkspace.open();
    server.faults.push({ kind: "status", status: 503 });
    const clock = new FakeClock();
    const running = work.fail({ repository: flows.url }, { clock });
    await clock.sleeping();
    const reason = new Error("cancelled");
    work.stage.abort.abort(reason);
    expect(await running).toBe(reason);
    expect(await work.list()).toEqual([]);
  });

  it("git that says nothing for too long is ended, and may be tried again", async ({ expect }) => {
    await using work = await GitWorkspace.open();
    server.faults.push({ kind: "hang" });
    const git = createGit({
      url: flows.url,
      env: work.env,
      credentials: null,
      ceiling: work.cwd,
      secrets: [],
      signal: work.stage.signal,
      silenceMs: 300,
    });
    await expect(git.run(["clone", flows.url, join(work.cwd, "x")], work.cwd)).rejects.toMatchObject({
      name: "StepError",
      retryable: true,
      message: expect.stringContaining("git said nothing for 0.3 s") as string,
    });
  });

  it.skipIf(!hasOpenssl)("https: a certificate that is not trusted, and one that is", async ({ expect }) => {
    using certificates = makeCertificates();
    await using tls = await startGitHttpServer({ tls: certificates });
    const repository = await tls.createRepository("flows", { "flow.py": "tls" }, { user: USER });
    await using work = await GitWorkspace.open();
    const inputs = { repository: repository.url, credentials: { ...USER } };
    expect((await work.fail(inputs)).message).toContain("the server's certificate is not trusted");
    work.env["GIT_SSL_CAINFO"] = certificates.caFile;
    await work.clone(inputs);
    expect(await work.read("flows/flow.py")).toBe("tls");
  });

  it("git's environment: no prompts, nothing of another repository, the user's settings stay", ({
    expect,
  }) => {
    const env = gitEnvironment(
      {
        HOME: "/h",
        GIT_DIR: "/other/.git",
        GIT_SSH_COMMAND: "mine",
        GIT_HTTP_LOW_SPEED_TIME: "5",
        GIT_TERMINAL_PROMPT: "1",
        LC_ALL: "de_DE.UTF-8",
        GIT_CONFIG_COUNT: "1",
        GIT_CONFIG_KEY_0: "user.name",
        GIT_CONFIG_VALUE_0: "me",
      },
      { httpBase: "https://h", username: "u", password: "p" },
    );
    expect(env).toMatchObject({
      HOME: "/h",
      GIT_SSH_COMMAND: "mine",
      GIT_HTTP_LOW_SPEED_TIME: "5",
      GIT_TERMINAL_PROMPT: "0",
      LC_ALL: "C.UTF-8",
      GIT_CONFIG_COUNT: "5",
      GIT_CONFIG_KEY_0: "user.name",
      GIT_CONFIG_KEY_1: "protocol.ext.allow",
      GIT_CONFIG_VALUE_1: "never",
      GIT_CONFIG_KEY_3: "credential.https://h.helper",
      GIT_CONFIG_VALUE_3: "",
      GIT_CONFIG_KEY_4: "credential.https://h.helper",
    });
    expect(env).not.toHaveProperty("GIT_DIR");
  });
});
