import { describe, it } from "vitest";

import { Scope } from "./scope.ts";

describe("Scope", () => {
  it("runs finalisers last-in-first-out after the tasks have ended", async ({ expect }) => {
    const order: string[] = [];
    const scope = new Scope();
    scope.defer(() => order.push("first"));
    scope.defer(() => order.push("second"));
    scope.task("waits", async (signal) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      order.push("task");
    });
    await scope.close();
    expect(order).toEqual(["task", "second", "first"]);
  });

  it("aborts the siblings of a failed task and throws its error on close", async ({ expect }) => {
    const scope = new Scope();
    const failure = new Error("boom");
    let siblingSaw: unknown;
    scope.task("sibling", async (signal) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      siblingSaw = signal.reason;
    });
    scope.task("fails", () => Promise.reject(failure));
    await scope.idle();
    await expect(scope.close()).rejects.toBe(failure);
    expect(siblingSaw).toMatchObject({ message: "fails failed: boom", cause: failure });
  });

  it("collects several errors, finalisers' too", async ({ expect }) => {
    const scope = new Scope();
    scope.defer(() => Promise.reject(new Error("from finaliser")));
    scope.task("fails", () => Promise.reject(new Error("from task")));
    await expect(scope.close()).rejects.toBeInstanceOf(AggregateError);
  });

  it("follows its parent's signal", async ({ expect }) => {
    const parent = new AbortController();
    const scope = new Scope(parent.signal);
    parent.abort(new Error("parent ended"));
    expect(scope.signal.aborted).toBe(true);
    await scope.close();
  });
});
