import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "vitest";

import { findEngine } from "../../../src/docker/engine-address.ts";
import { DockerEngine } from "../../../src/docker/engine.ts";
import { createDockerLauncher } from "../../../src/launcher/docker/docker-launcher.ts";
import { systemClock } from "../../../src/lifecycle/clock.ts";

import type { Server, ServerResponse } from "node:http";
import type { Launcher, LaunchSpec } from "../../../src/launcher/types.ts";

const ATTEMPT = "0badc0de-0000-4000-8000-000000000001";

interface Container {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  status: "created" | "exited";
}

// What an engine does that loses an answer can only be shown by one that is told to: the rest is integration/docker-*.
describe("the launcher of containers", () => {
  let directory: string;
  let server: Server;
  let launcher: Launcher;
  let containers: Map<string, Container>;
  let creations: string[];
  let losesNextAnswer: (path: string) => boolean;
  let isRemovedByOthers: boolean;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "launcher-"));
    containers = new Map();
    creations = [];
    losesNextAnswer = () => false;
    isRemovedByOthers = false;
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const url = new URL(request.url ?? "", "http://engine");
        const path = url.pathname.replace(/^\/v[\d.]+/, "");
        const body = Buffer.concat(chunks).toString();
        const answer = serve(request.method ?? "", path, url.searchParams, body);
        if (losesNextAnswer(path)) {
          losesNextAnswer = () => false;
          response.destroy();
        } else send(response, answer);
      });
    });
    const socket = join(directory, "sock");
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    const env = { HOME: directory, DOCKER_HOST: `unix://${socket}` };
    const engine = new DockerEngine({ address: findEngine(env) });
    launcher = createDockerLauncher({ engine, env, cwd: directory, clock: systemClock });
  });

  afterEach(async () => {
    await launcher.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    rmSync(directory, { recursive: true, force: true });
  });

  function send(response: ServerResponse, [status, body]: readonly [number, unknown]): void {
    response.writeHead(status, { "api-version": "1.41" });
    response.end(body === undefined ? "" : JSON.stringify(body));
  }

  function serve(
    method: string,
    path: string,
    query: URLSearchParams,
    body: string,
  ): readonly [number, unknown] {
    if (path === "/_ping") return [200, "OK"];
    if (path.startsWith("/images/")) return [200, { Id: "sha256:1" }];
    if (path === "/containers/create") {
      const name = query.get("name") ?? "";
      creations.push(name);
      if ([...containers.values()].some((one) => one.name === name))
        return [409, { message: `Conflict. The container name "/${name}" is already in use` }];
      const { Labels: labels } = JSON.parse(body) as { Labels: Record<string, string> };
      containers.set(`id-of-${name}`, { name, labels, status: "created" });
      return [201, { Id: `id-of-${name}` }];
    }
    if (path === "/containers/json") {
      const all = [...containers].map(([Id, { status, labels }]) => ({ Id, State: status, Labels: labels }));
      return [200, all];
    }
    const [, , key = "", action] = path.split("/");
    const found = [...containers].find(([id, { name }]) => id === key || name === key);
    if (found === undefined) return [404, { message: `No such container: ${key}` }];
    const [id, container] = found;
    if (method === "DELETE") containers.delete(id);
    if (action === "start") container.status = "exited";
    if (action === "wait") {
      if (isRemovedByOthers) containers.delete(id);
      return [200, { StatusCode: isRemovedByOthers ? 0 : 3 }];
    }
    if (action === "json") {
      const state = { Status: container.status, ExitCode: 3, OOMKilled: false };
      return [
        200,
        { Id: id, Name: `/${container.name}`, State: state, Config: { Labels: container.labels } },
      ];
    }
    return [204, undefined];
  }

  function spec(): LaunchSpec {
    return {
      flowRunId: "1",
      attempt: ATTEMPT,
      command: ["true"],
      cwd: "/",
      env: {},
      outputFile: join(directory, "run.log"),
      container: { configuration: { image: "some:1" }, name: "calm otter", labels: {} },
    };
  }

  it("finds its own container again when the answer to its creation was lost", async ({ expect }) => {
    losesNextAnswer = (path) => path === "/containers/create";
    const attempt = await launcher.launch(spec());
    expect(attempt.identifier).toBe("http+docker://localhost:id-of-calm-otter");
    expect(await attempt.exited).toEqual({ kind: "exited", code: 3, oomKilled: false });
    expect(creations).toEqual(["calm-otter", "calm-otter"]);
    expect(containers.size).toBe(1);
  });

  it("takes the answer to a start that was lost for a start", async ({ expect }) => {
    losesNextAnswer = (path) => path.endsWith("/start");
    const attempt = await launcher.launch(spec());
    expect(await attempt.exited).toMatchObject({ kind: "exited", code: 3 });
    expect(containers.size).toBe(1);
  });

  it("tries one other name when its own is taken, and no more", async ({ expect }) => {
    containers.set("other", { name: "calm-otter", labels: {}, status: "exited" });
    const attempt = await launcher.launch(spec());
    expect(attempt.handle).toMatchObject({ container: "id-of-calm-otter-0badc0de" });
    await attempt.exited;
    containers.clear();
    for (const name of ["calm-otter", "calm-otter-0badc0de"])
      containers.set(name, { name, labels: {}, status: "exited" });
    creations = [];
    await expect(launcher.launch(spec())).rejects.toMatchObject({ code: "LAUNCH_FAILED" });
    expect(creations).toEqual(["calm-otter", "calm-otter-0badc0de"]);
  });

  it("takes no 0 for the end of a container that somebody has removed, as podman says it", async ({
    expect,
  }) => {
    isRemovedByOthers = true;
    const attempt = await launcher.launch(spec());
    expect(await attempt.exited).toEqual({ kind: "gone", removed: true });
  });

  it("finds what a dead worker has begun, and makes sure that what it has not never begins", async ({
    expect,
  }) => {
    const trace = { outputFile: join(directory, "run.log"), attempt: ATTEMPT };
    expect(await launcher.trace(trace)).toBeNull();
    const labels = { "io.lighterman.attempt": ATTEMPT };
    containers.set("made", { name: "made", labels, status: "created" });
    expect(await launcher.trace(trace)).toBeNull();
    expect(containers.size).toBe(0);
    containers.set("begun", { name: "begun", labels, status: "exited" });
    const handle = await launcher.trace(trace);
    expect(handle).toMatchObject({ kind: "docker", container: "begun" });
    const adopted = await launcher.adopt(handle!, { outputFile: trace.outputFile });
    expect(await adopted?.exited).toMatchObject({ kind: "exited", code: 3 });
  });

  it("keeps the newest containers of ended runs, and those of runs in hand", async ({ expect }) => {
    for (const name of ["a", "b", "c"])
      containers.set(name, {
        name,
        labels: { "io.lighterman.attempt": name, "io.prefect.flow-run-id": name },
        status: "exited",
      });
    const options = { now: Date.now(), isInHand: (id: string) => id === "b" };
    expect(await launcher.sweep({ ...options, keepMs: 1e15, keepCount: 5 })).toBe(0);
    expect(await launcher.sweep({ ...options, keepMs: 1e15, keepCount: 1 })).toBe(1);
    expect(await launcher.sweep({ ...options, keepMs: 0, keepCount: 5 })).toBe(1);
    expect([...containers.keys()]).toEqual(["b"]);
  });
});
