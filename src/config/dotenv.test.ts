import { describe, it } from "vitest";

import { parseDotenv } from "./dotenv.ts";

describe("parseDotenv", () => {
  it("reads what python-dotenv reads", ({ expect }) => {
    const source = [
      "\uFEFF# a comment",
      "PLAIN=abc#def # end",
      "  export  SPACED =  a b  ",
      "EMPTY=",
      "COMMENT= # nothing",
      "HASH=#value",
      "SINGLE='it\\'s $HOME \\n' # end",
      'DOUBLE="tab\\t \\"q\\" \\x #"',
      'LINES="one',
      'two"',
      "no binding here",
      "WITHOUT_VALUE",
      'OPEN="never closed',
      "'quoted key'=1",
      "REF=${PLAIN}-${OUTER:-x}-${NONE:-y}-${NONE}-$PLAIN",
      "PLAIN=again\r",
      "LAST=end",
    ].join("\n");
    expect(parseDotenv(source, { OUTER: "outer" })).toEqual({
      PLAIN: "again",
      SPACED: "a b",
      EMPTY: "",
      COMMENT: "",
      HASH: "#value",
      SINGLE: "it's $HOME \\n",
      DOUBLE: 'tab\t "q" \\x #',
      LINES: "one\ntwo",
      "quoted key": "1",
      REF: "abc#def-outer-y--$PLAIN",
      LAST: "end",
    });
  });
});
