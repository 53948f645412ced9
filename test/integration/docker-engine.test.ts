import { readdir } from "node:fs/promises";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { AsyncDisposables } from "../support/disposables.ts";
import { baseImage, DockerEngine, prefectImage } from "../support/docker-engine.ts";
import { DockerRegistry } from "../support/docker-registry.ts";
import { listProcesses } from "../support/proc.ts";

const opened = new AsyncDisposables();
let engine: DockerEngine;

beforeAll(async () => {
  engine = opened.use(await DockerEngine.start({ liveRestore: true }));
});
afterAll(() => opened.dispose());

test("a container with Prefect 3.8.8 reaches a server of this machine over the host's network", async () => {
  const url = inject("prefect3Url");
  const script =
    "from prefect.client.orchestration import get_client as c; print(c(sync_client=True).api_version())";
  const image = ["--env", `PREFECT_API_URL=${url}`, prefectImage];
  const answer = await engine.docker("run", "--rm", "--network", "host", ...image, "python", "-c", script);
  expect(answer).toBe("3.8.8");
});

test("containers reach the host by its gateway address, and their files are gone with them", async () => {
  const alias = ["--add-host", "host.docker.internal:host-gateway"];
  const hosts = await engine.docker("run", "--rm", ...alias, baseImage, "cat", "/etc/hosts");
  expect(hosts).toContain(`${engine.gateway}\thost.docker.internal`);
  expect(await engine.docker("ps", "--all", "--quiet")).toBe("");
});

test("a container lives over the daemon's restart, and over its sudden end", async () => {
  const id = await engine.docker("run", "--detach", baseImage, "sleep", "600");
  const started = () => engine.docker("inspect", "--format", "{{.State.Running}} {{.State.StartedAt}}", id);
  const before = await started();
  expect(before).toMatch(/^true /);
  await engine.pause();
  await engine.resume();
  expect(await started()).toBe(before);
  await engine.kill();
  await engine.resume();
  expect(await started()).toBe(before);
  await engine.docker("rm", "--force", id);
});

test("an image goes to the registry and back, and not while it asks for a login or is away", async () => {
  await using registry = await DockerRegistry.start();
  const name = `${registry.address}/team/small:1`;
  await engine.createSmallImage(name);
  await engine.docker("push", name);
  await engine.docker("rmi", name);
  await engine.docker("pull", name);
  expect(registry.requests.join("\n")).toContain("GET /v2/team/small/manifests/");

  await registry.pause();
  await expect(engine.docker("pull", name)).rejects.toThrow("connection refused");

  await registry.resume({ login: true });
  await expect(engine.docker("pull", name)).rejects.toThrow("no basic auth credentials");
  const right = ["--username", registry.username, "--password", registry.password];
  await engine.docker("login", ...right, registry.address);
  await engine.docker("pull", name);
  await engine.docker("rmi", name);
});

test("nothing is left of an engine that is closed, not even of containers that outlived it", async () => {
  const cache = new URL("../../.cache/", import.meta.url);
  const count = async () => (await readdir(cache)).filter((name) => name.startsWith("engine-")).length;
  const before = await count();
  const second = await DockerEngine.start({ liveRestore: true });
  const seconds = `600.${process.pid}`;
  await second.docker("run", "--detach", baseImage, "sleep", seconds);
  await second.kill();
  const sleepers = () => listProcesses().filter(({ argv }) => argv.endsWith(`sleep ${seconds}`));
  expect(sleepers()).toHaveLength(1);
  await second[Symbol.asyncDispose]();
  expect(sleepers()).toEqual([]);
  expect(await count()).toBe(before);
});
