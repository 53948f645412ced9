import { describe, it } from "vitest";

import { observeAll } from "./observer.ts";

describe("observers of a worker", () => {
  it("are told one after the other, and what one throws reaches neither the others nor the worker", ({
    expect,
  }) => {
    const told: string[] = [];
    const errors: unknown[] = [];
    const failure = new Error("an observer's own");
    const all = observeAll(
      [
        { polled: (due, durationMs) => told.push(`first ${due} ${durationMs}`) },
        {
          polled() {
            throw failure;
          },
        },
        {},
        { polled: (due) => told.push(`last ${due}`) },
      ],
      (error) => errors.push(error),
    );
    all.polled(3, 12);
    all.cancelling("nobody listens");
    expect(told).toEqual(["first 3 12", "last 3"]);
    expect(errors).toEqual([failure]);
  });

  it("give a run's process the first trace that one of them keeps, or none", ({ expect }) => {
    const observers = [
      {},
      { traceparent: () => null },
      { traceparent: () => "a" },
      { traceparent: () => "b" },
    ];
    expect(observeAll(observers, () => undefined).traceparent("run")).toBe("a");
    expect(observeAll([{}], () => undefined).traceparent("run")).toBeNull();
  });
});
