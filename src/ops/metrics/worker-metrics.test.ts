import { readFileSync } from "node:fs";
import { describe, it } from "vitest";

import { FakeClock } from "../../../test/support/fake-clock.ts";
import { Timings } from "../../worker/timings.ts";
import { RESULTS } from "../run-result.ts";
import { workerMetrics } from "./worker-metrics.ts";

import type { RunEnd } from "../../worker/run.ts";
import type { WorkerSnapshot } from "../../worker/snapshot.ts";

const SNAPSHOT: WorkerSnapshot = {
  state: "running",
  name: 'w "quoted"\\',
  workPool: { name: "p", type: "process", isPaused: false, concurrencyLimit: null },
  workQueues: [],
  slots: { limit: 4, inUse: 1 },
  startSlots: { limit: 2, inUse: 1 },
  lastPollAt: 1_500,
  isEventStreamConnected: true,
  launchObstacle: null,
  drainsUntil: null,
  lateLoops: [],
  runs: [],
};

function open(snapshot: Partial<WorkerSnapshot> = {}) {
  const metrics = workerMetrics({
    snapshot: () => ({ ...SNAPSHOT, ...snapshot }),
    isLive: () => true,
    isReady: () => false,
    version: "1.2.3",
    redact: (text) => text.replace("hunter2", "***"),
  });
  const clock = new FakeClock();
  return {
    metrics,
    /** A run that goes through these phases, a second each, and ends. */
    run: async (phases: readonly Timings["phase"][], end: RunEnd | null): Promise<void> => {
      const flowRun = { id: "secret-id", name: "secret-name" };
      const timings: Timings = new Timings(clock, (phase, from, spentMs) =>
        metrics.observer.runEntered?.({ flowRun, timings }, phase, from, spentMs),
      );
      metrics.observer.runTaken?.({ flowRun, timings });
      for (const phase of phases) {
        await clock.advance(1000);
        timings.enter(phase);
      }
      await clock.advance(1000);
      metrics.observer.runEnded?.({ flowRun, timings }, end);
    },
    value: (series: string): number | undefined => {
      const line = metrics
        .text()
        .split("\n")
        .find((candidate) => candidate.startsWith(`${series} `));
      return line === undefined ? undefined : Number(line.slice(series.length + 1));
    },
  };
}

describe("the metrics of a worker", () => {
  it("are those that the README lists", ({ expect }) => {
    const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
    const rows = readme.split("## Metrics")[1]?.match(/^\| `.*$/gm) ?? [];
    const expected = open().metrics.infos.map(({ name, type, labels, help }) => {
      const names = labels.map((label) => `\`${label}\``).join(", ");
      return `| \`${name}\` | ${type} | ${names}${names === "" ? "" : " "}| ${help} |`;
    });
    expect(rows).toEqual(expected);
    expect(rows.length).toBeGreaterThan(15);
    const values = [
      ...open()
        .metrics.text()
        .matchAll(/(?:state|outcome|to|result|phase)="(\w+)"/g),
    ];
    expect(values.length).toBeGreaterThan(RESULTS.length);
    expect(values.map(([, value]) => value).filter((value) => !readme.includes(`\`${value}\``))).toEqual([]);
  });

  it("count a run from its claim to its end", async ({ expect }) => {
    const { run, value } = open();
    await run(["resolve", "pull", "launch", "run", "report"], {
      kind: "ended",
      state: "Completed",
      type: "COMPLETED",
    });
    expect(value('lighterman_claims_total{outcome="claimed"}')).toBe(1);
    expect(value('lighterman_flow_runs_ended_total{result="completed"}')).toBe(1);
    for (const phase of ["claim", "resolve", "pull", "launch", "run", "report"]) {
      const series = "lighterman_flow_run_phase_duration_seconds";
      expect([phase, value(`${series}_sum{phase="${phase}"}`)]).toEqual([phase, 1]);
      expect(value(`${series}_bucket{phase="${phase}",le="0.5"}`)).toBe(0);
      expect(value(`${series}_bucket{phase="${phase}",le="1"}`)).toBe(1);
      expect(value(`${series}_bucket{phase="${phase}",le="+Inf"}`)).toBe(1);
    }
  });

  it.for<[RunEnd, string]>([
    [{ kind: "refused", reason: "" }, "refused"],
    [{ kind: "returned", reason: "" }, "returned"],
  ])("count an unclaimed run as no run (%j)", async ([end, outcome], { expect }) => {
    const { run, value, metrics } = open();
    await run([], end);
    expect(value(`lighterman_claims_total{outcome="${outcome}"}`)).toBe(1);
    expect(value('lighterman_claims_total{outcome="claimed"}')).toBe(0);
    expect(metrics.text()).not.toMatch(/flow_runs_ended_total\{.*\} [1-9]/);
  });

  it.for<[RunEnd | null, string]>([
    [{ kind: "ended", state: "TimedOut", type: "FAILED" }, "failed"],
    [{ kind: "ended", state: "Crashed", type: "CRASHED" }, "crashed"],
    [{ kind: "ended", state: "Cancelled", type: "CANCELLED" }, "cancelled"],
    [{ kind: "ended", state: "AwaitingRetry", type: "SCHEDULED" }, "handed_back"],
    [{ kind: "returned", reason: "" }, "handed_back"],
    [{ kind: "refused", reason: "" }, "withdrawn"],
    [{ kind: "ended", state: "Deleted" }, "deleted"],
    [{ kind: "ended", state: "My own", type: "RUNNING" }, "left_open"],
    [null, "unreported"],
  ])("name the result of a claimed run (%j)", async ([end, result], { expect }) => {
    const { run, value } = open();
    await run(["resolve", "report"], end);
    expect(value(`lighterman_flow_runs_ended_total{result="${result}"}`)).toBe(1);
  });

  it("count adopted runs, cancellations, polls, and API calls by resource and class of status", ({
    expect,
  }) => {
    const { metrics, value } = open();
    const { observer, api } = metrics;
    observer.runTaken?.({ flowRun: { id: "a", name: "a" }, timings: null });
    observer.cancelling?.("a");
    observer.polled?.(3, 10);
    observer.pollFailed?.(new Error("down"));
    for (const isConnected of [true, false, true]) observer.eventStreamChanged?.(isConnected);
    api.onAttempt({ method: "POST", path: "/flow_runs/5f0c/set_state", status: 201, durationMs: 20 });
    api.onAttempt({ method: "POST", path: "/flow_runs/5f0d/set_state", status: 204, durationMs: 20 });
    api.onAttempt({ method: "GET", path: "/work_pools/w", status: null, durationMs: 70_000 });
    api.onRetry();
    expect(value("lighterman_flow_runs_adopted_total")).toBe(1);
    expect(value("lighterman_cancellations_total")).toBe(1);
    expect(value('lighterman_polls_total{outcome="answered"}')).toBe(1);
    expect(value('lighterman_polls_total{outcome="failed"}')).toBe(1);
    expect(value('lighterman_event_stream_changes_total{to="connected"}')).toBe(2);
    expect(value('lighterman_event_stream_changes_total{to="disconnected"}')).toBe(1);
    expect(value('lighterman_api_requests_total{resource="flow_runs",status="2xx"}')).toBe(2);
    expect(value('lighterman_api_requests_total{resource="work_pools",status="none"}')).toBe(1);
    expect(value('lighterman_api_request_duration_seconds_bucket{le="60"}')).toBe(2);
    expect(value("lighterman_api_request_duration_seconds_count")).toBe(3);
    expect(value("lighterman_api_retries_total")).toBe(1);
  });

  it("show the worker as it is now, and leave out what is not known", ({ expect }) => {
    const { value, metrics } = open();
    expect(value("lighterman_last_poll_timestamp_seconds")).toBe(1.5);
    expect(value("lighterman_slots")).toBe(4);
    expect(value("lighterman_live")).toBe(1);
    expect(value("lighterman_ready")).toBe(0);
    expect(value('lighterman_worker_state{state="running"}')).toBe(1);
    expect(metrics.text()).toContain('worker="w \\"quoted\\"\\\\",work_pool="p"');
    expect(open({ name: "w-hunter2" }).metrics.text()).toContain('worker="w-***"');
    const unknown = open({ lastPollAt: null, slots: { limit: null, inUse: 0 } });
    expect(unknown.value("lighterman_last_poll_timestamp_seconds")).toBeUndefined();
    expect(unknown.value("lighterman_slots")).toBeUndefined();
  });

  it("keep the number of series, whatever runs come", async ({ expect }) => {
    const { metrics, run } = open();
    const series = (): string[] =>
      metrics
        .text()
        .split("\n")
        .map((line) => line.split(" ")[0] ?? "");
    const before = series();
    for (let number = 0; number < 50; number += 1)
      await run(["resolve", "report"], { kind: "ended", state: `State ${number}`, type: "FAILED" });
    expect(series()).toEqual(before);
    expect(metrics.text()).not.toContain("secret");
  });
});
