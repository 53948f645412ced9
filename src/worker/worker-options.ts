import type { Launcher } from "../launcher/types.ts";
import type { PoolSync, WorkerType } from "./pool.ts";
import type { RunRoom } from "./room.ts";

/**
 * created → starting → running → draining → stopped
 *
 * - starting: the pool is read for the first time; an API that is away is waited for.
 * - running: polls, claims, watches.
 * - draining: no new claims; runs in hand may end until the drain deadline, then they are handed back.
 * - stopped: nothing is in hand any more.
 */
export type WorkerState = "created" | "starting" | "running" | "draining" | "stopped";

interface WorkerSettings {
  readonly workQueues: readonly string[];
  readonly limit: number | null;
  readonly startLimit: number;
  readonly prefetchMs: number;
  readonly pollIntervalMs: number;
  readonly heartbeatIntervalMs: number;
  readonly cancellationPollMs: number;
  readonly drainTimeoutMs: number;
  /** Longest time for one attempt of an API call. */
  readonly requestTimeoutMs: number;
  readonly runOnce: boolean;
}

/** Pushes what the server announces about the pool's runs; absent servers are fine, polling covers them. */
export interface Announcer {
  subscribe(handlers: {
    readonly workPoolId: string;
    /** Announcements come from now on; what was announced before must be polled for. */
    readonly onConnected: () => void;
    /** Announcements don't come, or no more. Called once per outage. */
    readonly onDisconnected: () => void;
    readonly onScheduled: (flowRunId: string) => void;
    readonly onCancelling: (flowRunId: string) => void;
    readonly signal: AbortSignal;
  }): Promise<void>;
}

export interface WorkerOptions {
  readonly room: Omit<
    RunRoom,
    "closing" | "workPool" | "workerId" | "workerName" | "launcher" | "workerType"
  >;
  /** Called once, when it is known what kind of pool this is. `onBack`: called when something can be started again after an outage. */
  readonly openLauncher: (type: WorkerType, onBack: () => void) => Promise<Launcher>;
  readonly closing: AbortController;
  readonly pool: PoolSync;
  readonly announcer: Announcer | null;
  readonly settings: WorkerSettings;
  /** Called once, when the pool was read for the first time. */
  readonly onReady: () => void;
}
