import { describe, it } from "vitest";

import { isGlobMatch } from "./glob.ts";

describe("isGlobMatch", () => {
  it.for([
    ["prefect.flow-run.*", "prefect.flow-run.Failed", true],
    ["prefect.flow-run.*", "prefect.flow-run", false],
    ["*", "", true],
    ["a?c", "abc", true],
    ["a?c", "ac", false],
    ["a.c", "abc", false],
    ["*.d", "a.b.c.d", true],
    ["[ab]x", "bx", true],
    ["[!ab]x", "bx", false],
    ["[a-c]x", "bx", true],
    ["[c-a]x", "bx", false],
    ["[]a]x", "]x", true],
    ["[a-]x", "-x", true],
    ["[x", "[x", true],
    ["a*", "a\nb", true],
    ["?", "😀", true],
    ["[^a]", "^", true],
    ["(a|b)+", "a", false],
  ] as const)("%s, %j: %s", ([pattern, text, isMatch], { expect }) => {
    expect(isGlobMatch(text, pattern)).toBe(isMatch);
  });
});
