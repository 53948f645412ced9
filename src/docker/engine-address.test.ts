import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "vitest";

import { findEngine } from "./engine-address.ts";

let home: string;
beforeEach(() => (home = mkdtempSync(join(tmpdir(), "docker-home-"))));
afterEach(() => rmSync(home, { recursive: true, force: true }));

function addContext(name: string, endpoint: object): string {
  const id = createHash("sha256").update(name).digest("hex");
  const meta = join(home, ".docker", "contexts", "meta", id);
  mkdirSync(meta, { recursive: true });
  writeFileSync(join(meta, "meta.json"), JSON.stringify({ Name: name, Endpoints: { docker: endpoint } }));
  const tls = join(home, ".docker", "contexts", "tls", id, "docker");
  mkdirSync(tls, { recursive: true });
  return tls;
}

describe("findEngine", () => {
  it("takes DOCKER_HOST before any context, as Docker's client does", ({ expect }) => {
    addContext("prod", { Host: "tcp://prod:2376" });
    const env = { HOME: home, DOCKER_HOST: "unix:///run/my.sock", DOCKER_CONTEXT: "prod" };
    expect(findEngine(env)).toMatchObject({
      host: "unix:///run/my.sock",
      socketPath: "/run/my.sock",
      source: "DOCKER_HOST",
      baseUrl: "http+docker://localhost",
    });
  });

  it("takes DOCKER_CONTEXT, else the current context of config.json, with its certificates", ({ expect }) => {
    const tls = addContext("prod", { Host: "tcp://prod:2376", SkipTLSVerify: false });
    writeFileSync(join(tls, "ca.pem"), "CA");
    addContext("dev", { Host: "unix:///run/dev.sock" });
    writeFileSync(join(home, ".docker", "config.json"), JSON.stringify({ currentContext: "dev" }));
    expect(findEngine({ HOME: home })).toMatchObject({ host: "unix:///run/dev.sock" });
    expect(findEngine({ HOME: home, DOCKER_CONTEXT: "prod" })).toMatchObject({
      origin: "https://prod:2376",
      tls: { ca: "CA", rejectUnauthorized: true },
      source: "the Docker context 'prod'",
    });
    expect(() => findEngine({ HOME: home, DOCKER_CONTEXT: "gone" })).toThrow(
      /no Docker context named 'gone'/,
    );
    expect(findEngine({ HOME: home, DOCKER_CONTEXT: "default" }).source).toBe("the default");
  });

  it("speaks TLS as docker-py does: checked with DOCKER_TLS_VERIFY, unchecked with DOCKER_CERT_PATH alone", ({
    expect,
  }) => {
    for (const name of ["ca", "cert", "key"]) writeFileSync(join(home, `${name}.pem`), name);
    const env = { HOME: home, DOCKER_HOST: "tcp://10.0.0.1:2376", DOCKER_CERT_PATH: home };
    expect(findEngine({ ...env, DOCKER_TLS_VERIFY: "1" })).toMatchObject({
      origin: "https://10.0.0.1:2376",
      baseUrl: "https://10.0.0.1:2376",
      tls: { ca: "ca", cert: "cert", key: "key", rejectUnauthorized: true },
    });
    expect(findEngine(env).tls?.rejectUnauthorized).toBe(false);
    expect(findEngine({ HOME: home, DOCKER_HOST: "tcp://10.0.0.1" })).toMatchObject({
      origin: "http://10.0.0.1:2375",
    });
  });

  it("finds the socket of rootless podman when there is no other", async ({ expect }) => {
    const runtime = join(home, "run");
    mkdirSync(join(runtime, "podman"), { recursive: true });
    const socket = join(runtime, "podman", "podman.sock");
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    try {
      const none = { docker: join(home, "none"), podman: join(home, "none") };
      expect(findEngine({ HOME: home, XDG_RUNTIME_DIR: runtime }, none).socketPath).toBe(socket);
      expect(findEngine({ HOME: home }, none).socketPath).toBe(none.docker);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it("refuses what it cannot use, and says what to do", ({ expect }) => {
    expect(() => findEngine({ HOME: home, DOCKER_HOST: "ssh://me@host" })).toThrow(
      /over SSH is not supported/,
    );
    expect(() => findEngine({ HOME: home, DOCKER_HOST: "npipe:////./pipe/docker" })).toThrow(/neither unix/);
    expect(() => findEngine({ HOME: home, DOCKER_HOST: "unix://relative" })).toThrow(/must be absolute/);
    mkdirSync(join(home, ".docker"));
    writeFileSync(join(home, ".docker", "config.json"), "{oops");
    expect(() => findEngine({ HOME: home })).toThrow(/config\.json is no JSON object/);
  });
});
