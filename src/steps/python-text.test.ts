import { it } from "vitest";

import { pythonStrip } from "./python-text.ts";

it("strips what Python calls white space, and keeps a byte order mark", ({ expect }) => {
  expect(pythonStrip("\n \t\u00a0\x1f\x85a \n b\r\n\u2003")).toBe("a \n b");
  expect(pythonStrip("\ufeffa\ufeff ")).toBe("\ufeffa\ufeff");
  expect(pythonStrip(" \n ")).toBe("");
});
