import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "vitest";

import { OutputFile, compareTimes, isKept, readLastLines } from "./output-file.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "output-"));
  path = join(directory, "run.log");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function time(nanoseconds: number): string {
  return `2026-01-02T03:04:05.${String(nanoseconds).padStart(9, "0")}Z`;
}

function entry(nanoseconds: number, text: string, stream: "stdout" | "stderr" = "stdout") {
  return { timestamp: time(nanoseconds), stream, bytes: Buffer.from(text) };
}

describe("OutputFile", () => {
  it("keeps lines with their times and, for whoever goes on, how far each stream has come", ({ expect }) => {
    const first = OutputFile.create(path);
    first.write(entry(1, "one\n"));
    first.write(entry(2, "half "));
    first.write(entry(2, "line\n"));
    first.write(entry(1, "error\n", "stderr"));
    first.close();
    appendFileSync(path, `${time(9)} stdout F cut o`); // the worker died
    const second = OutputFile.resume(path);
    expect(second.positions).toEqual({
      stdout: { timestamp: time(2), count: 2 },
      stderr: { timestamp: time(1), count: 1 },
    });
    second.write(entry(3, "on\n"));
    second.close();
    expect(readFileSync(path, "utf8").split("\n")).toEqual([
      `${time(1)} stdout F one`,
      `${time(2)} stdout P half `,
      `${time(2)} stdout F line`,
      `${time(1)} stderr F error`,
      `${time(3)} stdout F on`,
      "",
    ]);
    expect(readLastLines(path, 2, 1000)).toEqual(["error", "on"]);
  });

  it("asks again from a little before the last entry, and from the start without one", ({ expect }) => {
    const file = OutputFile.create(path);
    expect(file.since).toBeUndefined();
    file.write(entry(500_000_000, "x\n"));
    expect(file.since).toBe("2026-01-02T03:04:04.500Z");
    file.close();
  });
});

describe("isKept", () => {
  it("tells entries that were seen from new ones, also among those of the same instant", ({ expect }) => {
    const position = { timestamp: time(5), count: 2 };
    expect(isKept(undefined, time(1), 0)).toBe(false);
    expect(isKept(position, time(4), 0)).toBe(true);
    expect([0, 1, 2].map((seen) => isKept(position, time(5), seen))).toEqual([true, true, false]);
    expect(isKept(position, time(6), 0)).toBe(false);
  });

  it("compares nanoseconds, in any zone and with any number of digits", ({ expect }) => {
    expect(compareTimes("2026-01-02T03:04:05.1Z", "2026-01-02T03:04:05.100000000Z")).toBe(0);
    expect(compareTimes("2026-01-02T05:04:05.000000001+02:00", "2026-01-02T03:04:05Z")).toBe(1);
    expect(compareTimes(time(1), time(2))).toBe(-1);
  });
});
