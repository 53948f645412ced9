import { describe, expect, test } from "vitest";

import { parseImageReference, registryHost } from "./image-reference.ts";

const digest = `sha256:${"0a".repeat(32)}`;

describe("the name of an image", () => {
  test.each([
    ["ubuntu", { registry: "docker.io", name: "ubuntu" }],
    ["prefecthq/prefect:3-latest", { registry: "docker.io", name: "prefecthq/prefect", tag: "3-latest" }],
    [
      "docker.io/library/ubuntu:22.04",
      { registry: "docker.io", name: "docker.io/library/ubuntu", tag: "22.04" },
    ],
    ["127.0.0.1:5000/team/app", { registry: "127.0.0.1:5000", name: "127.0.0.1:5000/team/app" }],
    ["localhost/app:1", { registry: "localhost", name: "localhost/app", tag: "1" }],
    ["[::1]:5000/app:1", { registry: "[::1]:5000", name: "[::1]:5000/app", tag: "1" }],
    [`quay.io/team/app@${digest}`, { registry: "quay.io", name: "quay.io/team/app", digest }],
    [`ghcr.io/team/app:1@${digest}`, { registry: "ghcr.io", name: "ghcr.io/team/app", tag: "1", digest }],
  ])("%s", (text, expected) => {
    expect(parseImageReference(text)).toEqual(expected);
  });

  test.each([
    ["", "it is empty"],
    ["my app", "white space"],
    ["Team/app", "'Team/app' must be in lower case"],
    ["team/App:1", "'team/App' must be in lower case"],
    ["team//app", "may only hold"],
    ["app:", "'' is no tag"],
    ["app:a+b", "'a+b' is no tag"],
    ["app@latest", "no digest"],
    ["-bad.example.com/app", "-bad.example.com is no host"],
  ])("refuses %j: %s", (text, problem) => {
    expect(() => parseImageReference(text)).toThrow(problem);
  });
});

test.each([
  ["https://index.docker.io/v1/", "docker.io"],
  ["index.docker.io", "docker.io"],
  ["docker.io", "docker.io"],
  ["http://127.0.0.1:5000/v2/", "127.0.0.1:5000"],
  [" ghcr.io ", "ghcr.io"],
])("the registry that is written %s is %s", (address, host) => {
  expect(registryHost(address)).toBe(host);
});
