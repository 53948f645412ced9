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

  it("gives a slot to those who wait, in their order, and not to those who went", async ({ expect }) => {
    const capacity = new Capacity(1);
    const first = capacity.tryAcquire();
    const leaving = new AbortController();
    const { signal } = new AbortController();
    const waiting = [leaving.signal, signal, signal].map((one) => capacity.acquire(one));
    leaving.abort(new Error("gone"));
    await expect(waiting[0]).rejects.toThrow("gone");
    first?.release();
    const second = await waiting[1];
    expect([capacity.inUse, capacity.tryAcquire()]).toEqual([1, null]);
    second?.release();
    (await waiting[2])?.release();
    expect(capacity.inUse).toBe(0);
    await expect(capacity.acquire(leaving.signal)).rejects.toThrow("gone");
  });
});
