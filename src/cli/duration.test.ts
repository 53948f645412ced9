import { describe, it } from "vitest";

import { parseDuration } from "./duration.ts";

describe("parseDuration", () => {
  it.for([
    ["2 hours", 7_200_000],
    ["1h30m", 5_400_000],
    ["1 hour 30 minutes", 5_400_000],
    ["an hour and 30 minutes", 5_400_000],
    ["90s", 90_000],
    ["90 seconds", 90_000],
    ["0.5 min", 30_000],
    ["2 days, 3 hrs", 183_600_000],
    ["1 Week", 604_800_000],
    ["5 mins", 300_000],
  ] as const)("%s", ([text, ms], { expect }) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.for(["", "soon", "5", "5 parsecs", "2 hours ago", "-5 minutes", "1h of 3", "h"])(
    "%j is none",
    (text, { expect }) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );
});
