import { describe, expect, test } from "vitest";

import { LogFeed, filterLines, levelName, logText, markedParts, plainMessage } from "./log-feed.ts";

import type { LogLine } from "../api/types.ts";

function line(id: string, second: number, fields: Partial<LogLine> = {}): LogLine {
  const timestamp = `2026-11-25T10:00:${String(second).padStart(2, "0")}.000000Z`;
  return { id, timestamp, level: 20, name: "prefect.flow_runs", message: id, task_run_id: null, ...fields };
}

describe("LogFeed", () => {
  test("takes each line once and keeps them in the order of time", () => {
    const feed = new LogFeed(100);
    expect(feed.add([line("b", 2), line("a", 1)])).toBe(true);
    expect(feed.add([line("c", 3)])).toBe(true);
    expect(feed.add([line("b", 2), line("late", 2)])).toBe(true);
    expect(feed.add([line("a", 1)])).toBe(false);
    expect(feed.lines.map(({ id }) => id)).toEqual(["a", "b", "late", "c"]);
    expect(feed.hasDropped).toBe(false);
  });

  test("lines of one instant stay as they came, earlier pages first", () => {
    const feed = new LogFeed(100);
    feed.add([line("c", 1), line("d", 1)]);
    feed.add([line("a", 1), line("b", 1)]);
    feed.add([line("e", 1), line("f", 2)]);
    expect(feed.lines.map(({ id }) => id)).toEqual(["a", "b", "c", "d", "e", "f"]);
  });

  test("is another array after a change only", () => {
    const feed = new LogFeed(100);
    feed.add([line("a", 1)]);
    const before = feed.lines;
    feed.add([line("a", 1)]);
    expect(feed.lines).toBe(before);
    feed.add([line("b", 1)]);
    expect(feed.lines).not.toBe(before);
  });

  test("lets the oldest go", () => {
    const feed = new LogFeed(2);
    feed.add([line("a", 1), line("b", 2), line("c", 3)]);
    expect(feed.lines.map(({ id }) => id)).toEqual(["b", "c"]);
    expect(feed.hasDropped).toBe(true);
  });
});

test("filterLines goes by level, text and task", () => {
  const lines = [
    line("one", 1),
    line("two", 2, { level: 40, task_run_id: "t" }),
    line("Three", 3, { level: 30 }),
  ];
  const ids = (filter: Parameters<typeof filterLines>[1]): string[] =>
    filterLines(lines, filter).map(({ id }) => id);
  expect(ids({ level: 30, text: "", taskRunId: undefined })).toEqual(["two", "Three"]);
  expect(ids({ level: 0, text: "three", taskRunId: undefined })).toEqual(["Three"]);
  expect(ids({ level: 0, text: "", taskRunId: "t" })).toEqual(["two"]);
  expect(filterLines(lines, { level: 0, text: "", taskRunId: undefined })).toBe(lines);
});

test("markedParts keeps the message whole", () => {
  const parts = markedParts("Error: an error", "error");
  expect(parts).toEqual([
    { text: "Error", isMarked: true },
    { text: ": an ", isMarked: false },
    { text: "error", isMarked: true },
  ]);
  expect(markedParts("x", "")).toEqual([{ text: "x", isMarked: false }]);
});

test("logText is one line each, without colours", () => {
  expect(plainMessage("\u001B[31mred\u001B[0m")).toBe("red");
  expect(logText([line("a", 1, { level: 30, message: "\u001B[1mhot\u001B[0m" })])).toBe(
    "2026-11-25T10:00:01.000000Z | WARNING  | prefect.flow_runs - hot\n",
  );
  expect([5, 20, 35, 50].map((level) => levelName(level))).toEqual(["DEBUG", "INFO", "WARNING", "CRITICAL"]);
});
