import { describe, it } from "vitest";

import { expandVariables } from "./run-shell-script.ts";

describe("expandVariables", () => {
  it("fills in what Python's safe_substitute fills in", ({ expect }) => {
    const env = { A: "1", _b2: "$A", "x-y": "no", toString2: "t" };
    const text = "$A ${A} $$A $_b2 $x-y ${x-y} $1 $ ${A $AB $toString ä$A";
    expect(expandVariables(text, env)).toBe("1 1 $A $A $x-y ${x-y} $1 $ ${A $AB $toString ä1");
  });
});
