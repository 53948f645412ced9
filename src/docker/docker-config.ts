import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

import { coerceError, WorkerError } from "../errors.ts";
import { parseJson } from "../json/parse.ts";
import { isJsonObject } from "../json/value.ts";

import type { JsonObject } from "../json/value.ts";

/** The environment variables that say where things are; `process.env` fits. */
export type DockerEnvironment = Readonly<Record<string, string | undefined>>;

/** Directory of Docker's client: `DOCKER_CONFIG`, else `~/.docker`. */
export function dockerConfigDirectory(env: DockerEnvironment): string {
  const { DOCKER_CONFIG: directory } = env;
  return directory === undefined || directory === "" ? join(env["HOME"] || homedir(), ".docker") : directory;
}

/** The client's `config.json`; empty when there is none. Throws CONFIG_INVALID for one that cannot be read or understood. */
export function readDockerConfig(env: DockerEnvironment): JsonObject {
  const file = join(dockerConfigDirectory(env), "config.json");
  const text = readText(file);
  return text === undefined || text.trim() === "" ? {} : parseObject(text, file);
}

/** Where a context of `docker context` leads to. */
export interface DockerContext {
  readonly host: string;
  readonly skipTlsVerify: boolean;
  /** Holds ca.pem, cert.pem and key.pem, as far as the context has them. */
  readonly tlsDirectory: string;
}

/** Reads a context by its name, as `docker context create` has stored it. Throws CONFIG_INVALID when there is none. */
export function readDockerContext(name: string, env: DockerEnvironment): DockerContext {
  const contexts = join(dockerConfigDirectory(env), "contexts");
  const id = createHash("sha256").update(name).digest("hex");
  const file = join(contexts, "meta", id, "meta.json");
  const text = readText(file);
  if (text === undefined) {
    throw new WorkerError("CONFIG_INVALID", `There is no Docker context named '${name}' (no file ${file})`, {
      hint: "`docker context ls` shows those there are. Correct DOCKER_CONTEXT or run `docker context use`.",
    });
  }
  const endpoints = parseObject(text, file)["Endpoints"];
  const endpoint = isJsonObject(endpoints) ? endpoints["docker"] : undefined;
  const host = isJsonObject(endpoint) ? endpoint["Host"] : undefined;
  if (!isJsonObject(endpoint) || typeof host !== "string" || host === "") {
    throw new WorkerError("CONFIG_INVALID", `The Docker context '${name}' names no engine (${file})`, {
      hint: "Update it with `docker context update`, or choose another one.",
    });
  }
  return {
    host,
    skipTlsVerify: endpoint["SkipTLSVerify"] === true,
    tlsDirectory: join(contexts, "tls", id, "docker"),
  };
}

/** Undefined for a file that is not there. */
function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (thrown) {
    const error: NodeJS.ErrnoException = coerceError(thrown);
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw new WorkerError("CONFIG_INVALID", `Docker's file ${file} cannot be read: ${error.message}`, {
      cause: error,
      hint: "Make it readable for the worker, or name another directory with DOCKER_CONFIG.",
    });
  }
}

function parseObject(text: string, file: string): JsonObject {
  try {
    const value = parseJson(text);
    if (isJsonObject(value)) return value;
  } catch {
    // said below
  }
  throw new WorkerError("CONFIG_INVALID", `Docker's file ${file} is no JSON object`, {
    hint: "Correct or remove it; `docker` itself cannot use it either.",
  });
}
