import { PHASES } from "../../worker/timings.ts";
import { RESULTS, resultOf } from "../run-result.ts";
import { Registry } from "./registry.ts";

import type { AttemptNotice } from "../../api/attempts.ts";
import type { WorkerObserver } from "../../worker/observer.ts";
import type { WorkerSnapshot } from "../../worker/snapshot.ts";
import type { MetricInfo } from "./registry.ts";

export interface MetricSources {
  readonly snapshot: () => WorkerSnapshot;
  readonly isLive: () => boolean;
  readonly isReady: () => boolean;
  readonly version: string;
  /** Masks secrets in names. */
  readonly redact: (text: string) => string;
}

export interface WorkerMetrics {
  readonly observer: WorkerObserver;
  /** Told of the API client's attempts and waits. */
  readonly api: { readonly onAttempt: (notice: AttemptNotice) => void; readonly onRetry: () => void };
  readonly infos: readonly MetricInfo[];
  /** The whole page. */
  readonly text: () => string;
  /** How late a timer of the process fired, in seconds. */
  readonly observeLag: (seconds: number) => void;
}

// From what the API does in a blink to what flows do in a day.
const PHASE_BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400];
const API_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const LAG_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

const STATES: readonly WorkerSnapshot["state"][] = ["created", "starting", "running", "draining", "stopped"];

/**
 * The numbers of one worker. Every label has few values, which are known beforehand: no name of a run, a deployment or a
 * flow becomes one. `src/ops/README.md` lists all of them.
 */
export function workerMetrics({ snapshot, isLive, isReady, version, redact }: MetricSources): WorkerMetrics {
  const registry = new Registry();
  registry.gauge(
    {
      name: "lighterman_build_info",
      help: "Always 1; the version is in the labels.",
      labels: ["version", "node_version"],
    },
    () => [{ labels: { version, node_version: process.versions.node }, value: 1 }],
  );
  registry.gauge(
    {
      name: "lighterman_worker_info",
      help: "Always 1; the worker and its pool are in the labels.",
      labels: ["worker", "work_pool", "work_pool_type"],
    },
    () => {
      const { name: worker, workPool } = snapshot();
      const labels = {
        worker: redact(worker),
        work_pool: redact(workPool.name),
        work_pool_type: workPool.type ?? "",
      };
      return [{ labels, value: 1 }];
    },
  );
  registry.gauge(
    {
      name: "lighterman_worker_state",
      help: "1 for the state that the worker is in, 0 for the others.",
      labels: ["state"],
    },
    () => {
      const { state } = snapshot();
      return STATES.map((candidate) => ({
        labels: { state: candidate },
        value: Number(candidate === state),
      }));
    },
  );
  registry.gauge(
    { name: "lighterman_live", help: "Whether the worker's loops make progress, as /livez." },
    () => Number(isLive()),
  );
  registry.gauge({ name: "lighterman_ready", help: "Whether the worker takes flow runs, as /readyz." }, () =>
    Number(isReady()),
  );
  const polls = registry.counter({
    name: "lighterman_polls_total",
    help: "Polls for due flow runs, each with all of its attempts.",
    labels: ["outcome"],
  });
  for (const outcome of ["answered", "failed"]) polls.add({ outcome }, 0);
  registry.gauge(
    { name: "lighterman_last_poll_timestamp_seconds", help: "When a poll was last answered." },
    () => secondsOf(snapshot().lastPollAt),
  );
  registry.gauge(
    {
      name: "lighterman_event_stream_connected",
      help: "Whether the server's events come over a WebSocket; without them runs and cancellations are found by polling.",
    },
    () => Number(snapshot().isEventStreamConnected),
  );
  const streams = registry.counter({
    name: "lighterman_event_stream_changes_total",
    help: "How often the event stream was opened, and how often it was lost or could not be opened.",
    labels: ["to"],
  });
  for (const to of ["connected", "disconnected"]) streams.add({ to }, 0);
  const claims = registry.counter({
    name: "lighterman_claims_total",
    help: "Flow runs that the worker tried to claim: claimed, refused by the server, or returned unclaimed.",
    labels: ["outcome"],
  });
  for (const outcome of ["claimed", "refused", "returned"]) claims.add({ outcome }, 0);
  const adopted = registry.counter({
    name: "lighterman_flow_runs_adopted_total",
    help: "Flow runs that an earlier worker left behind and this one took over.",
  });
  const cancellations = registry.counter({
    name: "lighterman_cancellations_total",
    help: "Flow runs in hand that somebody wanted cancelled.",
  });
  const ended = registry.counter({
    name: "lighterman_flow_runs_ended_total",
    help: "Flow runs that left the worker's hands after they were claimed or adopted.",
    labels: ["result"],
  });
  for (const result of RESULTS) ended.add({ result }, 0);
  registry.gauge(
    { name: "lighterman_flow_runs", help: "Flow runs in hand by phase.", labels: ["phase"] },
    () => {
      const { runs } = snapshot();
      return [...PHASES, "adopted"].map((phase) => ({
        labels: { phase },
        value: runs.filter((run) => run.phase === phase).length,
      }));
    },
  );
  registry.gauge(
    { name: "lighterman_slots", help: "The worker's --limit; absent when there is none." },
    () => snapshot().slots.limit,
  );
  registry.gauge(
    { name: "lighterman_slots_in_use", help: "Slots that flow runs hold." },
    () => snapshot().slots.inUse,
  );
  registry.gauge(
    { name: "lighterman_start_slots", help: "How many flow runs may be starting at once." },
    () => snapshot().startSlots.limit,
  );
  registry.gauge(
    { name: "lighterman_start_slots_in_use", help: "Flow runs that are starting." },
    () => snapshot().startSlots.inUse,
  );
  const phases = registry.histogram(
    {
      name: "lighterman_flow_run_phase_duration_seconds",
      help: "How long flow runs were in each phase.",
      labels: ["phase"],
    },
    PHASE_BUCKETS,
  );
  for (const phase of PHASES) phases.declare({ phase });
  const requests = registry.counter({
    name: "lighterman_api_requests_total",
    help: "Attempts of API calls by the first part of their path and the class of the answer's status; none: no answer.",
    labels: ["resource", "status"],
  });
  const requestTimes = registry.histogram(
    { name: "lighterman_api_request_duration_seconds", help: "How long attempts of API calls took." },
    API_BUCKETS,
  );
  const retries = registry.counter({
    name: "lighterman_api_retries_total",
    help: "Attempts of API calls that were followed by another.",
  });
  const lag = registry.histogram(
    {
      name: "lighterman_event_loop_lag_seconds",
      help: "How late timers of the process fired, twice a second.",
    },
    LAG_BUCKETS,
  );
  addProcessMetrics(registry);

  const observer: WorkerObserver = {
    polled: () => polls.add({ outcome: "answered" }),
    pollFailed: () => polls.add({ outcome: "failed" }),
    eventStreamChanged: (isConnected) => streams.add({ to: isConnected ? "connected" : "disconnected" }),
    runTaken: ({ timings }) => {
      if (timings === null) adopted.add();
    },
    runEntered(_, __, from, spentMs) {
      if (from === "claim") claims.add({ outcome: "claimed" });
      phases.observe(spentMs / 1000, { phase: from });
    },
    runEnded({ timings }, end) {
      if (timings !== null) phases.observe(timings.currentMs() / 1000, { phase: timings.phase });
      if (timings?.phase === "claim")
        claims.add({ outcome: end?.kind === "refused" ? "refused" : "returned" });
      else ended.add({ result: resultOf(end) });
    },
    cancelling: () => cancellations.add(),
  };
  return {
    observer,
    api: {
      onAttempt({ path, status, durationMs }) {
        requests.add({
          resource: resourceOf(path),
          status: status === null ? "none" : `${Math.floor(status / 100)}xx`,
        });
        requestTimes.observe(durationMs / 1000);
      },
      onRetry: () => retries.add(),
    },
    infos: registry.infos,
    text: () => registry.text(),
    observeLag: (seconds) => lag.observe(seconds),
  };
}

/** `/flow_runs/5f0c…/set_state` → `flow_runs`: paths are our own, so there are few. */
function resourceOf(path: string): string {
  return /^\/([a-z_-]+)/.exec(path)?.[1] ?? "other";
}

// The names are those of Prometheus' client libraries.
function addProcessMetrics(registry: Registry): void {
  const startedAt = Date.now() / 1000 - process.uptime();
  registry.gauge(
    { name: "process_cpu_seconds_total", help: "Total user and system CPU time spent in seconds." },
    () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
    "counter",
  );
  registry.gauge({ name: "process_resident_memory_bytes", help: "Resident memory size in bytes." }, () =>
    process.memoryUsage.rss(),
  );
  registry.gauge(
    { name: "process_start_time_seconds", help: "Start time of the process since unix epoch in seconds." },
    () => startedAt,
  );
  registry.gauge(
    { name: "nodejs_heap_size_used_bytes", help: "Process heap size used from Node.js in bytes." },
    () => process.memoryUsage().heapUsed,
  );
}

function secondsOf(ms: number | null): number | null {
  return ms === null ? null : ms / 1000;
}
