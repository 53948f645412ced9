import type { Infrastructure, StopIntent, StopResult } from "../launcher/types.ts";

/**
 * Why a run is ended early.
 *
 * - `cancel`: its user wants it; ends as CANCELLED.
 * - `hand-back`: the worker must go and another one shall run it; ends as SCHEDULED "AwaitingRetry" where the engine can be
 *   interrupted so, else as CRASHED.
 * - `reschedule`: the same, but whatever its engine does: one that does not take note is killed.
 * - `relinquish`: whoever started us starts the same attempt again; its state is left alone.
 * - `end`: the worker must go now; ends as CRASHED.
 */
export type StopReason = "cancel" | "hand-back" | "reschedule" | "relinquish" | "end";

const RANK: Readonly<Record<StopReason, number>> = {
  "hand-back": 0,
  reschedule: 0,
  relinquish: 0,
  end: 1,
  cancel: 2,
};

const INTENTS: Readonly<Record<StopReason, StopIntent>> = {
  "hand-back": "reschedule",
  reschedule: "reschedule",
  relinquish: "relinquish",
  end: "none",
  cancel: "cancel",
};

/** Thrown by what a stop interrupts before the launch. */
export class RunStopped extends Error {
  override readonly name = "RunStopped";
  readonly reason: StopReason;

  constructor(reason: StopReason) {
    super(`The flow run was stopped (${reason})`);
    this.reason = reason;
  }
}

/** Thrown before the launch, when the run shall go back to the server as it was. */
export class RunReturned extends Error {
  override readonly name = "RunReturned";
}

export interface StopTimes {
  /** SIGTERM to SIGKILL. */
  readonly graceMs: number;
}

/** Lets others stop one run, whatever phase it is in. */
export class RunControl {
  readonly #abort = new AbortController();
  #reason: StopReason | undefined;
  #infrastructure: Infrastructure | undefined;
  #stopped: Promise<StopResult> | undefined;
  #graceMs = 0;

  /** Aborted by the first stop; interrupts everything before the launch. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get reason(): StopReason | undefined {
    return this.#reason;
  }

  /** What the started process is known by: its pid, or the name of its container. */
  get infrastructureId(): string | undefined {
    return this.#infrastructure?.identifier;
  }

  /** How the launcher's stop went, once there was one. */
  get stopped(): Promise<StopResult> | undefined {
    return this.#stopped;
  }

  /** A stronger reason replaces a weaker one; every call may hasten the end. */
  stop(reason: StopReason, times: StopTimes): void {
    if (this.#reason === undefined || RANK[reason] > RANK[this.#reason]) this.#reason = reason;
    this.#graceMs = times.graceMs;
    this.#abort.abort(new RunStopped(this.#reason));
    this.#signalInfrastructure();
  }

  /** From now on a stop goes to the started process; also one that came in between. */
  attach(infrastructure: Infrastructure): void {
    this.#infrastructure = infrastructure;
    if (this.#reason !== undefined) this.#signalInfrastructure();
  }

  #signalInfrastructure(): void {
    if (this.#infrastructure === undefined || this.#reason === undefined) return;
    const stopped = this.#infrastructure.stop({
      intent: INTENTS[this.#reason],
      graceMs: this.#graceMs,
      mustAcknowledge: this.#reason === "reschedule" || this.#reason === "relinquish",
    });
    this.#stopped ??= stopped;
  }
}
