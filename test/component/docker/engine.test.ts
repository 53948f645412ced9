import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "vitest";

import { readContainerLogs } from "../../../src/docker/container-logs.ts";
import {
  connectNetwork,
  createContainer,
  inspectContainer,
  killContainer,
  listContainers,
  readEngine,
  removeContainer,
  startContainer,
  stopContainer,
  waitForContainer,
} from "../../../src/docker/containers.ts";
import { isEngineAway } from "../../../src/docker/engine-errors.ts";
import { DockerEngine } from "../../../src/docker/engine.ts";

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { LogEntry } from "../../../src/docker/container-logs.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let directory: string;
let server: Server;
let engine: DockerEngine;
let apiVersion: string | undefined;
let handle: Handler;
let calls: string[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "engine-"));
  const socketPath = join(directory, "sock");
  apiVersion = "1.41";
  calls = [];
  server = createServer((request, response) => {
    calls.push(`${request.method ?? ""} ${request.url ?? ""}`);
    if (request.url === "/_ping") {
      if (apiVersion !== undefined) response.setHeader("Api-Version", apiVersion);
      response.end("OK");
    } else handle(request, response);
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  engine = new DockerEngine({ address: addressOf(socketPath) });
});

afterEach(async () => {
  await engine.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true, force: true });
});

function addressOf(socketPath: string): DockerEngine["address"] {
  return {
    host: `unix://${socketPath}`,
    source: "DOCKER_HOST",
    socketPath,
    origin: "http://localhost",
    baseUrl: "http+docker://localhost",
  };
}

function answer(status: number, body?: unknown): Handler {
  return (_request, response) => {
    response.statusCode = status;
    response.end(body === undefined ? "" : JSON.stringify(body));
  };
}

describe("the Docker engine's client", () => {
  it("speaks the newest version that both know", async ({ expect }) => {
    handle = answer(200, { Version: "20.10" });
    await readEngine(engine, "version");
    await readEngine(engine, "info");
    expect(calls).toEqual(["GET /_ping", "GET /v1.41/version", "GET /v1.41/info"]);
    apiVersion = "1.99";
    await using newer = disposable(new DockerEngine({ address: engine.address }));
    await readEngine(newer.engine, "version");
    expect(calls.at(-1)).toBe("GET /v1.47/version");
  });

  it("refuses an engine that is too old, and what is no engine", async ({ expect }) => {
    apiVersion = "1.40";
    await expect(readEngine(engine, "version")).rejects.toThrow(/too old: it speaks version 1\.40/);
    apiVersion = undefined;
    await expect(readEngine(engine, "version")).rejects.toThrow(/is no Docker engine/);
  });

  it("says where it looked and what to do when nobody answers", async ({ expect }) => {
    await using missing = disposable(new DockerEngine({ address: addressOf(join(directory, "none")) }));
    await expect(readEngine(missing.engine, "version")).rejects.toMatchObject({
      code: "ENGINE_UNREACHABLE",
      retryable: true,
      message: `The Docker engine at unix://${directory}/none (from DOCKER_HOST) cannot be reached: there is no such socket`,
      hint: expect.stringContaining("systemctl start docker") as unknown,
    });
  });

  it("gives the engine's own words for a refusal", async ({ expect }) => {
    handle = answer(404, { message: "No such image: nope:1" });
    await expect(createContainer(engine, { name: "a", body: { Image: "nope:1" } })).rejects.toMatchObject({
      status: 404,
      message: "The container 'a' could not be created: No such image: nope:1",
    });
    handle = answer(502, undefined);
    await expect(startContainer(engine, "a")).rejects.toMatchObject({ status: 502, retryable: true });
    await expect(connectNetwork(engine, "net", "a")).rejects.toThrow(/network 'net': status 502/);
  });

  it("takes a container that is gone, and one that does not run, as ended", async ({ expect }) => {
    for (const status of [404, 409]) {
      handle = answer(status, { message: "no" });
      await stopContainer(engine, "a", 1);
      await killContainer(engine, "a");
      await removeContainer(engine, "a");
    }
    // Podman's way to say it.
    handle = answer(500, { message: "container a does not exist in database: no such container" });
    expect(await inspectContainer(engine, "a")).toBeNull();
    expect(await waitForContainer(engine, "a")).toBeNull();
  });

  it("lists by labels", async ({ expect }) => {
    handle = answer(200, [{ Id: "1", Names: ["/a"], Created: 5, State: "exited", Labels: { x: "y" } }]);
    expect(await listContainers(engine, ["x=y"])).toMatchObject([{ Id: "1", State: "exited" }]);
    expect(decodeURIComponent(calls.at(-1) ?? "")).toBe(
      'GET /v1.41/containers/json?all=1&filters={"label":["x=y"]}',
    );
  });

  it("takes the output apart and reports a connection that breaks in the middle", async ({ expect }) => {
    const line = (stream: number, text: string): Buffer => {
      const payload = Buffer.from(text);
      const header = Buffer.alloc(8);
      header[0] = stream;
      header.writeUInt32BE(payload.length, 4);
      return Buffer.concat([header, payload]);
    };
    handle = (_request, response) => {
      response.write(line(1, "2026-01-01T00:00:00.000000001Z one\n"));
      response.write(line(2, "2026-01-01T00:00:00.000000002Z two\n"), () => response.destroy());
    };
    const entries: LogEntry[] = [];
    const since = "2026-01-01T00:00:00.000000001Z";
    const onEntry = (entry: LogEntry): unknown => entries.push(entry);
    const reading = readContainerLogs(engine, { id: "a", tty: false, follow: true, since, onEntry });
    await expect(reading).rejects.toSatisfy(isEngineAway);
    expect(
      entries.map(({ stream, bytes, timestamp }) => [stream, bytes.toString(), timestamp.at(-2)]),
    ).toEqual([
      ["stdout", "one\n", "1"],
      ["stderr", "two\n", "2"],
    ]);
    expect(calls.at(-1)).toContain("since=1767225600.000000001");
  });
});

function disposable(opened: DockerEngine): { readonly engine: DockerEngine } & AsyncDisposable {
  return { engine: opened, [Symbol.asyncDispose]: () => opened.close() };
}
