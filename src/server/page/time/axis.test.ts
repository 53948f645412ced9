import { describe, expect, test } from "vitest";

import { percentAt, percentOf, ticksOf } from "./axis.ts";

const at = (text: string): number => new Date(text).getTime();

describe("percentOf", () => {
  const span = { from: 100, to: 200 };

  test("is cut at the ends of the span", () => {
    expect(percentOf(span, 120, 150)).toEqual({ left: 20, width: 30 });
    expect(percentOf(span, 0, 150)).toEqual({ left: 0, width: 50 });
    expect(percentOf(span, 150, 900)).toEqual({ left: 50, width: 50 });
    expect(percentOf(span, 150, 150)).toEqual({ left: 50, width: 0 });
  });

  test("is nothing outside", () => {
    expect(percentOf(span, 0, 99)).toBeUndefined();
    expect(percentOf(span, 201, 300)).toBeUndefined();
    expect(percentAt(span, 250)).toBe(150);
  });

  test("an empty span does not divide by zero", () => {
    expect(percentAt({ from: 5, to: 5 }, 5)).toBe(0);
  });
});

describe("ticksOf", () => {
  test("stand at round local times and never exceed what there is room for", () => {
    const span = { from: at("2026-11-25T13:02:10"), to: at("2026-11-25T14:02:10") };
    const ticks = ticksOf(span, 7);
    expect(ticks.map(({ label }) => label)).toEqual(["13:10", "13:20", "13:30", "13:40", "13:50", "14:00"]);
    expect(ticks[0]?.at).toBe(at("2026-11-25T13:10:00"));
  });

  test("name seconds for short spans and days at midnight", () => {
    const short = { from: at("2026-11-25T13:02:10"), to: at("2026-11-25T13:02:59") };
    expect(ticksOf(short, 5).map(({ label }) => label)).toEqual([
      "13:02:10",
      "13:02:20",
      "13:02:30",
      "13:02:40",
      "13:02:50",
    ]);
    const night = { from: at("2026-11-25T22:30:00"), to: at("2026-11-26T01:30:00") };
    expect(ticksOf(night, 4).map(({ label }) => label)).toEqual(["23:00", "Thu 26", "01:00"]);
  });

  test("days are days, whatever their length", () => {
    const span = { from: at("2026-10-20T12:00:00"), to: at("2026-10-30T12:00:00") };
    const ticks = ticksOf(span, 12);
    expect(ticks).toHaveLength(10);
    for (const tick of ticks) expect(new Date(tick.at).getHours()).toBe(0);
  });

  test("a span of years has some, too", () => {
    expect(
      ticksOf({ from: at("2024-01-01T00:00:00"), to: at("2026-01-01T00:00:00") }, 6).length,
    ).toBeGreaterThan(2);
  });
});
