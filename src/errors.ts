/** Stable codes of the errors that users meet. `exitCode` is the process's exit status when one ends a command. */
const ERROR_CODES = {
  CONFIG_INVALID: { retryable: false, exitCode: 2, doc: "a setting is missing or has a wrong value" },
  API_UNREACHABLE: {
    retryable: true,
    exitCode: 1,
    doc: "no connection to the Prefect API, or no answer in time",
  },
  API_STATUS: { retryable: false, exitCode: 1, doc: "the Prefect API refused a request" },
  API_UNDECODABLE: {
    retryable: true,
    exitCode: 1,
    doc: "a 2xx answer that is no JSON, such as a proxy's page",
  },
  TEMPLATE_INVALID: { retryable: false, exitCode: 1, doc: "a reference in a template cannot be resolved" },
  SCHEDULE_INVALID: { retryable: false, exitCode: 1, doc: "a schedule that no runs can be made from" },
  STEP_FAILED: { retryable: false, exitCode: 1, doc: "a pull step failed" },
  LAUNCH_FAILED: { retryable: false, exitCode: 1, doc: "a flow run's process could not be started" },
  ENGINE_UNREACHABLE: {
    retryable: true,
    exitCode: 1,
    doc: "no connection to the Docker engine, or no answer in time",
  },
  ENGINE_STATUS: { retryable: false, exitCode: 1, doc: "the Docker engine refused a request" },
  IMAGE_UNAVAILABLE: {
    retryable: false,
    exitCode: 1,
    doc: "a container image cannot be pulled, built or pushed, or is not there",
  },
  NOT_REMOVABLE: {
    retryable: true,
    exitCode: 1,
    doc: "a directory holds files that this user may not remove",
  },
  POOL_UNUSABLE: {
    retryable: false,
    exitCode: 1,
    doc: "the work pool is missing, or of a kind no worker serves",
  },
  NOT_FOUND: { retryable: false, exitCode: 1, doc: "the object named on the command line does not exist" },
  DATABASE_UNUSABLE: {
    retryable: false,
    exitCode: 1,
    doc: "the embedded server's database is in use or cannot be opened",
  },
  DEPLOY_REFUSED: { retryable: false, exitCode: 1, doc: "what is to be deployed is not said, or cannot be" },
  FLOW_UNREADABLE: { retryable: false, exitCode: 1, doc: "a flow cannot be loaded from its entrypoint" },
  PROJECT_INVALID: {
    retryable: false,
    exitCode: 1,
    doc: "a file that describes a project, such as prefect.yaml, cannot be used",
  },
  REFUSED: { retryable: false, exitCode: 1, doc: "the server's rules forbid what was asked for" },
  TIMED_OUT: { retryable: false, exitCode: 1, doc: "what was waited for did not come in time" },
  MACHINE_UNFIT: {
    retryable: false,
    exitCode: 1,
    doc: "a program that a command needs is missing on this machine, or too old",
  },
  USAGE: { retryable: false, exitCode: 2, doc: "the command line is wrong" },
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface WorkerErrorOptions {
  readonly cause?: unknown;
  /** What the reader can do next, as one sentence. */
  readonly hint?: string;
  /** Overrides the code's own answer. */
  readonly retryable?: boolean;
}

/** Base of every expected failure: says what went wrong, whether trying again can help, and what to do next. */
export class WorkerError extends Error {
  override readonly name: string = "WorkerError";
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: WorkerErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? ERROR_CODES[code].retryable;
    this.hint = options.hint;
  }

  get exitCode(): number {
    return ERROR_CODES[this.code].exitCode;
  }
}

/** Turns whatever was thrown into an Error, so that a `catch` that keeps going can log it. */
export function coerceError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
}
