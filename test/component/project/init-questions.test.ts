import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { it } from "vitest";

import { RECIPES } from "../../../src/project/recipes.ts";
import { openProject } from "./stage.ts";

const DOWN = "\u001B[B";
const CTRL_C = "\u0003";

it("each recipe that is chosen asks for its fields, again while one is empty, and writes what --field gives; Ctrl-C writes nothing", async ({
  expect,
}) => {
  const { answer, run, directory } = await openProject({});
  const path = join(directory, "prefect.yaml");
  const clear = async (): Promise<void> => {
    for (const name of ["prefect.yaml", ".prefectignore"]) await rm(join(directory, name), { force: true });
  };
  const before = await readdir(directory);
  for (const [index, { name, required }] of RECIPES.entries()) {
    const fields = Object.keys(required);
    const choice = [/How is the flows' code stored/, `${DOWN.repeat(index + 1)}\r`] as const;
    const answers = fields.flatMap((field) => [
      [new RegExp(`${field}:`), "\r"] as const,
      [/It is needed/, `my-${field}\r`] as const,
    ]);
    for (const [at, [question]] of [choice, ...answers].entries()) {
      const given = [choice, ...answers].slice(0, at);
      expect(await answer([...given, [question, CTRL_C]], "init"), name).toMatchObject({ code: 1 });
      expect(await readdir(directory), name).toEqual(before);
    }
    expect(await answer([choice, ...answers], "init"), name).toMatchObject({ code: 0 });
    const answered = await readFile(path, "utf8");
    await clear();
    const flags = fields.flatMap((field) => ["--field", `${field}=my-${field}`]);
    expect(await run("init", "--recipe", name, ...flags), name).toMatchObject({ code: 0 });
    expect(answered, name).toBe(await readFile(path, "utf8"));
    for (const field of fields) expect(answered, name).toContain(`my-${field}`);
    await clear();
  }
});
