import { describe, expect, test } from "vitest";

import { formatDuration, formatMoment, formatRelative, instantOf } from "./duration.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

test.for([
  [-5, "0.00 s"],
  [240, "0.24 s"],
  [9340, "9.3 s"],
  [42_400, "42 s"],
  [59_900, "1 m 00 s"],
  [185_000, "3 m 05 s"],
  [2 * HOUR + 10 * MINUTE + 59_000, "2 h 10 m"],
  [76 * HOUR, "3 d 04 h"],
] as const)("formatDuration(%d) is %s", ([ms, text]) => {
  expect(formatDuration(ms)).toBe(text);
});

describe("formatRelative", () => {
  test.for([
    [0, "now"],
    [-12_000, "12 s ago"],
    [3 * MINUTE + 59_000, "in 3 m"],
    [-47 * HOUR, "47 h ago"],
    [50 * HOUR, "in 2 d"],
  ] as const)("%d ms away is %s", ([distance, text]) => {
    expect(formatRelative(1_000_000_000_000 + distance, 1_000_000_000_000)).toBe(text);
  });
});

test("formatMoment leaves out today's date", () => {
  const now = new Date("2026-11-25T14:00:00").getTime();
  expect(formatMoment(new Date("2026-11-25T09:03:02").getTime(), now)).toBe("09:03:02");
  expect(formatMoment(new Date("2026-11-24T09:03:02").getTime(), now)).toMatch(/^Tue,? 24 Nov, 09:03:02$/);
});

test("instantOf takes what the API gives", () => {
  expect(instantOf("1970-01-01T00:00:01.500000Z")).toBe(1500);
  expect(instantOf("1970-01-01T01:00:01+01:00")).toBe(1000);
  expect(instantOf(null)).toBeUndefined();
  expect(instantOf("soon")).toBeUndefined();
});
