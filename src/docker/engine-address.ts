import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import { coerceError, WorkerError } from "../errors.ts";
import { dockerConfigDirectory, readDockerConfig, readDockerContext } from "./docker-config.ts";

import type { DockerEnvironment } from "./docker-config.ts";

/** PEM texts, as Node's TLS takes them. */
interface EngineTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly rejectUnauthorized: boolean;
}

/** Where the engine is. */
export interface EngineAddress {
  /** As the user wrote or would write it: `unix:///var/run/docker.sock`, `tcp://host:2376`. */
  readonly host: string;
  /** What has decided so, for messages: "DOCKER_HOST", "the Docker context 'prod'", "the default". */
  readonly source: string;
  /** Set for a Unix socket. */
  readonly socketPath?: string;
  /** Origin of the requests. */
  readonly origin: string;
  /** The name that docker-py gives the engine; Prefect's `infrastructure_pid` starts with it. */
  readonly baseUrl: string;
  readonly tls?: EngineTls;
}

const SYSTEM_SOCKETS = { docker: "/var/run/docker.sock", podman: "/run/podman/podman.sock" };

/**
 * Finds the engine as Docker's own client does: `DOCKER_HOST`, else the context of `DOCKER_CONTEXT` or of
 * `~/.docker/config.json`, else the socket of the system, of rootless Docker, or of podman, whichever is there.
 * Throws CONFIG_INVALID for an address that cannot be used. Opens no connection.
 */
export function findEngine(env: DockerEnvironment, systemSockets = SYSTEM_SOCKETS): EngineAddress {
  const host = env["DOCKER_HOST"]?.trim();
  if (host !== undefined && host !== "") return addressOf(host, "DOCKER_HOST", tlsOfEnvironment(env));
  const named = env["DOCKER_CONTEXT"]?.trim();
  const configured = named === undefined || named === "" ? readDockerConfig(env)["currentContext"] : named;
  if (typeof configured === "string" && configured !== "" && configured !== "default") {
    const context = readDockerContext(configured, env);
    const tls = tlsOfDirectory(context.tlsDirectory, !context.skipTlsVerify);
    return addressOf(context.host, `the Docker context '${configured}'`, tls);
  }
  return addressOf(`unix://${defaultSocket(env, systemSockets)}`, "the default", undefined);
}

function defaultSocket(env: DockerEnvironment, { docker, podman }: typeof SYSTEM_SOCKETS): string {
  const runtime = env["XDG_RUNTIME_DIR"] ?? "";
  const ofUser = runtime === "" ? [] : [join(runtime, "docker.sock"), join(runtime, "podman", "podman.sock")];
  return [docker, ...ofUser, podman].find(isSocket) ?? docker;
}

function isSocket(path: string): boolean {
  try {
    return statSync(path).isSocket();
  } catch {
    return false;
  }
}

function addressOf(host: string, source: string, tls: EngineTls | undefined): EngineAddress {
  const common = { host, source };
  if (host.startsWith("unix://")) {
    const socketPath = host.slice("unix://".length);
    if (!socketPath.startsWith("/")) throw unusable(common, "the path of a Unix socket must be absolute");
    return { ...common, socketPath, origin: "http://localhost", baseUrl: "http+docker://localhost" };
  }
  if (host.startsWith("ssh://")) {
    throw new WorkerError(
      "CONFIG_INVALID",
      `A Docker engine over SSH is not supported (${host}, from ${source})`,
      {
        hint: "Forward its socket and use that: `ssh -NL /tmp/engine.sock:/var/run/docker.sock HOST`, then DOCKER_HOST=unix:///tmp/engine.sock.",
      },
    );
  }
  const [, scheme, rest] = /^(?:(tcp|https?):\/\/)?([^/]+)\/?$/.exec(host) ?? [];
  if (rest === undefined) throw unusable(common, "it is neither unix://PATH nor tcp://HOST:PORT");
  const isTls = tls !== undefined || scheme === "https";
  const defaultPort = isTls ? "2376" : "2375";
  const place = /:\d+$/.test(rest) ? rest : `${rest}:${defaultPort}`;
  const origin = `${isTls ? "https" : "http"}://${place}`;
  if (!URL.canParse(origin)) throw unusable(common, "it is no address of a host");
  return {
    ...common,
    origin,
    baseUrl: origin,
    ...(isTls ? { tls: tls ?? { rejectUnauthorized: true } } : {}),
  };
}

function unusable({ host, source }: Pick<EngineAddress, "host" | "source">, problem: string): WorkerError {
  return new WorkerError(
    "CONFIG_INVALID",
    `The Docker host ${host} (from ${source}) cannot be used: ${problem}`,
    {
      hint: "Set DOCKER_HOST to unix:///path/to/docker.sock or tcp://host:2376, or choose another Docker context.",
    },
  );
}

// As docker-py's kwargs_from_env: a directory alone asks for TLS, but only DOCKER_TLS_VERIFY for a check of the engine.
function tlsOfEnvironment(env: DockerEnvironment): EngineTls | undefined {
  const { DOCKER_TLS_VERIFY: verify = "", DOCKER_CERT_PATH: directory = "" } = env;
  if (verify === "" && directory === "") return undefined;
  const files = directory === "" ? dockerConfigDirectory(env) : directory;
  return tlsOfDirectory(files, verify !== "") ?? { rejectUnauthorized: verify !== "" };
}

/** Undefined when the directory holds none of the three files. */
function tlsOfDirectory(directory: string, rejectUnauthorized: boolean): EngineTls | undefined {
  const ca = readPem(join(directory, "ca.pem"));
  const cert = readPem(join(directory, "cert.pem"));
  const key = readPem(join(directory, "key.pem"));
  if (ca === undefined && cert === undefined && key === undefined) return undefined;
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    rejectUnauthorized,
  };
}

function readPem(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (thrown) {
    const error: NodeJS.ErrnoException = coerceError(thrown);
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw new WorkerError("CONFIG_INVALID", `The file ${file} cannot be read: ${error.message}`, {
      cause: error,
      hint: "Docker's TLS files must be readable for the worker; see DOCKER_CERT_PATH.",
    });
  }
}
