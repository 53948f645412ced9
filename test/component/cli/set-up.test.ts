import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, it, onTestFinished } from "vitest";

import { runCli, startCli } from "../../support/cli.ts";
import { freePort } from "../../support/prefect-server.ts";
import { workerBundle } from "../../support/worker-process.ts";
import { startApi } from "../server/api.ts";

import type { AddressInfo } from "node:net";

describe("config show", () => {
  it("shows every setting with its source, and no secret", async ({ expect }) => {
    const directory = await mkdtemp(join(tmpdir(), "cli-config-"));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    await writeFile(join(directory, "prefect.toml"), "[worker]\nquery_seconds = 3\n");
    const options = {
      cwd: directory,
      apiUrl: "http://user:canary-1@prefect.example/api",
      env: { PREFECT_API_KEY: "canary-2" },
    };
    const { code, stdout } = await runCli(["config", "show"], options);
    expect(code).toBe(0);
    expect(stdout).not.toContain("canary");
    const lines = stdout.split("\n");
    expect(lines).toContain("api.url\thttp://***@prefect.example/api\tenvironment variable PREFECT_API_URL");
    expect(lines).toContain("api.key\t***\tenvironment variable PREFECT_API_KEY");
    expect(lines).toContainEqual(expect.stringMatching(/^worker\.query_seconds\t3\t.*prefect\.toml/));
    expect(lines).toContainEqual(expect.stringMatching(/^drain_timeout\t30s\tdefault$/));
    expect(lines).toContainEqual(expect.stringMatching(/^python\t.*VIRTUAL_ENV.*\tdefault$/));
    const json = await runCli(
      ["config", "view", "--json", "--hide-defaults", "--log-level", "debug"],
      options,
    );
    expect(JSON.parse(json.stdout)).toContainEqual({
      key: "log.level",
      value: "debug",
      source: "flag --log-level",
      environment: "LIGHTERMAN_LOG_LEVEL",
    });
    expect(json.stdout).not.toContain('default"');
  });
});

describe("server status", () => {
  it("tells of the configured server, or the one on this machine", async ({ expect }) => {
    const api = await startApi({ authString: "admin:secret" });
    const { apiUrl } = api.server;
    const env = { PREFECT_SERVER_API_AUTH_STRING: "admin:secret" };
    const configured = await runCli(["server", "status", "--json"], { apiUrl, env });
    expect(configured.code, configured.stdout).toBe(0);
    expect(JSON.parse(configured.stdout)).toEqual({
      status: "available",
      api_url: apiUrl,
      server_version: expect.stringMatching(/^3\./),
    });
    const local = await runCli(["server", "status"], {
      env: { ...env, PREFECT_SERVER_API_PORT: new URL(apiUrl).port },
    });
    expect(local).toMatchObject({ code: 0, stdout: expect.stringContaining(`${apiUrl} is available`) });
  });

  it("exits 1 when there is none, at once or after --timeout, and 130 on Ctrl-C", async ({ expect }) => {
    const apiUrl = `http://127.0.0.1:${await freePort()}/api`;
    const words = ["server", "status", "--api-url", apiUrl];
    expect(await runCli(words)).toMatchObject({ code: 1, stdout: expect.stringContaining("not available") });
    const late = await runCli([...words, "--wait", "--timeout", "1", "-o", "json"]);
    expect(late.code).toBe(1);
    expect(JSON.parse(late.stdout)).toMatchObject({ status: "timed_out", api_url: apiUrl });
    const ill = createServer((_request, response) => {
      response.writeHead(503).end();
      waiting.signal("SIGINT");
    });
    onTestFinished(() => void ill.close());
    await new Promise<void>((resolve) => ill.listen(0, "127.0.0.1", resolve));
    const { port } = ill.address() as AddressInfo;
    const waiting = startCli(["server", "status", "--wait", "--api-url", `http://127.0.0.1:${port}/api`]);
    expect((await waiting.result).code).toBe(130);
  });
});

describe("completion", () => {
  it("knows commands, their commands and their flags", async ({ expect }) => {
    const complete = async (...words: readonly string[]): Promise<string[]> =>
      (await runCli(["__complete", "--", ...words])).stdout
        .split("\n")
        .map((line) => line.split("\t")[0] ?? "");
    expect(await complete("work-")).toEqual(["work-pool", "work-queue", ""]);
    expect(await complete("work-pool", "p")).toEqual(["pause", "preview", ""]);
    expect(await complete("deployments", "schedule", "")).toContain("resume");
    expect(await complete("deployment", "run", "--wat")).toEqual(["--watch", "--watch-timeout", ""]);
    expect(await complete("__")).toEqual([""]);
  });

  it("completes in bash; another shell is refused", async ({ expect }) => {
    const directory = await mkdtemp(join(tmpdir(), "cli-completion-"));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const { stdout } = await runCli(["completion", "bash"]);
    const script = `lighterman() { '${process.execPath}' '${workerBundle}' "$@"; }
${stdout}
COMP_WORDS=(lighterman flow-run lo); COMP_CWORD=2; _lighterman; echo "<\${COMPREPLY[*]}>"`;
    const env = { PATH: process.env["PATH"] ?? "", HOME: directory };
    const { stdout: completed } = await promisify(execFile)("bash", ["-c", script], { env });
    expect(completed).toBe("<logs>\n");
    expect(await runCli(["completion", "csh"])).toMatchObject({ code: 2 });
  });
});
