import { describe, it } from "vitest";

import { readKeyValues } from "./key-values.ts";

describe("readKeyValues", () => {
  it("reads JSON, and else text as the inside of a JSON text", ({ expect }) => {
    expect(
      readKeyValues(
        [
          "number=1",
          "text=plain text",
          'quoted="1"',
          'object={"a": [1, null]}',
          "date=2026-11-25",
          "octal=07",
          "empty=",
          "equals=a=b",
          String.raw`escaped=a\nb`,
          String.raw`path=C:\dir`,
          "list=[1,",
          "number=2",
        ],
        "parameter",
      ),
    ).toEqual({
      number: 2,
      text: "plain text",
      quoted: "1",
      object: { a: [1, null] },
      date: "2026-11-25",
      octal: "07",
      empty: "",
      equals: "a=b",
      escaped: "a\nb",
      path: String.raw`C:\dir`,
      list: "[1,",
    });
  });

  it.for(["lonely", "=1", "x={a: 1}", 'x=say "hi"'])("refuses %s", (word, { expect }) => {
    expect(() => readKeyValues([word], "parameter")).toThrow();
  });
});
