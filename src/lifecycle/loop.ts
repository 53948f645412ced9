import { coerceError } from "../errors.ts";

import type { Clock } from "./clock.ts";
import type { Pulse } from "./pulse.ts";

export interface LoopOptions {
  /** Mean time between the starts of two ticks. */
  readonly intervalMs: number;
  /** Fraction by which the interval varies, so that a fleet does not poll in step (Prefect: 0.3). */
  readonly jitter?: number;
  /** Called after each failed tick; the loop itself never ends because of one. */
  readonly onError?: (error: Error, consecutive: number) => void;
  /** After this many failures in a row the interval doubles, and again after as many more (Prefect: 3). */
  readonly failuresPerBackoff?: number;
  /** Upper bound of the backed-off interval. */
  readonly maxIntervalMs?: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly random?: () => number;
  /** Told by when the loop will be heard of again. */
  readonly pulse?: Pulse;
  /** How long a tick may be silent before it counts as hanging. */
  readonly tickMs?: number;
}

/** Says that a tick goes on: it will be heard of within `waitMs` and the time that a tick has. */
export type GoingOn = (waitMs: number) => void;

/** A running loop. It is the only `while` with a sleep in the product. */
export interface Loop {
  /** Starts the next tick at once; while one is running, another follows it immediately. */
  nudge(): void;
  /** Ends when the signal is aborted, never because a tick failed. */
  readonly done: Promise<void>;
}

/**
 * Calls `tick` now and then every `intervalMs`. Ticks never overlap. A tick that returns a number asks to be called again
 * after that many milliseconds when this is sooner than the interval.
 */
export function startLoop(
  tick: (signal: AbortSignal, goingOn: GoingOn) => Promise<number | void>,
  options: LoopOptions,
): Loop {
  const { clock, signal, pulse, tickMs = Infinity } = options;
  const goingOn: GoingOn = (waitMs) => pulse?.promise(waitMs + tickMs);
  let wake: AbortController | undefined;
  let isNudged = false;

  async function run(): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      isNudged = false;
      let soonerMs: number | undefined;
      goingOn(0);
      try {
        soonerMs = (await tick(signal, goingOn)) ?? undefined;
        failures = 0;
      } catch (thrown) {
        if (signal.aborted) return;
        failures += 1;
        options.onError?.(coerceError(thrown), failures);
      }
      if (isNudged) continue;
      wake = new AbortController();
      const pauseMs = Math.min(delayMs(options, failures), soonerMs ?? Infinity);
      pulse?.promise(pauseMs);
      await clock.sleep(pauseMs, AbortSignal.any([signal, wake.signal])).catch(() => undefined); // woken by a nudge or by the end of the loop
      wake = undefined;
    }
  }

  return {
    nudge() {
      isNudged = true;
      wake?.abort();
    },
    done: run().finally(() => pulse?.end()),
  };
}

function delayMs(options: LoopOptions, failures: number): number {
  const rounds = Math.floor(failures / (options.failuresPerBackoff ?? 3));
  const intervalMs = Math.min(options.intervalMs * 2 ** rounds, options.maxIntervalMs ?? Infinity);
  const jitter = options.jitter ?? 0;
  return intervalMs * (1 - jitter + 2 * jitter * (options.random ?? Math.random)());
}
