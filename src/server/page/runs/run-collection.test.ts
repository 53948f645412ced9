import { expect, test } from "vitest";

import { RunCollection, touches } from "./run-collection.ts";

import type { FlowRun } from "../api/types.ts";

function run(id: string, second: number, fields: Partial<FlowRun> = {}): FlowRun {
  const expected = new Date(second * 1000).toISOString();
  return { id, name: id, expected_start_time: expected, end_time: null, ...fields } as FlowRun;
}

test("is sorted by the expected start, the latest first", () => {
  const runs = new RunCollection();
  runs.put([run("a", 1), run("b", 3), run("c", 2)]);
  expect(runs.sorted.map(({ id }) => id)).toEqual(["b", "c", "a"]);
  runs.put([run("a", 9), run("d", 2)]);
  expect(runs.sorted.map(({ id }) => id)).toEqual(["a", "b", "d", "c"]);
  runs.remove(["b", "unknown"]);
  expect(runs.sorted.map(({ id }) => id)).toEqual(["a", "d", "c"]);
  expect(runs.get("b")).toBeUndefined();
});

test("pages go on from the time of the last run, past those that share it", () => {
  const page = [run("a", 9), run("b", 5), run("c", 5)];
  expect(RunCollection.nextPage(page)).toEqual({ before: new Date(5000).toISOString(), offset: 2 });
  expect(RunCollection.nextPage([])).toBeUndefined();
});

test("touches counts a run that goes on up to now", () => {
  const ended = run("a", 10, { end_time: new Date(20_000).toISOString() });
  expect(touches(ended, 15_000, 90_000, 99_000)).toBe(true);
  expect(touches(ended, 21_000, 90_000, 99_000)).toBe(false);
  expect(touches(run("b", 10), 50_000, 90_000, 99_000)).toBe(true);
  expect(touches(run("c", 95), 50_000, 90_000, 99_000)).toBe(false);
});
