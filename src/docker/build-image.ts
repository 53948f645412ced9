import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { isAbsolute, relative, resolve } from "node:path";

import { coerceError, WorkerError } from "../errors.ts";
import { isJsonObject } from "../json/value.ts";
import { systemClock } from "../lifecycle/clock.ts";
import { readBuildContext } from "./build-context.ts";
import { readDockerConfig } from "./docker-config.ts";
import { EngineStatusError } from "./engine-errors.ts";
import { errorOf, readMessages } from "./engine-messages.ts";
import { buildFailure } from "./image-failures.ts";
import { encodeLogin, findAllLogins } from "./registry-logins.ts";
import { TransferProgress } from "./transfer-progress.ts";

import type { BuildContext, ExtraFile } from "./build-context.ts";
import type { DockerEnvironment } from "./docker-config.ts";
import type { DockerEngine, EngineRequest } from "./engine.ts";

/** How an image is built; the names are docker-py's where the engine has others. */
export interface BuildOptions {
  /** What it is called in messages. */
  readonly name: string;
  /** Absolute directory, or the URL of a git repository or archive that the engine fetches itself. */
  readonly path: string;
  /** Relative to `path`, or absolute, also outside of it. */
  readonly dockerfile: string;
  /** Put into the context in place of a file of that name. */
  readonly extraFiles?: readonly ExtraFile[];
  readonly buildArgs?: Readonly<Record<string, string | null>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** `HOST:IP` */
  readonly extraHosts?: readonly string[];
  /** Images whose layers are taken for a cache. */
  readonly cacheFrom?: readonly string[];
  /** More of the engine's parameters: nocache, pull, rm, forcerm, q, shmsize, target, networkmode, squash, platform, memory… */
  readonly parameters?: Readonly<Record<string, string | number | boolean>>;
  /** Where Docker's config.json and its helpers are found. */
  readonly env: DockerEnvironment;
  /** Each line that the build prints. */
  readonly onLine: (line: string) => void;
  /** Told what is sent, and how far the base image's pull is. */
  readonly onProgress: (text: string) => void;
  readonly signal: AbortSignal;
}

const REMOTE = /^(?:https?:\/\/|git:\/\/|github\.com\/|git@)/;

/** True for a build context that the engine fetches itself: a git repository or an archive. */
export function isRemoteContext(path: string): boolean {
  return REMOTE.test(path);
}

const LARGE_CONTEXT_BYTES = 500e6;

/**
 * Builds an image and gives its id. Rejects with IMAGE_UNAVAILABLE, which holds the engine's own words, with
 * ENGINE_UNREACHABLE, or with the signal's reason.
 */
export async function buildImage(engine: DockerEngine, options: BuildOptions): Promise<string> {
  const { name, path, env, onLine, onProgress, signal } = options;
  const what = `The image ${name} could not be built`;
  const isRemote = isRemoteContext(path);
  const { dockerfile, context } = isRemote
    ? { dockerfile: options.dockerfile, context: undefined }
    : await localContext(options);
  if (context !== undefined) tellSize(context, onProgress);
  const logins = await findAllLogins(env);
  const progress = new TransferProgress("Pulling the base image", systemClock, onProgress);
  const lines = new LineWriter(onLine);
  let id: string | undefined;
  try {
    const { body } = await engine.stream({
      method: "POST",
      path: "/build",
      query: queryOf(options, dockerfile, isRemote ? path : undefined),
      what,
      signal,
      ...(context === undefined ? {} : { body: context.archive }),
      headers: { "x-registry-config": encodeLogin(logins) },
      timeoutMs: 0,
    });
    for await (const message of readMessages(engine, body, signal)) {
      const problem = errorOf(message);
      if (problem !== undefined) throw buildFailure(what, problem);
      if (message.stream !== undefined) lines.write(message.stream);
      id = message.aux?.ID ?? /^sha256:[0-9a-f]{64}$/.exec(message.stream?.trim() ?? "")?.[0] ?? id;
      progress.add(message);
    }
  } catch (thrown) {
    signal.throwIfAborted();
    const failure = context?.archive.errored;
    if (failure instanceof WorkerError) throw failure;
    throw thrown instanceof EngineStatusError ? buildFailure(what, thrown.answer) : thrown;
  } finally {
    lines.end();
    context?.archive.destroy();
  }
  if (id === undefined) throw buildFailure(what, "the engine named no image in the end");
  return id;
}

/** A Dockerfile from outside goes along under a name of its own, as docker-py has it (docker/api/build.py: process_dockerfile). */
async function localContext({
  path,
  dockerfile,
  extraFiles = [],
}: BuildOptions): Promise<{ readonly dockerfile: string; readonly context: BuildContext }> {
  const file = resolve(path, dockerfile);
  const inside = relative(path, file);
  if (!inside.startsWith("..") && !isAbsolute(inside)) {
    return { dockerfile: inside, context: await readBuildContext(path, inside, extraFiles) };
  }
  const content = await readFile(file, "utf8").catch((thrown: unknown) => {
    const error = coerceError(thrown);
    throw new WorkerError("IMAGE_UNAVAILABLE", `The Dockerfile ${file} cannot be read: ${error.message}`, {
      cause: error,
      hint: "Correct the step's `dockerfile`; a relative one counts from the build context (`path`).",
    });
  });
  const own = `.dockerfile.${randomBytes(10).toString("hex")}`;
  return {
    dockerfile: own,
    context: await readBuildContext(path, own, [...extraFiles, { path: own, content }]),
  };
}

function tellSize({ files, bytes }: BuildContext, onProgress: (text: string) => void): void {
  const size = `${files} files, ${(bytes / 1e6).toFixed(1)} MB`;
  onProgress(
    bytes > LARGE_CONTEXT_BYTES
      ? `Sending the build context: ${size}. A .dockerignore keeps out what the image does not need.`
      : `Sending the build context: ${size}`,
  );
}

function queryOf(
  options: BuildOptions,
  dockerfile: string,
  remote: string | undefined,
): NonNullable<EngineRequest["query"]> {
  const { buildArgs = {}, labels = {}, extraHosts = [], cacheFrom = [], parameters = {}, env } = options;
  const args = { ...configuredProxies(env), ...buildArgs };
  return {
    dockerfile,
    labels,
    buildargs: Object.keys(args).length > 0 ? args : undefined,
    cachefrom: cacheFrom.length > 0 ? JSON.stringify(cacheFrom) : undefined,
    remote,
    extrahosts: extraHosts,
    // Intermediate containers are removed, as Docker's client does; docker-py leaves them.
    rm: true,
    forcerm: true,
    ...parameters,
  };
}

/** The proxies of config.json, which Docker's client hands to every build (docker/utils/proxy.py). */
function configuredProxies(env: DockerEnvironment): Record<string, string> {
  const proxies = readDockerConfig(env)["proxies"];
  const chosen = isJsonObject(proxies) ? proxies["default"] : undefined;
  if (!isJsonObject(chosen)) return {};
  const variables = {
    http_proxy: "httpProxy",
    https_proxy: "httpsProxy",
    ftp_proxy: "ftpProxy",
    no_proxy: "noProxy",
  };
  return Object.fromEntries(
    Object.entries(variables).flatMap(([variable, key]) => {
      const value = chosen[key];
      if (typeof value !== "string" || value === "") return [];
      return [
        [variable, value],
        [variable.toUpperCase(), value],
      ];
    }),
  );
}

/** Cuts what a build prints into lines. */
class LineWriter {
  readonly #onLine: (line: string) => void;
  #rest = "";

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  write(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#onLine(line);
  }

  end(): void {
    if (this.#rest !== "") this.#onLine(this.#rest);
    this.#rest = "";
  }
}
