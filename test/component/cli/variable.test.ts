import { describe, it } from "vitest";

import { open } from "./open.ts";

describe("variable", () => {
  it("set keeps JSON as JSON and anything else as text; get prints it back", async ({ expect }) => {
    const { api, run } = await open();
    for (const [text, value] of [
      ["7", 7],
      ["plain text", "plain text"],
      ['{"a": [1, null]}', { a: [1, null] }],
      ['"quoted"', "quoted"],
      ["{broken", "{broken"],
      ["true", true],
    ] as const) {
      const set = await run(["variable", "set", "mine", text, "--overwrite", "--tag", "a", "--tag", "b"]);
      expect(set.code, set.stderr).toBe(0);
      expect(await api.get("/variables/name/mine")).toMatchObject({ value, tags: ["a", "b"] });
      const got = await run("variable get mine");
      expect(JSON.parse(got.stdout)).toEqual(value);
    }
    const whole = await run("variable get mine --json");
    expect(JSON.parse(whole.stdout)).toEqual(await api.get("/variables/name/mine"));
    expect((await run("variable inspect mine")).stdout).toContain("value: true");
  });

  it("set refuses to change a variable without --overwrite", async ({ expect }) => {
    const { api, run } = await open();
    await run("variable set mine 1");
    expect(await run("variable set mine 2")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--overwrite"),
    });
    expect(await api.get("/variables/name/mine")).toMatchObject({ value: 1 });
  });

  it("ls, unset, and what is not there", async ({ expect }) => {
    const { api, run } = await open();
    expect((await run("variable ls")).stderr).toBe("There are no variables.\n");
    await run("variable set second 2");
    await run("variable set first 1 --tag t");
    expect((await run("variable ls")).stdout.split("\n").map((line) => line.split("\t").slice(0, 3))).toEqual(
      [["first", "1", "t"], ["second", "2", ""], [""]],
    );
    expect(JSON.parse((await run("variable ls --json --limit 1")).stdout)).toMatchObject([{ name: "first" }]);
    expect(await run("variable get frist")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("Did you mean 'first'?"),
    });
    expect(await run("variable unset first")).toMatchObject({ code: 2 });
    expect(await run("variable delete first -y")).toMatchObject({ code: 0 });
    expect((await api.call("GET", "/variables/name/first")).status).toBe(404);
  });
});
