import { describe, it } from "vitest";

import { watchLoopLag } from "./loop-lag.ts";

describe("the lag of the event loop", () => {
  it("is what a timer was late by because something blocked the loop", async ({ expect }) => {
    let end = (): void => undefined;
    const lag = await new Promise<number>((resolve) => {
      end = watchLoopLag(resolve);
      const until = performance.now() + 800;
      while (performance.now() < until);
    });
    end();
    // The timer was due after 0.5 s.
    expect(lag).toBeGreaterThan(0.25);
    expect(lag).toBeLessThan(5);
  });
});
