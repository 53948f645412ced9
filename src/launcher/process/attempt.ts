import type { Clock } from "../../lifecycle/clock.ts";
import type { Logger } from "../../log/logger.ts";
import type { Infrastructure, LaunchResult, StopIntent, StopOptions, StopResult } from "../types.ts";
import type { ControlRegistration } from "./control-channel.ts";
import type { OomWatch } from "./oom.ts";
import type { OutputTail } from "./output-tail.ts";
import type { ProcessIdentity } from "../../lifecycle/proc.ts";
import type { ProcessTree } from "./process-tree.ts";

/** How the leader ended, before anybody asks why. */
export type ProcessEnd =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "signaled"; readonly signal: NodeJS.Signals }
  | { readonly kind: "gone" }
  | { readonly kind: "withdrawn" };

export interface AttemptParts {
  readonly leader: ProcessIdentity;
  readonly handle: Readonly<Record<string, string | number>>;
  readonly tree: ProcessTree;
  readonly ended: Promise<ProcessEnd>;
  readonly tails: readonly OutputTail[];
  readonly control: ControlRegistration | undefined;
  readonly oom: OomWatch | undefined;
  /** True for an engine, which connects once it has imported all it needs. */
  readonly isEngine: boolean;
  readonly clock: Clock;
  readonly logger: Logger | undefined;
}

/** An engine that knows no control channel (2.x) counts as started after this. */
const START_PATIENCE_MS = 5000;
const DEFAULT_ACKNOWLEDGE_MS = 1000;
/** A receipt may still be on its way when the process has ended. */
const RECEIPT_PATIENCE_MS = 100;
/** What outlives the leader are not our children, so only looking tells when they are gone. */
const LEFTOVER_POLL_MS = 50;
/** After SIGKILL only a process that hangs in the kernel stays. */
const KILL_PATIENCE_MS = 5000;

/**
 * One running attempt, started by us or adopted.
 *
 * A stop goes: intent to the engine (≤ `acknowledgeMs`) → SIGTERM to the group → the leader ends, or `graceMs` later SIGKILL
 * to everything → what outlived the leader gets SIGTERM, the rest of the grace, and SIGKILL. Each later `stop` can
 * only bring the SIGKILL forward.
 */
export class Attempt implements Infrastructure {
  readonly identifier: string;
  readonly handle: Readonly<Record<string, string | number>>;
  readonly ready: Promise<void>;
  readonly exited: Promise<LaunchResult>;
  readonly #parts: AttemptParts;
  #hasEnded = false;
  #stopping: Promise<StopResult> | undefined;
  /** Monotonic time of the SIGKILL. */
  #killAt = Infinity;
  #hasKilled = false;
  #hasten = new AbortController();

  constructor(parts: AttemptParts) {
    this.#parts = parts;
    this.identifier = String(parts.leader.pid);
    this.handle = parts.handle;
    this.ready = this.#becomeReady();
    this.exited = this.#conclude();
  }

  stop(options: StopOptions): Promise<StopResult> {
    const acknowledgeMs = options.acknowledgeMs ?? DEFAULT_ACKNOWLEDGE_MS;
    const isFirst = this.#stopping === undefined;
    this.#killBefore(options.graceMs + (isFirst && options.intent !== "none" ? acknowledgeMs : 0));
    this.#stopping ??= this.#stop(options, acknowledgeMs);
    return this.#stopping;
  }

  async #becomeReady(): Promise<void> {
    const { control, ended, isEngine, clock } = this.#parts;
    if (!isEngine || control === undefined) return;
    const patience = new AbortController();
    await Promise.race([
      control.session.connected(patience.signal),
      ended,
      clock.sleep(START_PATIENCE_MS, patience.signal).catch(() => undefined), // connected
    ]);
    patience.abort();
  }

  async #conclude(): Promise<LaunchResult> {
    const { ended, control, tails, logger, clock } = this.#parts;
    const end = await ended;
    this.#hasEnded = true;
    if (control !== undefined) {
      const patience = new AbortController();
      const disconnected = control.session.disconnected(patience.signal);
      await Promise.race([
        disconnected,
        clock.sleep(RECEIPT_PATIENCE_MS, patience.signal).catch(() => undefined),
      ]);
      patience.abort();
    }
    control?.release();
    for (const tail of tails) {
      await tail.close().catch((err: unknown) => {
        logger?.warn({ err, pid: this.identifier }, "A process's output could not be read to its end");
      });
    }
    return this.#resultOf(end);
  }

  #resultOf(end: ProcessEnd): LaunchResult {
    if (end.kind === "gone" || end.kind === "withdrawn") return end;
    const forced = end.kind === "signaled" && end.signal === "SIGKILL" && this.#hasKilled;
    // 137 is how a shell reports that its command was killed.
    const isKilled = end.kind === "signaled" ? end.signal === "SIGKILL" && !forced : end.code === 137;
    const receipt = this.#parts.control?.session.receipt;
    return {
      ...(end.kind === "signaled" ? { ...end, forced } : end),
      ...(isKilled && this.#parts.oom?.wasKilled() === true && { oomKilled: true }),
      ...(receipt !== undefined && { receipt }),
    };
  }

  async #stop(options: StopOptions, acknowledgeMs: number): Promise<StopResult> {
    const { intent, graceMs, mustAcknowledge = false } = options;
    const { tree, ended, control } = this.#parts;
    const acknowledged =
      intent !== "none" && !this.#hasEnded && (await this.#announce(intent, acknowledgeMs));
    if (mustAcknowledge && !acknowledged && control?.session.receipt === undefined) {
      this.#killBefore(0);
    } else {
      tree.signalGroup("SIGTERM", tree.members(), !this.#hasEnded);
      this.#killBefore(graceMs);
    }
    if (!(await this.#isBefore(() => this.#killAt, ended)) && !this.#hasEnded) {
      this.#hasKilled = true;
      tree.signalAll("SIGKILL", tree.members(), !this.#hasEnded);
      await ended;
    }
    await this.#endLeftovers();
    return { result: await this.exited, acknowledged };
  }

  async #announce(intent: Exclude<StopIntent, "none">, acknowledgeMs: number): Promise<boolean> {
    const { control, clock, ended } = this.#parts;
    if (control === undefined) return false;
    const limit = new AbortController();
    const told = control.session.tell(intent, limit.signal);
    const until = clock.monotonic() + acknowledgeMs;
    await this.#isBefore(() => Math.min(until, this.#killAt), Promise.race([told, ended]));
    limit.abort();
    return told;
  }

  async #endLeftovers(): Promise<void> {
    const { tree, clock, logger } = this.#parts;
    let isAsked = false;
    for (let members = tree.members(); members.length > 0; members = tree.members()) {
      const overdueMs = clock.monotonic() - this.#killAt;
      if (overdueMs > KILL_PATIENCE_MS) {
        logger?.warn({ pids: members.map((stat) => stat.pid) }, "Processes of a flow run outlive SIGKILL");
        return;
      }
      if (overdueMs >= 0) tree.signalAll("SIGKILL", members);
      else if (!isAsked) tree.signalAll("SIGTERM", members);
      isAsked = true;
      await clock.sleep(LEFTOVER_POLL_MS);
    }
  }

  #killBefore(delayMs: number): void {
    this.#killAt = Math.min(this.#killAt, this.#parts.clock.monotonic() + delayMs);
    this.#hasten.abort();
  }

  /** False when the deadline, which may come nearer while we wait, is first. */
  async #isBefore(deadline: () => number, event: Promise<unknown>): Promise<boolean> {
    const { clock } = this.#parts;
    let isDone = false;
    const done = event.then(() => {
      isDone = true;
    });
    for (;;) {
      const leftMs = deadline() - clock.monotonic();
      if (isDone || leftMs <= 0) return isDone;
      const hasten = new AbortController();
      this.#hasten = hasten;
      await Promise.race([done, clock.sleep(leftMs, hasten.signal).catch(() => undefined)]); // hastened
      hasten.abort();
    }
  }
}
