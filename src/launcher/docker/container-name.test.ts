import { describe, it } from "vitest";

import { alternativeName, containerName } from "./container-name.ts";

describe("containerName", () => {
  // As python-slugify makes them with the worker's settings.
  it.for([
    ["it's a Test", "it-s-a-Test"],
    ["-_.x1", "x1"],
    ["über–flow", "uber-flow"],
    ["a__b..c", "a__b..c"],
    ["a--b", "a-b"],
    ["_a_", "a_"],
    ["my flow/run #1", "my-flow-run-1"],
    ["tail-", "tail"],
    ["..a-b..", "a-b.."],
    ["a_-_b", "a_-_b"],
    ["1,000 &amp; x", "1000-x"],
    ["x".repeat(300), "x".repeat(250)],
  ])("%s becomes %s", ([name, slug], { expect }) => {
    expect(containerName(name ?? "")).toBe(slug);
  });

  it("leaves the name to Docker when nothing is left of it", ({ expect }) => {
    expect(containerName("#!")).toBeNull();
    expect(containerName("a")).toBeNull();
  });

  it("gives an attempt the same other name each time", ({ expect }) => {
    expect(alternativeName("calm-otter", "0badc0de-1111")).toBe("calm-otter-0badc0de");
    expect(alternativeName("x".repeat(250), "0badc0de-1111")).toHaveLength(250);
  });
});
