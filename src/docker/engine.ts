import { Agent } from "undici";

import { WorkerError } from "../errors.ts";
import { EngineStatusError, unreachable } from "./engine-errors.ts";

import type { Dispatcher } from "undici";
import type { Readable } from "node:stream";
import type { EngineAddress } from "./engine-address.ts";

/** A value of a query: booleans become 1 and 0, a list one value each, other objects JSON (the engine's filters), undefined is left out. */
type QueryValue = string | number | boolean | readonly string[] | object | undefined;

export interface EngineRequest {
  readonly method: "GET" | "POST" | "DELETE" | "PUT" | "HEAD";
  /** Below the version, as in the Engine API's reference: `/containers/json`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, QueryValue>>;
  /** Sent as JSON; a stream is sent as it is, as a tar archive. */
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  /** What is being done, for messages: "The image X could not be pulled". */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
  /** How long the answer's head may take; 0: for ever. Default: the engine's own (`DOCKER_CLIENT_TIMEOUT`). */
  readonly timeoutMs?: number | undefined;
}

export interface EngineAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Must be read to its end or destroyed. Errors of the connection come as they are: see `DockerEngine.broken`. */
  readonly body: Readable;
}

export interface EngineOptions {
  readonly address: EngineAddress;
  /** How long connecting and an answer's head may take (`DOCKER_CLIENT_TIMEOUT`, docker-py: 60 s). */
  readonly timeoutMs?: number;
  /** Spoken instead of the newest version that both know (`DOCKER_API_VERSION`). */
  readonly apiVersion?: string | undefined;
}

const DEFAULT_TIMEOUT_MS = 60_000;
const PING_MS = 5000;
/** Docker 20.10; podman says the same. Older ones know no `host-gateway`. */
const OLDEST_API = "1.41";
/** What this client was written against; newer engines speak it, too. */
const NEWEST_API = "1.47";

/** One Docker engine (or podman's service), over its socket. Opens connections when they are needed. */
export class DockerEngine {
  readonly address: EngineAddress;
  readonly #agent: Agent;
  readonly #timeoutMs: number;
  #apiVersion: string | undefined;

  constructor({ address, timeoutMs = DEFAULT_TIMEOUT_MS, apiVersion }: EngineOptions) {
    this.address = address;
    this.#timeoutMs = timeoutMs;
    this.#apiVersion = apiVersion;
    const { socketPath, tls } = address;
    this.#agent = new Agent({
      connect: {
        timeout: timeoutMs,
        ...(socketPath === undefined ? {} : { socketPath }),
        ...tls,
      },
      // A wait and a followed log hold a connection each, so there may be any number.
      connections: null,
      pipelining: 1,
      bodyTimeout: 0,
    });
  }

  /** The version of the API that is spoken with this engine; asked for once. Rejects with ENGINE_UNREACHABLE. */
  async apiVersion(signal?: AbortSignal): Promise<string> {
    this.#apiVersion ??= await this.#negotiate(signal);
    return this.#apiVersion;
  }

  /**
   * Sends a request and gives the answer's body as a stream. Rejects with an EngineStatusError for a status of 400 or more,
   * with ENGINE_UNREACHABLE when there is no answer, with the signal's reason when it was aborted.
   */
  async stream(request: EngineRequest): Promise<EngineAnswer> {
    const version = await this.apiVersion(request.signal);
    const answer = await this.#send(request, `/v${version}${request.path}${queryOf(request.query)}`);
    if (answer.statusCode >= 400) throw await this.#refusal(request, answer);
    return { status: answer.statusCode, headers: answer.headers, body: answer.body };
  }

  /** As {@link stream}, but reads the body: JSON as `unknown`, undefined for an empty one. */
  async request(request: EngineRequest): Promise<unknown> {
    const { body } = await this.stream(request);
    const text = await this.#read(body, request.signal);
    if (text.trim() === "") return undefined;
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new WorkerError("ENGINE_STATUS", `${request.what}: the engine's answer is no JSON`, { cause });
    }
  }

  /** What an error means that came while a body was read: the connection to the engine has broken. */
  broken(error: unknown): WorkerError {
    return error instanceof WorkerError ? error : unreachable(this.address, error);
  }

  /** Asks whether it is there, and does not wait for long. Rejects as {@link stream} does. */
  async ping(signal?: AbortSignal): Promise<void> {
    const patience = AbortSignal.timeout(Math.min(PING_MS, this.#timeoutMs));
    try {
      await this.#ping(signal === undefined ? patience : AbortSignal.any([signal, patience]));
    } catch (thrown) {
      signal?.throwIfAborted();
      if (!patience.aborted) throw thrown;
      throw unreachable(this.address, Object.assign(new Error("timed out"), { code: "ETIMEDOUT" }));
    }
  }

  /** Ends all connections, also those in use. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #negotiate(signal: AbortSignal | undefined): Promise<string> {
    const { "api-version": theirs } = await this.#ping(signal);
    if (typeof theirs !== "string" || theirs === "") {
      throw new WorkerError(
        "ENGINE_STATUS",
        `What answers at ${this.address.host} (from ${this.address.source}) is no Docker engine`,
        { hint: "Set DOCKER_HOST to the engine's socket." },
      );
    }
    if (compareVersions(theirs, OLDEST_API) < 0) {
      throw new WorkerError(
        "ENGINE_STATUS",
        `The Docker engine at ${this.address.host} is too old: it speaks version ${theirs} of the API`,
        { hint: `Docker 20.10 (API ${OLDEST_API}) or newer is needed; podman 4 or newer works as well.` },
      );
    }
    return compareVersions(theirs, NEWEST_API) > 0 ? NEWEST_API : theirs;
  }

  async #ping(signal: AbortSignal | undefined): Promise<EngineAnswer["headers"]> {
    const request = { method: "GET", path: "/_ping", what: "The engine could not be asked", signal } as const;
    const answer = await this.#send(request, "/_ping");
    if (answer.statusCode >= 400) throw await this.#refusal(request, answer);
    await this.#read(answer.body, signal);
    return answer.headers;
  }

  async #send(request: EngineRequest, path: string): Promise<Dispatcher.ResponseData> {
    const { method, body, headers, signal, timeoutMs } = request;
    const isStream = body !== undefined && "pipe" in body;
    try {
      return await this.#agent.request({
        origin: this.address.origin,
        method,
        path,
        headers: {
          ...(body === undefined
            ? {}
            : { "content-type": isStream ? "application/x-tar" : "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: isStream ? (body as Readable) : JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
        headersTimeout: timeoutMs ?? this.#timeoutMs,
      });
    } catch (thrown) {
      signal?.throwIfAborted();
      throw unreachable(this.address, thrown);
    }
  }

  async #refusal(request: EngineRequest, answer: Dispatcher.ResponseData): Promise<EngineStatusError> {
    const text = await this.#read(answer.body, request.signal);
    return new EngineStatusError(answer.statusCode, request.what, messageOf(text, answer.statusCode));
  }

  async #read(body: Readable, signal: AbortSignal | undefined): Promise<string> {
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of body) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks).toString();
    } catch (thrown) {
      signal?.throwIfAborted();
      throw unreachable(this.address, thrown);
    }
  }
}

function queryOf(query: EngineRequest["query"]): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value === undefined) continue;
    if (Array.isArray(value)) for (const item of value) params.append(key, String(item));
    else if (typeof value === "boolean") params.set(key, value ? "1" : "0");
    else params.set(key, typeof value === "object" ? JSON.stringify(value) : String(value));
  }
  const text = params.toString();
  return text === "" ? "" : `?${text}`;
}

/** The engine says `{"message": …}`, podman also `{"cause": …}`; a proxy in front of it anything. */
function messageOf(text: string, status: number): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    if (typeof message === "string" && message !== "") return message.trim();
  } catch {
    // no JSON
  }
  return text.trim() === "" ? `status ${status}` : `status ${status}: ${text.trim().slice(0, 500)}`;
}

/** As numbers, part by part: 1.9 < 1.41. */
function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number));
  for (let at = 0; at < Math.max(left?.length ?? 0, right?.length ?? 0); at += 1) {
    const difference = (left?.[at] ?? 0) - (right?.[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
