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
function retryDelayMs(attempt: number, retryAfterMs: number | undefined, rules: RetryRules): number {
  if (retryAfterMs !== undefined) return Math.ceil(retryAfterMs * (1 + rules.jitterFactor * rules.random()));
  return Math.round(2 ** attempt * 1000 * (1 - rules.jitterFactor + 2 * rules.jitterFactor * rules.random()));
}

// How many attempts of an eager call follow at once, each a little later, before it waits as all others do.
const QUICK_RETRIES = 8;
const QUICK_RETRY_MS = 25;

/** The waits between the attempts of one call. */
export class RetryRounds {
  readonly #retries: number;
  readonly #rules: RetryRules;
  readonly #isEager: boolean;
  #failures = 0;
  #quickRetries = 0;

  constructor(retries: number, rules: RetryRules, isEager: boolean) {
    this.#retries = retries;
    this.#rules = rules;
    this.#isEager = isEager;
  }

  /** Milliseconds to wait before the next attempt; undefined when there is to be none. A maintenance lasts as long as it takes. */
  delayAfter(thrown: unknown): number | undefined {
    if (this.#retries === 0) return undefined;
    const error = thrown instanceof ApiError ? thrown : undefined;
    if (this.#isEager && isCrossedWrite(error) && this.#quickRetries < QUICK_RETRIES) {
      this.#quickRetries += 1;
      return QUICK_RETRY_MS * this.#quickRetries;
    }
    if (error?.isMaintenance !== true) this.#failures += 1;
    if (this.#failures > this.#retries) return undefined;
    return retryDelayMs(this.#failures, error?.retryAfterMs, this.#rules);
  }
}

/**
 * Whether the server's own database refused to go on (prefect/server/api/server.py: 503 without Retry-After). On SQLite it refuses
 * each transaction that began to read before another one wrote: the next attempt finds nothing in its way.
 */
function isCrossedWrite(error: ApiError | undefined): boolean {
  return error?.status === 503 && error.retryAfterMs === undefined && !error.isMaintenance;
}

/** Reads Retry-After, given in seconds or as an HTTP date. Undefined when it is neither. */
export function parseRetryAfter(value: string, nowMs: number): number | undefined {
  const text = value.trim();
  if (text === "") return undefined;
  const seconds = Number(text);
  const ms = Number.isNaN(seconds) ? Date.parse(text) - nowMs : seconds * 1000;
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
