import { describe, it } from "vitest";

import { FakeClock } from "../../test/support/fake-clock.ts";
import { startLoop } from "./loop.ts";
import { Pulse } from "./pulse.ts";

import type { GoingOn } from "./loop.ts";

function openLoop(tick: (signal: AbortSignal, goingOn: GoingOn) => Promise<number | void>) {
  const clock = new FakeClock();
  const end = new AbortController();
  const pulse = new Pulse(clock);
  const loop = startLoop(tick, {
    intervalMs: 1000,
    clock,
    signal: end.signal,
    pulse,
    tickMs: 200,
  });
  return { clock, end, pulse, loop };
}

/** A promise that somebody else keeps (`Promise.withResolvers`, which Node 20 lacks). */
function never(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((keep) => (resolve = keep));
  return { promise, resolve: () => resolve() };
}

describe("the pulse of a loop", () => {
  it("is never late while the loop ticks and sleeps, also when its interval grows after failures", async ({
    expect,
  }) => {
    let ticks = 0;
    const { clock, end, pulse, loop } = openLoop(async () => {
      ticks += 1;
      throw new Error("the API is away");
    });
    await clock.sleeping();
    for (let second = 0; second < 60; second += 1) {
      await clock.advance(999);
      expect(pulse.lateMs).toBe(0);
      await clock.advance(1);
    }
    expect(ticks).toBeGreaterThan(5);
    end.abort();
    await loop.done;
  });

  it("is late once a tick hangs for longer than it may", async ({ expect }) => {
    const hang = never();
    const { clock, end, pulse, loop } = openLoop(() => hang.promise);
    await clock.advance(200);
    expect(pulse.lateMs).toBe(0);
    await clock.advance(300);
    expect(pulse.lateMs).toBe(300);
    end.abort();
    hang.resolve();
    await loop.done;
    expect(pulse.lateMs).toBe(0);
  });

  it("goes on while a tick says that it waits for another attempt", async ({ expect }) => {
    const hang = never();
    const { clock, end, pulse, loop } = openLoop(async (_, goingOn) => {
      goingOn(5000);
      await hang.promise;
    });
    await clock.advance(5200);
    expect(pulse.lateMs).toBe(0);
    await clock.advance(100);
    expect(pulse.lateMs).toBe(100);
    end.abort();
    hang.resolve();
    await loop.done;
  });

  it("is not late after the end of the loop, however long ago that was", async ({ expect }) => {
    const { clock, end, pulse, loop } = openLoop(async () => undefined);
    await clock.sleeping();
    end.abort();
    await loop.done;
    await clock.advance(1_000_000);
    expect(pulse.lateMs).toBe(0);
  });
});
