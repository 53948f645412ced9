import { describe, it } from "vitest";

import { FakeClock } from "../../test/support/fake-clock.ts";
import { startLoop } from "./loop.ts";

describe("startLoop", () => {
  it("ticks at once and then every interval, until aborted", async ({ expect }) => {
    const clock = new FakeClock();
    const end = new AbortController();
    const ticks: number[] = [];
    const loop = startLoop(async () => void ticks.push(clock.now()), {
      intervalMs: 1000,
      clock,
      signal: end.signal,
    });
    await clock.sleeping();
    await clock.advance(2500);
    expect(ticks).toEqual([0, 1000, 2000]);
    end.abort();
    await loop.done;
  });

  it("goes on after errors, doubling the interval after every third, and resets on success", async ({
    expect,
  }) => {
    const clock = new FakeClock();
    const end = new AbortController();
    let isFailing = true;
    const ticks: number[] = [];
    const seen: number[] = [];
    const loop = startLoop(
      async () => {
        ticks.push(clock.now());
        if (isFailing) throw new Error("down");
      },
      {
        intervalMs: 10,
        clock,
        signal: end.signal,
        maxIntervalMs: 40,
        onError: (_, count) => seen.push(count),
      },
    );
    await clock.sleeping();
    await clock.advance(240);
    expect(ticks).toEqual([0, 10, 20, 40, 60, 80, 120, 160, 200, 240]);
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    isFailing = false;
    await clock.advance(60);
    expect(ticks.slice(10)).toEqual([280, 290, 300]);
    end.abort();
    await loop.done;
  });

  it("ticks at once when nudged, also when nudged during a tick", async ({ expect }) => {
    const clock = new FakeClock();
    const end = new AbortController();
    let ticks = 0;
    const loop = startLoop(
      async () => {
        ticks += 1;
        if (ticks === 2) loop.nudge();
      },
      { intervalMs: 60_000, clock, signal: end.signal },
    );
    await clock.sleeping();
    expect(ticks).toBe(1);
    loop.nudge();
    await clock.advance(0);
    expect(ticks).toBe(3);
    end.abort();
    await loop.done;
  });

  it("comes back sooner when the tick asks for it", async ({ expect }) => {
    const clock = new FakeClock();
    const end = new AbortController();
    const ticks: number[] = [];
    const loop = startLoop(
      async () => {
        ticks.push(clock.now());
        return ticks.length === 1 ? 50 : undefined;
      },
      { intervalMs: 1000, clock, signal: end.signal },
    );
    await clock.sleeping();
    await clock.advance(60);
    expect(ticks).toEqual([0, 50]);
    end.abort();
    await loop.done;
  });
});
