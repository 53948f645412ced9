import type { WorkerSnapshot } from "../worker/snapshot.ts";

/** What is wrong, as one sentence each; empty when all is well. */
export type Complaints = readonly string[];

// A loop that is this late hangs: a busy machine delays it by less.
const LATE_MS = 10_000;
// Prefect's health rule: 30 polling intervals without an answered poll (protocol §1.6).
const HEALTHY_POLLS = 30;

/**
 * Whether the worker itself works: its loops make progress. An API that is away is none of its faults, for a new start would
 * not bring it back; whoever restarts what is not alive must not do so because of the server.
 */
export function livenessComplaints({ lateLoops }: Pick<WorkerSnapshot, "lateLoops">): Complaints {
  return lateLoops
    .filter(({ lateMs }) => lateMs > LATE_MS)
    .map(({ name, lateMs }) => `The ${name} loop was to be heard of ${Math.round(lateMs / 1000)} s ago`);
}

export interface Rhythm {
  readonly now: number;
  /** When the worker was started. */
  readonly startedAt: number;
  readonly pollIntervalMs: number;
}

/** Prefect's own rule: too long without an answered poll, whoever's fault it is. */
export function isPolling({ lastPollAt }: Pick<WorkerSnapshot, "lastPollAt">, rhythm: Rhythm): boolean {
  return rhythm.now - (lastPollAt ?? rhythm.startedAt) <= HEALTHY_POLLS * rhythm.pollIntervalMs;
}

/** Whether it takes flow runs. */
export function readinessComplaints(snapshot: WorkerSnapshot, rhythm: Rhythm): Complaints {
  const { state, workPool, lastPollAt, launchObstacle } = snapshot;
  if (state === "draining" || state === "stopped")
    return ["The worker is stopping and takes no more flow runs"];
  if (workPool.type === null) return [`Work pool '${workPool.name}' has not been read yet`];
  if (lastPollAt === null) return ["The first poll has not been answered yet"];
  const late = `No poll has been answered for ${Math.round((rhythm.now - lastPollAt) / 1000)} s`;
  return [
    ...(isPolling(snapshot, rhythm) ? [] : [late]),
    ...(launchObstacle === null ? [] : [launchObstacle]),
  ];
}
