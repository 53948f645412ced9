import { describe, it } from "vitest";

import { parsePrefectFile } from "./prefect-file.ts";
import { selectDeclarations } from "./selection.ts";

import type { SelectionRequest } from "./selection.ts";

const FILE = parsePrefectFile(
  new TextEncoder().encode(`
deployments:
  - {name: my-deployment, entrypoint: "a.py:my_flow"}
  - {name: my-deployment, entrypoint: "b.py:other_flow"}
  - {name: staging-prod, entrypoint: "flows.etl.my_flow"}
  - {name: nightly, entrypoint: "c.py:run"}
  - {entrypoint: "d.py:unnamed"}
  - {name: loose}
`),
  "prefect.yaml",
);
// The flow of c.py calls itself otherwise than its function.
const flowName: SelectionRequest["flowName"] = (declaration) =>
  Promise.resolve(declaration.index === 3 ? "The Reports" : undefined);

async function select(names: readonly string[], more: Partial<SelectionRequest> = {}): Promise<string> {
  try {
    const { picked, name, warnings } = await selectDeclarations({
      declarations: FILE.declarations,
      names,
      all: false,
      entrypoint: undefined,
      flowName,
      ...more,
    });
    const indexes = picked.map((declaration) => declaration?.index ?? "new").join(" ");
    return [indexes, name === undefined ? "" : `as ${name}`, ...warnings]
      .filter((text) => text !== "")
      .join(" | ");
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : "?";
  }
}

describe("declarations are chosen by name", () => {
  it.for<[names: readonly string[], selected: string]>([
    [["nightly"], "3 | as nightly"],
    [["my-deployment"], "0 1"],
    [["my-flow/my-deployment"], "0"],
    [["my_flow/my-deployment"], "0"],
    [["my-flow/*"], "0 2"],
    [["my_flow/*"], "0 2"],
    [["*dev/my-deployment"], "No deployment configuration matches '*dev/my-deployment'"],
    [["*flow/my-deployment"], "0 1"],
    [["s*prod"], "2"],
    [["*"], "0 1 2 3 5"],
    [["The Reports/nightly"], "3"],
    [["The*/*"], "3"],
    [["the-reports/nightly"], "No deployment configuration matches 'the-reports/nightly'"],
    [["nightly", "my-flow/*"], "0 2 3"],
    [["nightly", "nightly"], "3"],
    [
      ["nightly", "none", "also-none"],
      "3 | The following deployment(s) could not be found and will not be deployed: also-none, none",
    ],
    [["none"], "No deployment configuration matches 'none'"],
    [["my-flow/none"], "No deployment configuration matches 'my-flow/none'"],
    [["n*o"], "No deployment configuration matches 'n*o'"],
    [["nightl*y"], "3"],
    [["nightly*nightly"], "No deployment configuration matches 'nightly*nightly'"],
  ])("%j", async ([names, selected], { expect }) => {
    expect(await select(names)).toBe(selected);
  });

  it("an unknown plain name with an entrypoint makes a new deployment", async ({ expect }) => {
    expect(await select(["none"], { entrypoint: "x.py:f" })).toMatch(/^new \| as none \| Could not find any/);
    expect(await select(["no*"], { entrypoint: "x.py:f" })).toMatch(/^No deployment configuration matches/);
  });

  it("--all takes every declaration, and no names beside it", async ({ expect }) => {
    expect(await select([], { all: true })).toBe("0 1 2 3 4 5");
    expect(await select(["nightly"], { all: true })).toMatch(/^Cannot use both/);
  });

  it("one declaration is taken under any plain name, but not for a pattern that it does not match", async ({
    expect,
  }) => {
    const declarations = FILE.declarations.slice(3, 4);
    expect(await select([], { declarations })).toBe("3");
    expect(await select(["other"], { declarations })).toBe("3 | as other");
    expect(await select(["o*"], { declarations })).toMatch(/^No deployment configuration matches/);
    expect(await select(["x/nightly"], { declarations })).toMatch(/^No deployment configuration matches/);
    expect(await select(["run/nightly"], { declarations })).toBe("3");
  });

  it("without a name, several are refused and none leaves it to the arguments", async ({ expect }) => {
    expect(await select([])).toMatch(/^Discovered one or more/);
    expect(await select([], { declarations: [] })).toBe("new");
    expect(await select(["x"], { declarations: [] })).toBe("new | as x");
  });

  it("with prompts, the user chooses", async ({ expect }) => {
    const choose: SelectionRequest["choose"] = (declarations, why) =>
      Promise.resolve(why === "ambiguous" ? declarations[1] : undefined);
    expect(await select([], { choose })).toBe("new");
    expect(await select(["my-deployment"], { choose })).toBe("1 | as my-deployment");
    expect(await select(["none"], { choose })).toMatch(/^new \| as none/);
  });
});
