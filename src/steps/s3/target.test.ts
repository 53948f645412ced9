import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "vitest";

import { relativePathOf, TargetDirectory } from "./target.ts";

describe("relativePathOf", () => {
  it.for([
    ["app/a.py", "app/", "a.py"],
    ["app/b/c.py", "app/", "b/c.py"],
    ["app/win\\dows\\c.py", "app/", "win/dows/c.py"],
    ["app//./x", "app/", "x"],
    ["app/a/../b", "app/", "b"],
    ["app/..a/b..", "app/", "..a/b.."],
    ["x", "", "x"],
    ["/x", "", "x"],
  ])("puts %s under %s at %s", ([key, prefix, path], { expect }) => {
    expect(relativePathOf(key ?? "", prefix ?? "")).toBe(path);
  });

  it.for(["app/../x", "app/a/../../x", "app/..", "app/\\..\\x", "app/a\\..\\..\\..\\etc", "other/x"])(
    "refuses %s",
    (key, { expect }) => {
      expect(() => relativePathOf(key, "app/")).toThrow(`'${key}' would leave the target directory`);
    },
  );

  it.for(["app/.", "app/a/..", "app/x\0y"])("refuses %j, which names no file", (key, { expect }) => {
    expect(() => relativePathOf(key, "app/")).toThrow(/names no file/);
  });
});

describe("TargetDirectory", () => {
  let parent = "";
  let root = "";
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), "lighterman-target-"));
    root = join(parent, "root");
    mkdirSync(root);
    mkdirSync(join(parent, "outside"));
  });
  afterEach(() => rmSync(parent, { recursive: true, force: true }));

  const content = Buffer.from("new");

  it("follows no link out of the target, and replaces links that stand where a file belongs", async ({
    expect,
  }) => {
    symlinkSync("../outside", join(root, "out"));
    symlinkSync(join(parent, "outside", "file"), join(root, "file"));
    symlinkSync("real", join(root, "in"));
    mkdirSync(join(root, "real"));
    const target = await TargetDirectory.open(root);
    await expect(target.writeFile("out/x", content)).rejects.toThrow(
      /'out' is a symbolic link that leads out/,
    );
    await expect(target.writeFile("out/deep/x", content)).rejects.toThrow(/'out' is a symbolic link/);
    await expect(target.openPartial("out/x")).rejects.toThrow(/'out' is a symbolic link/);
    await target.writeFile("file", content);
    await target.writeFile("in/x", content);
    expect(readdirSync(join(parent, "outside"))).toEqual([]);
    expect(readFileSync(join(root, "file"), "utf8")).toBe("new");
    expect(readFileSync(join(root, "real/x"), "utf8")).toBe("new");
  });

  it("works in a directory that is itself reached by a link", async ({ expect }) => {
    symlinkSync(root, join(parent, "link"));
    const target = await TargetDirectory.open(join(parent, "link"));
    await target.writeFile("a/b", content);
    expect(readFileSync(join(root, "a/b"), "utf8")).toBe("new");
  });

  it("says when a file and a folder have the same name", async ({ expect }) => {
    const target = await TargetDirectory.open(root);
    await target.writeFile("a", content);
    await expect(target.writeFile("a/b", content)).rejects.toThrow(
      /'a' is a file here, but a folder in the bucket/,
    );
    await target.writeFile("c/d", content);
    await expect(target.writeFile("c", content)).rejects.toThrow(
      /'c' is a folder here, but a file in the bucket/,
    );
    expect(readdirSync(root).sort()).toEqual(["a", "c"]);
  });

  it("leaves nothing of a file that is discarded, and what was there before", async ({ expect }) => {
    writeFileSync(join(root, "x"), "old");
    const target = await TargetDirectory.open(root);
    const file = await target.openPartial("x");
    await file.writeAt(content, 0);
    await file.discard();
    expect(readdirSync(root)).toEqual(["x"]);
    expect(readFileSync(join(root, "x"), "utf8")).toBe("old");
  });

  it("names a file that cannot be written", async ({ expect }) => {
    const target = await TargetDirectory.open(root);
    const name = "n".repeat(300);
    await expect(target.writeFile(name, content)).rejects.toMatchObject({
      message: `'${name}' cannot be written (ENAMETOOLONG)`,
      hint: "Shorten the object's key.",
    });
  });
});
