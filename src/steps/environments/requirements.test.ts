import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { beforeEach, describe, it, onTestFinished } from "vitest";

import { StepError } from "../errors.ts";
import { readRequirements, withoutPasswords } from "./requirements.ts";

describe("readRequirements", () => {
  let cwd = "";

  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), "lighterman-requirements-"));
    onTestFinished(() => rmSync(cwd, { recursive: true, force: true }));
  });

  function write(name: string, text: string): void {
    mkdirSync(dirname(join(cwd, name)), { recursive: true });
    writeFileSync(join(cwd, name), text);
  }

  const read = (lines: readonly string[], files: readonly string[] = [], env = {}) =>
    readRequirements({ lines, files, cwd, env });

  it("leaves out comments and blank lines, joins continued ones, fills in variables", async ({ expect }) => {
    write(
      "requirements.txt",
      "# for the flow\n\nprefect==3.8.8  \\\n    --hash=sha256:abc # pinned\n\nhttpx  >= 0.27\nx==${X_VERSION} # ${y}\r\n--extra-index-url https://user:word@index.example/simple#frag\n",
    );
    expect(await read(["one==1", "# none"], ["requirements.txt"], { X_VERSION: "2" })).toEqual([
      "one==1",
      "prefect==3.8.8 --hash=sha256:abc",
      "httpx >= 0.27",
      "x==2",
      "--extra-index-url https://index.example/simple#frag",
    ]);
  });

  it("follows files that files name, each from where it lies, and each once", async ({ expect }) => {
    write("app.txt", "-r sets/base.txt\n--constraint=sets/pins.txt\n-csets/pins.txt\napp\n");
    write("sets/base.txt", "-r ../app.txt\nbase\n");
    write("sets/pins.txt", "app==1\n");
    expect(await read([], ["app.txt"])).toEqual(["-r", "-r", "base", "-c", "app==1", "-c", "app"]);
    expect(await read([], ["sets/base.txt"])).not.toEqual(await read([], ["app.txt"]));
  });

  it("counts the contents of local archives in", async ({ expect }) => {
    write("wheels/x-1-py3-none-any.whl", "one");
    const first = await read(["./wheels/x-1-py3-none-any.whl"]);
    const second = await read(["x @ file:wheels/x-1-py3-none-any.whl"]);
    expect(first[1]).toMatch(/^[0-9a-f]{64}$/);
    expect(second[1]).toBe(first[1]);
    write("wheels/x-1-py3-none-any.whl", "two");
    expect((await read(["./wheels/x-1-py3-none-any.whl"]))[1]).not.toBe(first[1]);
    expect(await read(["x @ https://a:b@h.example/x-1-py3-none-any.whl"])).toEqual([
      "x @ https://h.example/x-1-py3-none-any.whl",
    ]);
  });

  it.for([
    ["-e .", "is a directory of this run"],
    ["--editable ./x", "is a directory of this run"],
    [".", "is a directory of this run"],
    ["./here[extra]", "names a file that is not there"],
    ["./gone.whl", "names a file that is not there"],
    ["-r other.txt", "names a file"],
  ] as const)("refuses %s", async ([line, problem], { expect }) => {
    await expect(read([line])).rejects.toThrow(new RegExp(`The requirement '.*' ${problem}`));
  });

  it("says which file cannot be read", async ({ expect }) => {
    const failure = await read([], ["gone.txt"]).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StepError);
    expect(String(failure)).toContain(join(cwd, "gone.txt"));
  });
});

it("withoutPasswords keeps the rest of every address", ({ expect }) => {
  expect(withoutPasswords("-i https://a:b@h/x --find-links http://c@i/ ./y")).toBe(
    "-i https://h/x --find-links http://i/ ./y",
  );
});
