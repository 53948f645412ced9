import { describe, it } from "vitest";

import { Announcements } from "./announcements.ts";

describe("Announcements", () => {
  it("asks for quick polls until the run is shown", ({ expect }) => {
    const announcements = new Announcements();
    announcements.add("a");
    expect(announcements.afterPoll(new Set())).toBe(25);
    expect(announcements.afterPoll(new Set())).toBe(75);
    expect(announcements.afterPoll(new Set(["a"]))).toBeUndefined();
    expect(announcements.afterPoll(new Set())).toBeUndefined();
  });

  it("gives a run that never shows up to the ordinary poll", ({ expect }) => {
    const announcements = new Announcements();
    announcements.add("later");
    const delays = [1, 2, 3, 4, 5, 6].map(() => announcements.afterPoll(new Set()));
    expect(delays).toEqual([25, 75, 200, 600, undefined, undefined]);
  });

  it("comes back as soon as the newest announcement wants", ({ expect }) => {
    const announcements = new Announcements();
    announcements.add("old");
    announcements.afterPoll(new Set());
    announcements.afterPoll(new Set());
    announcements.add("new");
    expect(announcements.afterPoll(new Set())).toBe(25);
  });
});
