import pLimit from "p-limit";

import type { RetryNotice } from "../api/http.ts";

/** How many registrations, for each that goes on at once, let twice as many go on. */
const TRIAL = 6;

/**
 * How many registrations go on at once. Nothing tells what database a server has: one on SQLite refuses writes that cross (of
 * 100 deployments two at a time it refused 145, and took longer than one by one), one on PostgreSQL takes several, in half the
 * time. So it begins with few, tries more as long as none is refused, and goes on one by one once any is.
 */
export class Pace {
  readonly #limit;
  readonly #most: number;
  #successes = 0;
  #isRefused = false;

  constructor({ first, most }: { readonly first: number; readonly most: number }) {
    this.#limit = pLimit(first);
    this.#most = most;
  }

  /** Does it when its turn comes. */
  do<T>(task: () => Promise<T>): Promise<T> {
    return this.#limit(task);
  }

  /** To be told of each registration that wrote something. */
  succeed(): void {
    this.#successes += 1;
    const { concurrency } = this.#limit;
    if (this.#isRefused || this.#successes < TRIAL * concurrency) return;
    this.#successes = 0;
    this.#limit.concurrency = Math.min(concurrency * 2, Math.max(concurrency, this.#most));
  }

  /** To be told of each call's retries. */
  readonly onRetry = ({ error }: Pick<RetryNotice, "error">): void => {
    if (!("status" in error) || (error.status !== 503 && error.status !== 429)) return;
    this.#isRefused = true;
    this.#limit.concurrency = 1;
  };
}
