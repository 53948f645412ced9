import { describe, it } from "vitest";

import { isPolling, livenessComplaints, readinessComplaints } from "./vital-signs.ts";

import type { WorkerSnapshot } from "../worker/snapshot.ts";

const RHYTHM = { now: 1_000_000, startedAt: 0, pollIntervalMs: 10_000 };

function snapshotWith(fields: Partial<WorkerSnapshot> = {}): WorkerSnapshot {
  return {
    state: "running",
    name: "w",
    workPool: { name: "p", type: "process", isPaused: false, concurrencyLimit: null },
    workQueues: [],
    slots: { limit: 4, inUse: 0 },
    startSlots: { limit: 2, inUse: 0 },
    lastPollAt: RHYTHM.now - 5000,
    isEventStreamConnected: true,
    launchObstacle: null,
    drainsUntil: null,
    lateLoops: [],
    runs: [],
    ...fields,
  };
}

describe("vital signs", () => {
  it("a worker whose loops are on time lives, however long the API has been away", ({ expect }) => {
    expect(livenessComplaints(snapshotWith({ lastPollAt: null }))).toEqual([]);
    expect(livenessComplaints(snapshotWith({ lateLoops: [{ name: "poll", lateMs: 9000 }] }))).toEqual([]);
  });

  it("a loop that hangs is named", ({ expect }) => {
    const lateLoops = [
      { name: "poll", lateMs: 42_400 },
      { name: "sync", lateMs: 10 },
    ];
    expect(livenessComplaints(snapshotWith({ lateLoops }))).toEqual([
      "The poll loop was to be heard of 42 s ago",
    ]);
  });

  it.for<[Partial<WorkerSnapshot>, RegExp | undefined]>([
    [{}, undefined],
    [{ state: "draining" }, /stopping/],
    [{ state: "stopped" }, /stopping/],
    [
      { workPool: { name: "p", type: null, isPaused: false, concurrencyLimit: null } },
      /'p' has not been read/,
    ],
    [{ lastPollAt: null }, /first poll/],
    [{ lastPollAt: RHYTHM.now - 300_000 }, undefined],
    [{ launchObstacle: "The engine is away" }, /^The engine is away$/],
    [{ lastPollAt: RHYTHM.now - 301_000 }, /No poll has been answered for 301 s/],
  ])("%j is ready, unless %s", ([fields, complaint], { expect }) => {
    const complaints = readinessComplaints(snapshotWith(fields), RHYTHM);
    if (complaint === undefined) expect(complaints).toEqual([]);
    else expect(complaints.join()).toMatch(complaint);
  });

  it("Prefect's /health counts 30 polling intervals from the last answer, or from the start", ({
    expect,
  }) => {
    expect(isPolling({ lastPollAt: null }, { ...RHYTHM, now: 300_000 })).toBe(true);
    expect(isPolling({ lastPollAt: null }, { ...RHYTHM, now: 300_001 })).toBe(false);
    expect(isPolling({ lastPollAt: 50_000 }, { ...RHYTHM, now: 350_000 })).toBe(true);
  });
});
