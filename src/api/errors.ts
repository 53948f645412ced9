import { WorkerError } from "../errors.ts";

/** Which request failed, for messages. */
export interface RequestName {
  readonly method: string;
  /** Path below the API root, with its query. */
  readonly path: string;
}

export interface ApiErrorFields extends RequestName {
  readonly status: number;
  /** The server's own explanation, shortened. */
  readonly detail: string;
  readonly retryAfterMs?: number | undefined;
  /** The server says that it is under maintenance: such answers do not count as attempts. */
  readonly isMaintenance?: boolean;
  readonly hint?: string | undefined;
  /** Overrides what the status says. */
  readonly retryable?: boolean;
}

/** The API answered with a status other than 2xx. */
export class ApiError extends WorkerError {
  override readonly name = "ApiError";
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly detail: string;
  readonly retryAfterMs: number | undefined;
  readonly isMaintenance: boolean;

  constructor(fields: ApiErrorFields) {
    const detail = fields.detail === "" ? "" : `: ${fields.detail}`;
    super("API_STATUS", `The Prefect API answered ${fields.status} to ${nameOf(fields)}${detail}`, {
      retryable: fields.retryable ?? isTransientStatus(fields.status),
      ...(fields.hint === undefined ? {} : { hint: fields.hint }),
    });
    this.method = fields.method;
    this.path = fields.path;
    this.status = fields.status;
    this.detail = fields.detail;
    this.retryAfterMs = fields.retryAfterMs;
    this.isMaintenance = fields.isMaintenance ?? false;
  }
}

export interface UndecodableFields extends RequestName {
  readonly status: number;
  readonly contentType: string;
  /** Start of the body, at most 512 bytes. */
  readonly snippet: string;
  /** What is wrong with it, when it is not simply no JSON. */
  readonly problem?: string;
  readonly cause?: unknown;
}

/** The API answered 2xx, but not with what the call promises: some proxy's page, or cut-off JSON. */
export class UndecodableResponseError extends WorkerError {
  override readonly name = "UndecodableResponseError";
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly contentType: string;
  readonly snippet: string;

  constructor(fields: UndecodableFields) {
    super(
      "API_UNDECODABLE",
      `The answer ${fields.status} (${fields.contentType}) to ${nameOf(fields)} ${fields.problem ?? "is no JSON"}; ` +
        `it begins with ${JSON.stringify(fields.snippet)}`,
      {
        cause: fields.cause,
        hint: "Check that PREFECT_API_URL is the address of the API (it usually ends in /api) and that no proxy answers in its place.",
      },
    );
    this.method = fields.method;
    this.path = fields.path;
    this.status = fields.status;
    this.contentType = fields.contentType;
    this.snippet = fields.snippet;
  }
}

/**
 * How far a request got that had no answer. `connect`: no connection was made; `timeout`: the deadline ended it, at whatever
 * stage; `exchange`: an open connection broke.
 */
export type TransportFailure = "connect" | "timeout" | "exchange";

/** There was no answer at all. */
export class UnreachableError extends WorkerError {
  override readonly name = "UnreachableError";
  readonly failure: TransportFailure;

  constructor(failure: TransportFailure, message: string, options: { cause?: unknown; hint?: string } = {}) {
    super("API_UNREACHABLE", message, options);
    this.failure = failure;
  }
}

/** True when the same call may succeed later without anybody changing anything. */
export function isRetryable(error: unknown): boolean {
  return error instanceof WorkerError && error.retryable;
}

export function nameOf(request: RequestName): string {
  return `${request.method} ${request.path}`;
}

function isTransientStatus(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}
