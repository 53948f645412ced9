import { describe, it } from "vitest";

import { unixTime } from "./container-logs.ts";

describe("unixTime", () => {
  it("keeps all nine digits, which a floating-point number could not", ({ expect }) => {
    expect(unixTime("2026-01-02T03:04:05.123456789Z")).toBe("1767323045.123456789");
    expect(unixTime("2026-01-02T03:04:05Z")).toBe("1767323045.000000000");
    expect(unixTime("2026-01-02T05:04:05.5+02:00")).toBe("1767323045.500000000");
  });
});
