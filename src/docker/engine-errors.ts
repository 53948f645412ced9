import { coerceError, WorkerError } from "../errors.ts";

import type { EngineAddress } from "./engine-address.ts";

/** The engine's answer that says no. `message` is the engine's own. */
export class EngineStatusError extends WorkerError {
  readonly status: number;
  /** The engine's own words, without what was being done. */
  readonly answer: string;

  constructor(status: number, what: string, answer: string, hint?: string) {
    super("ENGINE_STATUS", `${what}: ${answer}`, {
      retryable: status >= 500,
      ...(hint === undefined ? {} : { hint }),
    });
    this.status = status;
    this.answer = answer;
  }

  /** Podman answers 500 where Docker answers 404. */
  get isNotFound(): boolean {
    return this.status === 404 || /no such (container|image)/i.test(this.message);
  }

  get isConflict(): boolean {
    return this.status === 409;
  }
}

/** True for what says that the object asked for is not there (any more). */
export function isNotFound(error: unknown): boolean {
  return error instanceof EngineStatusError && error.isNotFound;
}

/** True when the engine could not be asked: it is down, being restarted, or its connection broke. */
export function isEngineAway(error: unknown): boolean {
  return error instanceof WorkerError && error.code === "ENGINE_UNREACHABLE";
}

/** True when there was not even a connection, so that the engine has certainly not got the request. */
export function neverConnected(error: unknown): boolean {
  if (!isEngineAway(error) || !(error instanceof Error)) return false;
  const { code } = error.cause as NodeJS.ErrnoException;
  return code !== undefined && UNCONNECTED.has(code);
}

const UNCONNECTED = new Set([
  "ENOENT",
  "ECONNREFUSED",
  "EACCES",
  "EPERM",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** What a failed connection means: what, where, and what to do. */
export function unreachable(address: EngineAddress, thrown: unknown): WorkerError {
  const error: NodeJS.ErrnoException = coerceError(thrown);
  const [problem, hint] = explain(address, error);
  return new WorkerError(
    "ENGINE_UNREACHABLE",
    `The Docker engine at ${address.host} (from ${address.source}) cannot be reached: ${problem}`,
    { cause: error, hint },
  );
}

const CHOOSE = "set DOCKER_HOST or a Docker context if it is somewhere else";

function explain(address: EngineAddress, error: NodeJS.ErrnoException): readonly [string, string] {
  switch (error.code) {
    case "ENOENT":
      return ["there is no such socket", `Start the engine (\`systemctl start docker\`), or ${CHOOSE}.`];
    case "ECONNREFUSED":
      return [
        address.socketPath === undefined ? "the connection was refused" : "nobody listens on the socket",
        `Start the engine (\`systemctl start docker\`), or ${CHOOSE}.`,
      ];
    case "EACCES":
    case "EPERM":
      return [
        "the worker's user may not use the socket",
        "Add the user to the group that owns the socket (`usermod -aG docker USER`, then log in again), or use a rootless engine.",
      ];
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return ["the host's name cannot be resolved", `Correct it, or ${CHOOSE}.`];
    case "ETIMEDOUT":
    case "UND_ERR_CONNECT_TIMEOUT":
    case "UND_ERR_HEADERS_TIMEOUT":
      return [
        "it did not answer in time",
        "See whether the engine is overloaded (`docker ps`); DOCKER_CLIENT_TIMEOUT (seconds) allows it more time.",
      ];
    default:
      return [
        causeOf(error),
        address.tls === undefined
          ? `See whether the engine runs (\`docker version\`), or ${CHOOSE}.`
          : "Check the certificates in DOCKER_CERT_PATH (ca.pem, cert.pem, key.pem) and the engine's own.",
      ];
  }
}

function causeOf(error: NodeJS.ErrnoException): string {
  const text = error.message === "" ? (error.code ?? error.name) : error.message;
  return text.replace(/\.$/, "");
}
