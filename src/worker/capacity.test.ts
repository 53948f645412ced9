import { describe, it } from "vitest";

import { Capacity } from "./capacity.ts";

describe("Capacity", () => {
  it("hands out as many slots as the limit says and takes each back once", ({ expect }) => {
    const capacity = new Capacity(2);
    const first = capacity.tryAcquire();
    capacity.tryAcquire();
    expect(capacity.tryAcquire()).toBeNull();
    first?.release();
    first?.release();
    expect(capacity.inUse).toBe(1);
    expect(capacity.tryAcquire()).not.toBeNull();
    expect(capacity.tryAcquire()).toBeNull();
  });

  it("never runs out without a limit", ({ expect }) => {
    const capacity = new Capacity(null);
    for (let index = 0; index < 1000; index += 1) expect(capacity.tryAcquire()).not.toBeNull();
  });
});
