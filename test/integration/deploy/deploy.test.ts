import { afterAll, beforeAll, describe, it } from "vitest";

import { FLAG_PROJECTS } from "./flag-projects.ts";
import { PROJECTS } from "./projects.ts";
import { openSide, outcome } from "./sides.ts";

import type { Side } from "./sides.ts";

let theirs: Side;
let ours: Side;

beforeAll(async () => {
  [theirs, ours] = await Promise.all([openSide("prefect"), openSide("lighterman")]);
});

afterAll(async () => {
  await Promise.all([theirs.stop(), ours.stop()]);
});

describe("`lighterman deploy` leaves on the server what `prefect deploy` leaves", () => {
  it.for([...PROJECTS, ...FLAG_PROJECTS])("$name", async (project, { expect }) => {
    const [expected, found] = await Promise.all([outcome(theirs, project), outcome(ours, project)]);
    expect(found.codes, `${found.outputs.join("\n")}\n--- prefect\n${expected.outputs.join("\n")}`).toEqual(
      expected.codes,
    );
    expect(found.left, found.outputs.join("\n")).toEqual(expected.left);
  });
});
