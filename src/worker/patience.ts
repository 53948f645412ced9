import { ApiError, UndecodableResponseError, UnreachableError } from "../api/errors.ts";
import { coerceError } from "../errors.ts";

import type { Clock } from "../lifecycle/clock.ts";

const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 30_000;

export interface Patience {
  readonly clock: Clock;
  /** Aborted when the worker can't wait for the API any longer. */
  readonly closing: AbortSignal;
}

/**
 * Repeats a call until the API answers, however long it is away. Rejects when the API refuses for good, or with the call's
 * last error once `closing` is aborted.
 */
export async function untilAnswered<T>(
  call: () => Promise<T>,
  { clock, closing }: Patience,
  onRetry: (error: Error) => void = () => undefined,
): Promise<T> {
  for (let delayMs = FIRST_RETRY_MS; ; delayMs = Math.min(delayMs * 2, MAX_RETRY_MS)) {
    try {
      return await call();
    } catch (thrown) {
      const error = coerceError(thrown);
      if (closing.aborted || !isWorthRetrying(error)) throw error;
      onRetry(error);
      await clock.sleep(delayMs, closing);
    }
  }
}

/** True when not the request but the way to the API is at fault: nobody answers, or a proxy does. */
export function isApiAway(error: unknown): boolean {
  if (error instanceof ApiError) return AWAY_STATUSES.has(error.status);
  if (error instanceof UnreachableError || error instanceof UndecodableResponseError) return true;
  return error instanceof Error && error.cause !== undefined && isApiAway(error.cause);
}

const AWAY_STATUSES = new Set([408, 425, 429, 502, 503, 504]);

// A 4xx is the same answer next time, but 401 and 403, which end when somebody mends the key.
function isWorthRetrying(error: Error): boolean {
  if ("retryable" in error && error.retryable === true) return true;
  return "status" in error && (error.status === 401 || error.status === 403 || Number(error.status) >= 500);
}
