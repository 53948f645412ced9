import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { text } from "node:stream/consumers";
import { describe, it, onTestFinished } from "vitest";

import { deploy, run as createRun } from "../server/api.ts";
import { startCli } from "../../support/cli.ts";
import { workerBundle } from "../../support/worker-process.ts";
import { open } from "./open.ts";

import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import type { Api } from "../server/api.ts";

async function log(api: Api, flowRunId: string, ...messages: readonly string[]): Promise<void> {
  await api.post(
    "/logs/",
    messages.map((message, index) => ({
      name: "prefect.flow_runs",
      level: 20,
      message,
      timestamp: new Date(Date.now() + index).toISOString(),
      flow_run_id: flowRunId,
    })),
  );
}

describe("flow and flow-run", () => {
  it("ls filters by flow, state and type, and gives the latest first", async ({ expect }) => {
    const { api, run } = await open();
    expect((await run("flow-run ls")).stderr).toBe("There are no such flow runs.\n");
    const deployment = await deploy(api);
    const first = await createRun(api, deployment, { name: "first" });
    const second = await createRun(api, deployment, { name: "second" });
    await api.propose(first, { type: "RUNNING" });
    const names = async (line: string): Promise<string[]> =>
      JSON.parse((await run(`flow-run ls --json ${line}`)).stdout).map(({ name }: { name: string }) => name);
    expect(await names("--limit 1")).toEqual(["second"]);
    expect(await names("--state running")).toEqual(["first"]);
    expect(await names("--state Running --state Scheduled")).toHaveLength(2);
    expect(await names("--state-type scheduled --flow-name flow")).toEqual(["second"]);
    expect(await names("--flow-name other")).toEqual([]);
    expect((await run("flow-runs ls")).stdout).toMatch(
      new RegExp(
        `^${second}\\tflow\\tsecond\\tScheduled\\t.*\n${first}\\tflow\\tfirst\\tRunning\\t.* ago\n$`,
      ),
    );
    expect(await run("flow-run ls --state-type RUNING")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("Did you mean RUNNING?"),
    });
    expect((await run("flow ls")).stdout).toMatch(/^[\w-]+\tflow\t/);
  });

  it("a run goes by its id, the id's beginning or end, or a name that only it has", async ({ expect }) => {
    const { api, run } = await open();
    const deployment = await deploy(api);
    const id = await createRun(api, deployment, { name: "only" });
    await createRun(api, deployment, { name: "twin" });
    await createRun(api, deployment, { name: "twin" });
    for (const reference of [id, id.slice(0, -1), id.slice(-8), "only"]) {
      expect(JSON.parse((await run(`flow-run inspect ${reference} --json`)).stdout)).toMatchObject({ id });
    }
    expect((await run("flow-run inspect only")).stdout).toContain("name: only");
    expect(await run("flow-run inspect twin")).toMatchObject({ code: 2 });
    for (const reference of ["nobody", "00000000-0000-4000-8000-000000000000"]) {
      expect(await run(`flow-run inspect ${reference}`)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(reference),
      });
    }
  });

  it("cancel, retry and delete", async ({ expect }) => {
    const { api, run } = await open();
    const id = await createRun(api, await deploy(api), { name: "mine" });
    expect(await run("flow-run retry mine")).toMatchObject({ code: 2 });
    const cancelled = await run("flow-run cancel mine --json");
    expect(cancelled.code, cancelled.stderr).toBe(0);
    expect(JSON.parse(cancelled.stdout)).toMatchObject({ id, state_type: "CANCELLED" });
    expect(await run("flow-run cancel mine")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("cannot be cancelled"),
    });
    expect(await run("flow-run retry mine")).toMatchObject({ code: 0 });
    expect(await api.get(`/flow_runs/${id}`)).toMatchObject({
      state_type: "SCHEDULED",
      state_name: "AwaitingRetry",
    });
    expect(await run("flow-run delete mine")).toMatchObject({ code: 2 });
    expect(await run("flow-run delete mine -y")).toMatchObject({ code: 0 });
    expect((await api.call("GET", `/flow_runs/${id}`)).status).toBe(404);
  });

  it("logs prints all, the first or the last lines, forwards or backwards, page by page", async ({
    expect,
  }) => {
    const { api, run } = await open();
    const id = await createRun(api, await deploy(api), { name: "mine" });
    await log(api, id, ...Array.from({ length: 450 }, (_, index) => `line ${index}`));
    const numbers = async (line: string): Promise<number[]> =>
      (await run(`flow-run logs mine ${line}`)).stdout
        .trimEnd()
        .split("\n")
        .map((text) => Number(/\| INFO {4}\| Flow run 'mine' - line (\d+)$/.exec(text)?.[1]));
    const range = (from: number, to: number): number[] =>
      Array.from({ length: to - from }, (_, index) => from + index);
    expect(await numbers("")).toEqual(range(0, 450));
    expect(await numbers("--head")).toEqual(range(0, 20));
    expect(await numbers("--tail")).toEqual(range(430, 450));
    expect(await numbers("-t -n 250")).toEqual(range(200, 450));
    expect(await numbers("-n 3")).toEqual(range(0, 3));
    expect(await numbers("--reverse -n 3")).toEqual([449, 448, 447]);
    expect(await numbers("-h -n 2")).toEqual([0, 1]);
    const json = JSON.parse((await run("flow-run logs mine --tail -n 1 --json")).stdout);
    expect(json).toMatchObject([{ message: "line 449", flow_run_id: id, level: 20 }]);
    expect(await run("flow-run logs mine --head --tail")).toMatchObject({ code: 2 });
    expect(await run("flow-run logs mine --follow --tail")).toMatchObject({ code: 2 });
  });

  it("logs ends when nobody reads it any more", async ({ expect }) => {
    const { api } = await open();
    const id = await createRun(api, await deploy(api), { name: "mine" });
    await log(api, id, ...Array.from({ length: 1000 }, (_, index) => `line ${index} ${"x".repeat(1000)}`));
    const child = spawn(process.execPath, [workerBundle, "flow-run", "logs", "mine"], {
      env: { PATH: process.env["PATH"], HOME: tmpdir(), PREFECT_API_URL: api.server.apiUrl },
    });
    child.stdout.once("data", () => child.stdout.destroy());
    const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, "exit")]);
    expect(stderr).toBe("");
    expect(code).toBe(141);
  });

  it("logs --follow --json gives one object a line and the exit status of the run's end", async ({
    expect,
  }) => {
    const { api, options } = await open();
    const id = await createRun(api, await deploy(api), { name: "mine" });
    await log(api, id, "before");
    const following = startCli(["flow-run", "logs", "mine", "--follow", "--json"], options);
    await following.waitFor(/before/);
    await api.propose(id, { type: "RUNNING" });
    await log(api, id, "during");
    await following.waitFor(/during/);
    await api.propose(id, { type: "FAILED", message: "no luck" });
    // The last lines of a run come after its end.
    await log(api, id, "after");
    const { code, stdout } = await following.result;
    expect(code).toBe(1);
    const lines = stdout.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).message)).toEqual(["before", "during", "after"]);
  });

  it("watch --json prints the ended run alone, and the rest to standard error", async ({ expect }) => {
    const { api, options } = await open();
    const id = await createRun(api, await deploy(api), { name: "mine" });
    const watching = startCli(["flow-run", "watch", id, "--json"], options);
    await watching.waitFor(/is Scheduled/);
    await api.propose(id, { type: "CRASHED", message: "boom" });
    const { code, stdout, stderr } = await watching.result;
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ id, state_type: "CRASHED" });
    expect(stderr).toContain("is Crashed: boom");
  });

  it("watch does without the server's sockets, and sits an outage out", async ({ expect }) => {
    const { api } = await open();
    const id = await createRun(api, await deploy(api), { name: "mine" });
    let isAway = false;
    let refused = 0;
    async function forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
      const { method = "GET", url = "" } = request;
      const answer = await fetch(api.server.apiUrl + url.slice("/api".length), {
        method,
        body: method === "GET" ? null : await text(request),
        headers: { "content-type": "application/json" },
      });
      response.writeHead(answer.status, { "content-type": "application/json" }).end(await answer.text());
    }
    const gate = createServer((request, response) => {
      if (isAway) request.socket.destroy();
      else void forward(request, response);
    });
    gate.on("upgrade", (_request, socket) => {
      refused += 1;
      socket.end("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    });
    await new Promise<void>((resolve) => gate.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      gate.closeAllConnections();
      gate.close();
    });
    const { port } = gate.address() as AddressInfo;
    const watching = startCli(["flow-run", "watch", id], { apiUrl: `http://127.0.0.1:${port}/api` });
    await watching.waitFor(/is Scheduled/);
    await api.propose(id, { type: "RUNNING" });
    await watching.waitFor(/is Running/);
    isAway = true;
    await watching.waitFor(/does not answer, watching goes on/);
    await log(api, id, "meanwhile");
    await api.propose(id, { type: "COMPLETED" });
    isAway = false;
    const { code, stdout, stderr } = await watching.result;
    expect(code, stderr).toBe(0);
    expect(stdout).toContain("meanwhile");
    expect(stderr.match(/does not answer/g)).toHaveLength(1);
    expect(refused).toBeGreaterThan(1);
  });

  it("Ctrl-C stops the watching but not the run", async ({ expect }) => {
    const { api, options } = await open();
    const id = await createRun(api, await deploy(api), { name: "mine" });
    await api.propose(id, { type: "RUNNING" });
    const watching = startCli(["flow-run", "watch", "mine"], options);
    await watching.waitFor(/is Running/);
    watching.signal("SIGINT");
    const { code, stderr } = await watching.result;
    expect(code).toBe(130);
    expect(stderr).toContain("the run goes on");
    expect(stderr).toContain(`lighterman flow-run cancel ${id}`);
    expect(await api.get(`/flow_runs/${id}`)).toMatchObject({ state_type: "RUNNING" });
  });

  it("watch gives up after --timeout, and ends when the run is deleted", async ({ expect }) => {
    const { api, run, options } = await open();
    const id = await createRun(api, await deploy(api), { name: "mine" });
    expect(await run("flow-run watch mine --timeout 1")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("did not end within 1 s"),
    });
    const watching = startCli(["flow-run", "watch", "mine"], options);
    await watching.waitFor(/is Scheduled/);
    await api.call("DELETE", `/flow_runs/${id}`);
    expect(await watching.result).toMatchObject({ code: 1, stderr: expect.stringContaining("was deleted") });
  });
});
