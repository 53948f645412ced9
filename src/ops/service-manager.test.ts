import { describe, it } from "vitest";

import { FakeClock } from "../../test/support/fake-clock.ts";
import { startServiceManager, watchdogMsOf, withoutServiceManager } from "./service-manager.ts";

import type { WorkerSnapshot } from "../worker/snapshot.ts";

const SNAPSHOT: WorkerSnapshot = {
  state: "running",
  name: "w",
  workPool: { name: "p", type: "process", isPaused: false, concurrencyLimit: null },
  workQueues: [],
  slots: { limit: null, inUse: 0 },
  startSlots: { limit: 2, inUse: 0 },
  lastPollAt: 0,
  isEventStreamConnected: true,
  launchObstacle: null,
  drainsUntil: null,
  lateLoops: [],
  runs: [],
};

function open(first: Partial<WorkerSnapshot> = {}, watchdogMs: number | null = 20_000) {
  const clock = new FakeClock();
  const sent: string[][] = [];
  const world = {
    snapshot: { ...SNAPSHOT, ...first },
    summary: "idle",
    complaints: [] as string[],
    stuck: 0,
  };
  const manager = startServiceManager({
    socket: { send: (assignments) => void sent.push([...assignments]) },
    snapshot: () => world.snapshot,
    summary: () => world.summary,
    complaints: () => world.complaints,
    watchdogMs,
    onStuck: () => (world.stuck += 1),
    clock,
  });
  return { clock, world, manager, sent, take: () => sent.splice(0).flat() };
}

describe("the service manager's news", () => {
  it("are ready, alive and a status at once, then signs of life at half of its patience at the latest", async ({
    expect,
  }) => {
    const { clock, take, manager } = open();
    await clock.sleeping();
    expect(take()).toEqual(["READY=1", "WATCHDOG=1", "STATUS=idle"]);
    await clock.advance(20_000);
    const signs = take();
    expect(signs.length).toBeGreaterThanOrEqual(2);
    expect(new Set(signs)).toEqual(new Set(["WATCHDOG=1"]));
    await manager.stop();
    await clock.advance(60_000);
    expect(take()).toEqual([]);
  });

  it("stop being signs of life while a loop hangs, and begin again after it", async ({ expect }) => {
    const { clock, world, take, manager } = open();
    await clock.sleeping();
    take();
    world.complaints = ["The poll loop was to be heard of 12 s ago"];
    await clock.advance(60_000);
    expect(take()).toEqual([]);
    expect(world.stuck).toBe(1);
    world.complaints = [];
    await clock.advance(5000);
    expect(take()).toEqual(["WATCHDOG=1"]);
    await manager.stop();
  });

  it("say READY once the pool is read, or after 10 s without the server", async ({ expect }) => {
    const { clock, world, take, manager } = open({ state: "starting" }, null);
    await clock.sleeping();
    expect(take()).toEqual(["STATUS=idle"]);
    await clock.advance(9000);
    expect(take()).toEqual([]);
    await clock.advance(1000);
    expect(take()).toEqual(["READY=1"]);
    world.snapshot = SNAPSHOT;
    manager.observer.stateChanged?.("running");
    await clock.advance(20_000);
    expect(take()).toEqual([]);
    await manager.stop();
  });

  it("ask for more time while it drains, but not for ever", async ({ expect }) => {
    const { clock, world, take, manager } = open({}, null);
    await clock.sleeping();
    take();
    world.snapshot = { ...SNAPSHOT, state: "draining", drainsUntil: 100_000 };
    manager.observer.stateChanged?.("draining");
    await clock.advance(0);
    expect(take()).toEqual(["STOPPING=1", "EXTEND_TIMEOUT_USEC=30000000"]);
    await clock.advance(155_000);
    const asked = take();
    expect(asked.length).toBeGreaterThan(20);
    expect(new Set(asked)).toEqual(new Set(["EXTEND_TIMEOUT_USEC=30000000"]));
    await clock.advance(60_000);
    take();
    await clock.advance(60_000);
    expect(take()).toEqual([]);
    await manager.stop();
  });

  it("tell of a change of the status once a second at most, the last one for certain", async ({ expect }) => {
    const { clock, world, take, manager } = open({}, null);
    await clock.sleeping();
    take();
    for (let run = 1; run <= 50; run += 1) {
      world.summary = `${run} runs\nin hand`;
      manager.observer.runTaken?.({ flowRun: { id: "", name: "" }, timings: null });
      await clock.advance(10);
    }
    await clock.advance(2000);
    const statuses = take();
    expect(statuses.at(-1)).toBe("STATUS=50 runs in hand");
    expect(statuses.length).toBeLessThanOrEqual(2);
    await manager.stop();
  });

  it.for<[Record<string, string>, number | null]>([
    [{}, null],
    [{ WATCHDOG_USEC: "30000000" }, 30_000],
    [{ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "42" }, 30_000],
    [{ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "43" }, null],
    [{ WATCHDOG_USEC: "0" }, null],
    [{ WATCHDOG_USEC: "soon" }, null],
  ])("with %j a sign of life is due every %s ms", ([env, expected], { expect }) => {
    expect(watchdogMsOf(env, 42)).toBe(expected);
  });

  it("are the worker's alone", ({ expect }) => {
    expect(
      withoutServiceManager({ NOTIFY_SOCKET: "/x", WATCHDOG_USEC: "1", WATCHDOG_PID: "1", PATH: "/bin" }),
    ).toEqual({
      PATH: "/bin",
    });
  });
});
