import { livenessComplaints, readinessComplaints } from "./vital-signs.ts";

import type { RunSnapshot, WorkerSnapshot } from "../worker/snapshot.ts";
import type { Rhythm } from "./vital-signs.ts";

/** What never changes while the worker runs. */
export interface WorkerFacts {
  readonly version: string;
  readonly pid: number;
  /** Without user and password. */
  readonly apiUrl: string;
}

/** The worker at a glance, as `/status` gives it. Instants are ISO 8601, durations seconds. */
export type Status = ReturnType<typeof statusOf>;

export function statusOf(snapshot: WorkerSnapshot, rhythm: Rhythm, facts: WorkerFacts) {
  const { state, workPool, slots, startSlots } = snapshot;
  const notReady = readinessComplaints(snapshot, rhythm);
  const notLive = livenessComplaints(snapshot);
  return {
    worker: snapshot.name,
    state,
    is_draining: state === "draining",
    drains_until: instant(snapshot.drainsUntil),
    is_ready: notReady.length === 0,
    is_live: notLive.length === 0,
    complaints: [...notLive, ...notReady],
    version: facts.version,
    pid: facts.pid,
    started: instant(rhythm.startedAt),
    uptime_seconds: seconds(rhythm.now - rhythm.startedAt),
    api_url: facts.apiUrl,
    work_pool: {
      name: workPool.name,
      type: workPool.type,
      is_paused: workPool.isPaused,
      concurrency_limit: workPool.concurrencyLimit,
    },
    work_queues: snapshot.workQueues,
    last_poll: instant(snapshot.lastPollAt),
    is_event_stream_connected: snapshot.isEventStreamConnected,
    slots: { limit: slots.limit, in_use: slots.inUse },
    start_slots: { limit: startSlots.limit, in_use: startSlots.inUse },
    flow_runs: snapshot.runs.map((run) => runStatus(run, rhythm.now)),
  };
}

function runStatus(run: RunSnapshot, now: number) {
  return {
    id: run.id,
    name: run.name,
    deployment_id: run.deploymentId,
    deployment: run.deploymentName,
    flow: run.flowName,
    phase: run.phase,
    phase_since: instant(run.phaseSince),
    phase_seconds: seconds(now - run.phaseSince),
    taken: instant(run.takenAt),
    waiting_for: run.waitingFor,
    pull_step: run.pullStep,
    stopping: run.stopping,
  };
}

/** `Worker 'w' serves pool 'p': 3 flow runs (1 pull, 2 run), 3 of 8 slots` */
export function summaryOf(status: Status): string {
  const { worker, work_pool: pool, state, slots, complaints } = status;
  const runs = countsOf(status.flow_runs.map(({ phase }) => phase));
  const limit =
    slots.limit === null ? `${slots.in_use} slots in use` : `${slots.in_use} of ${slots.limit} slots`;
  const verb = state === "running" ? "serves" : state === "draining" ? "drains, for" : `(${state}) for`;
  const trouble = complaints.length === 0 ? "" : `. ${complaints.join(". ")}`;
  return `Worker '${worker}' ${verb} pool '${pool.name}': ${runs}, ${limit}${trouble}`;
}

function countsOf(phases: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const phase of phases) counts.set(phase, (counts.get(phase) ?? 0) + 1);
  const detail = [...counts].map(([phase, count]) => `${count} ${phase}`).join(", ");
  const total = `${phases.length} flow run${phases.length === 1 ? "" : "s"}`;
  return phases.length === 0 ? "no flow runs" : `${total} (${detail})`;
}

/** The whole status as lines for people. */
export function statusText(status: Status): string {
  return [
    summaryOf(status),
    `  up ${duration(status.uptime_seconds)}, version ${status.version}, pid ${status.pid}, API ${status.api_url}, last poll ${status.last_poll ?? "none"}, event stream ${status.is_event_stream_connected ? "connected" : "not connected"}`,
    ...status.flow_runs.map(
      (run) =>
        `  ${run.name} (${run.id}${deploymentOf(run) === "" ? "" : `, ${deploymentOf(run)}`}): ${run.phase} for ${duration(run.phase_seconds)}, waiting for ${run.waiting_for}`,
    ),
  ].join("\n");
}

/** `flow/deployment`, as commands take it; the id while the names are not known; empty without a deployment. */
export function deploymentOf(run: Status["flow_runs"][number]): string {
  if (run.deployment === null) return run.deployment_id ?? "";
  return run.flow === null ? run.deployment : `${run.flow}/${run.deployment}`;
}

/** `42s`, `3m 05s`, `2h 10m`, `3d 4h` */
export function duration(totalSeconds: number): string {
  const whole = Math.max(0, Math.floor(totalSeconds));
  const [days, hours, minutes] = [whole / 86_400, (whole / 3600) % 24, (whole / 60) % 60].map(Math.floor);
  if (days) return `${days}d ${hours}h`;
  if (hours) return `${hours}h ${minutes}m`;
  return minutes ? `${minutes}m ${String(whole % 60).padStart(2, "0")}s` : `${whole}s`;
}

function instant(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

function seconds(ms: number): number {
  return Math.round(ms) / 1000;
}
