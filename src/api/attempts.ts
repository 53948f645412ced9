import { ApiError, UndecodableResponseError, UnreachableError } from "./errors.ts";

import type { Clock } from "../lifecycle/clock.ts";
import type { RequestName } from "./errors.ts";

/** One attempt of an API call that came to its end by itself. */
export interface AttemptNotice extends RequestName {
  /** HTTP status; null when there was no answer. */
  readonly status: number | null;
  readonly durationMs: number;
}

/** Makes the attempt and tells how it went. One that its caller gave up is not told of. */
export async function tellAttempt<T extends { readonly status: number }>(
  { method, path }: RequestName,
  attempt: () => Promise<T>,
  clock: Pick<Clock, "monotonic">,
  onAttempt: ((notice: AttemptNotice) => void) | undefined,
): Promise<T> {
  if (onAttempt === undefined) return await attempt();
  const startedAt = clock.monotonic();
  const tell = (status: number | null): void =>
    onAttempt({ method, path, status, durationMs: clock.monotonic() - startedAt });
  try {
    const answer = await attempt();
    tell(answer.status);
    return answer;
  } catch (thrown) {
    if (thrown instanceof ApiError || thrown instanceof UndecodableResponseError) tell(thrown.status);
    else if (thrown instanceof UnreachableError) tell(null);
    throw thrown;
  }
}
