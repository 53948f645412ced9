import type { Clock } from "../lifecycle/clock.ts";
import type { RunningStep } from "../steps/run-steps.ts";

export const PHASES = ["claim", "resolve", "pull", "launch", "run", "report"] as const;
export type Phase = (typeof PHASES)[number];

/** What is known of a run besides itself. */
export interface RunFacts {
  readonly deploymentName?: string | undefined;
  readonly flowName?: string | undefined;
  /** The last one that was begun. */
  readonly pullStep?: RunningStep;
}

/** Told of each change of phase, and how long the one before it was. */
type OnEnter = (phase: Phase, from: Phase, spentMs: number) => void;

/** Where a run's time went, and where the run is. */
export class Timings {
  readonly #clock: Clock;
  readonly #onEnter: OnEnter;
  readonly #spent = new Map<Phase, number>();
  #phase: Phase;
  #since: number;
  #sinceDate: number;
  #isStuck = false;
  #facts: RunFacts = {};

  constructor(clock: Clock, onEnter: OnEnter = () => undefined) {
    this.#clock = clock;
    this.#onEnter = onEnter;
    this.#phase = "claim";
    this.#since = clock.monotonic();
    this.#sinceDate = clock.now();
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Wall clock of the phase's begin. */
  get since(): number {
    return this.#sinceDate;
  }

  /** True while the API does not take what this phase has to say. */
  get isStuck(): boolean {
    return this.#isStuck;
  }

  get facts(): RunFacts {
    return this.#facts;
  }

  enter(phase: Phase): void {
    const from = this.#phase;
    const spentMs = this.#close();
    this.#phase = phase;
    this.#sinceDate = this.#clock.now();
    this.#isStuck = false;
    this.#onEnter(phase, from, spentMs);
  }

  stuck(): void {
    this.#isStuck = true;
  }

  learn(facts: RunFacts): void {
    this.#facts = { ...this.#facts, ...facts };
  }

  /** Milliseconds by phase; the current phase counts up to now. */
  milliseconds(): Partial<Record<Phase, number>> {
    const spent = new Map(this.#spent).set(this.#phase, this.currentMs());
    return Object.fromEntries([...spent].map(([phase, ms]) => [phase, Math.round(ms)]));
  }

  /** Milliseconds in the current phase. */
  currentMs(): number {
    return (this.#spent.get(this.#phase) ?? 0) + this.#clock.monotonic() - this.#since;
  }

  /** `claim 0.03s, pull 1.20s, run 4.10s` */
  text(): string {
    return Object.entries(this.milliseconds())
      .map(([phase, ms]) => `${phase} ${(ms / 1000).toFixed(2)}s`)
      .join(", ");
  }

  #close(): number {
    const spentMs = this.currentMs();
    this.#spent.set(this.#phase, spentMs);
    this.#since = this.#clock.monotonic();
    return spentMs;
  }
}
