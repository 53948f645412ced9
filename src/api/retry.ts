import { ApiError, UndecodableResponseError, UnreachableError } from "./errors.ts";

// prefect/client/base.py: statuses that are tried again.
const RETRY_STATUSES = new Set([408, 429, 502, 503]);

export interface RetryRules {
  readonly extraCodes: ReadonlySet<number>;
  /** Fraction by which waits vary. */
  readonly jitterFactor: number;
  readonly random: () => number;
}

/** What this client has seen of its server so far. */
export interface ServerRecord {
  /** Any answer has come; only then a refused connection is worth another try: before, the address may be wrong. */
  hasAnswered: boolean;
  /** A 2xx with JSON has come; only then a page in its place is worth another try. */
  hasDecoded: boolean;
}

/** Whether a failed attempt is followed by another (protocol §1.7). */
export function mayTryAgain(
  error: unknown,
  rules: Pick<RetryRules, "extraCodes">,
  record: ServerRecord,
): boolean {
  if (error instanceof ApiError)
    return RETRY_STATUSES.has(error.status) || rules.extraCodes.has(error.status);
  if (error instanceof UnreachableError) return error.failure !== "connect" || record.hasAnswered;
  return error instanceof UndecodableResponseError && record.hasDecoded;
}

/**
 * Milliseconds to wait after the `attempt`-th counted failure: the server's Retry-After as a minimum, otherwise
 * 2^attempt seconds, give or take.
 */
export function retryDelayMs(attempt: number, retryAfterMs: number | undefined, rules: RetryRules): number {
  if (retryAfterMs !== undefined) return Math.ceil(retryAfterMs * (1 + rules.jitterFactor * rules.random()));
  return Math.round(2 ** attempt * 1000 * (1 - rules.jitterFactor + 2 * rules.jitterFactor * rules.random()));
}

/** Reads Retry-After, given in seconds or as an HTTP date. Undefined when it is neither. */
export function parseRetryAfter(value: string, nowMs: number): number | undefined {
  const text = value.trim();
  if (text === "") return undefined;
  const seconds = Number(text);
  const ms = Number.isNaN(seconds) ? Date.parse(text) - nowMs : seconds * 1000;
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
