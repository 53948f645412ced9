import { describe, it } from "vitest";

import { parseStartTime } from "./start-time.ts";

// A Wednesday; 10:00 in Vienna.
const NOW = Date.parse("2026-11-25T09:00:00Z");

describe("parseStartTime", () => {
  it.for([
    ["2026-12-01T17:30:00Z", "2026-12-01T17:30:00.000Z"],
    ["2026-12-01T17:30:00+02:00", "2026-12-01T15:30:00.000Z"],
    ["2026-12-01 17:30 -0500", "2026-12-01T22:30:00.000Z"],
    ["2026-12-01T17:30:00.250", "2026-12-01T16:30:00.250Z"],
    ["2026-12-01 17:30", "2026-12-01T16:30:00.000Z"],
    ["at 2026-12-01 17:30:15", "2026-12-01T16:30:15.000Z"],
    ["2026-12-01 17:30 America/New_York", "2026-12-01T22:30:00.000Z"],
    ["2026-12-01 5pm UTC", "2026-12-01T17:00:00.000Z"],
    ["2026-07-01 12:00", "2026-07-01T10:00:00.000Z"],
    ["2026-12-01", "2026-11-30T23:00:00.000Z"],
    ["5:30pm", "2026-11-25T16:30:00.000Z"],
    ["at 5:30 pm", "2026-11-25T16:30:00.000Z"],
    ["17:30", "2026-11-25T16:30:00.000Z"],
    ["9:30", "2026-11-26T08:30:00.000Z"],
    ["9:30Z", "2026-11-25T09:30:00.000Z"],
    ["12am", "2026-11-25T23:00:00.000Z"],
    ["noon", "2026-11-25T11:00:00.000Z"],
    ["tomorrow 9am", "2026-11-26T08:00:00.000Z"],
    ["tomorrow at 09:15", "2026-11-26T08:15:00.000Z"],
    ["Tomorrow at noon Asia/Tokyo", "2026-11-26T03:00:00.000Z"],
    ["today 8:00", "2026-11-25T07:00:00.000Z"],
    ["friday 18:00", "2026-11-27T17:00:00.000Z"],
    ["wed 9:00", "2026-12-02T08:00:00.000Z"],
    ["in 2 hours", "2026-11-25T11:00:00.000Z"],
    ["now", "2026-11-25T09:00:00.000Z"],
  ] as const)("%s", ([text, instant], { expect }) => {
    const found = parseStartTime(text, NOW, "Europe/Vienna");
    expect(found === undefined ? undefined : new Date(found).toISOString()).toBe(instant);
  });

  it.for([
    "",
    "9",
    "soon",
    "25:00",
    "13pm",
    "2026-02-30 10:00",
    "2026-12-01 10:61",
    "10:00 Mars/Base",
    "tomorrow 9",
  ])("%j is none", (text, { expect }) => {
    expect(parseStartTime(text, NOW, "Europe/Vienna")).toBeUndefined();
  });
});
