import { setTimeout as sleep } from "node:timers/promises";

export interface DeadlineOptions {
  readonly timeoutMs?: number;
  readonly everyMs?: number;
  /** Added to the error when the deadline passes: what was seen last. */
  readonly detail?: () => string;
}

/** Asks `probe` again and again until it answers something else than undefined or false; fails after the deadline. */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  options: DeadlineOptions = {},
): Promise<T> {
  const { timeoutMs = 60_000, everyMs = 100 } = options;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) {
      const detail = options.detail?.();
      throw new Error(
        `Not within ${timeoutMs / 1000} s: ${what}${detail === undefined ? "" : `\n${detail}`}`,
      );
    }
    await sleep(everyMs);
  }
}
