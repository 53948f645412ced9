import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, it } from "vitest";

import { prefectProgram } from "../support/prefect-server.ts";
import { S3Gateway } from "../support/s3-gateway.ts";
import { openS3Stage } from "../support/s3-step.ts";

async function write(directory: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content);
  }
}

describe("push_to_s3 against a real S3 gateway", () => {
  let gateway: S3Gateway;
  beforeAll(async () => {
    gateway = await S3Gateway.start();
  });
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
  });

  it("pushes what pull_from_s3 gives back, and the second time only what has changed", async ({ expect }) => {
    await gateway.createBucket("round-trip", {});
    const big = randomBytes(40 * 1024 * 1024 + 77); // three parts
    const files = {
      "flow.py": "print(1)\n",
      "pkg/__init__.py": "",
      "pkg/with space + é 漢字 😀.txt": "odd",
      "pkg/<&'\"> !()*~.txt": "signs",
      "big.bin": big,
    };
    using source = openS3Stage();
    await write(source.directory, files);
    const inputs = { bucket: "round-trip", folder: "team/app", credentials: gateway.credentials };
    expect(await source.push(inputs)).toEqual({ outputs: { bucket: "round-trip", folder: "team/app" } });
    expect(source.lines.at(-1)).toMatch(/^info: Pushed 5 files \(\d+ bytes\) .*; 0 were there already$/);

    using target = openS3Stage();
    await target.pull(inputs);
    expect(target.files()).toEqual(Object.keys(files).sort());
    for (const path of Object.keys(files)) {
      expect(await target.read(path), path).toBe(await source.read(path));
    }

    await write(source.directory, { "flow.py": "print(2)\n" });
    await source.push(inputs);
    expect(source.lines.at(-1)).toMatch(/^info: Pushed 1 files \(9 bytes\) .*; 4 were there already$/);
    await target.pull(inputs);
    expect(await target.read("flow.py")).toBe("print(2)\n");
  });

  it("says what is wrong where nothing can be written", async ({ expect }) => {
    using stage = openS3Stage();
    await write(stage.directory, { "flow.py": "1" });
    const push = (inputs: object) =>
      stage.push({ bucket: "round-trip", folder: "x", credentials: gateway.credentials, ...inputs });
    await expect(push({ bucket: "nowhere-to-be-found" })).rejects.toMatchObject({
      name: "StepError",
      message: expect.stringMatching(/no bucket 'nowhere-to-be-found'/),
    });
    const credentials = { ...gateway.credentials, aws_secret_access_key: "wrong" };
    await expect(push({ credentials })).rejects.toMatchObject({
      message: expect.stringMatching(/secret key does not belong/),
    });
    await expect(push({ folder: null })).rejects.toMatchObject({
      message: expect.stringMatching(/'folder'/),
    });
  });

  it("sends the same objects as Prefect's own step: ignored files, links and folders", async ({ expect }) => {
    await gateway.createBucket("theirs", {});
    await gateway.createBucket("ours", {});
    using stage = openS3Stage();
    await write(stage.directory, {
      ".prefectignore": "# no comment\n*.log\n/build/\n__pycache__/\n!keep.log\nsecret\n\ndocs/**/draft.md\n",
      "flow.py": "1",
      "run.log": "no",
      "keep.log": "yes",
      "build/x": "no",
      "src/build/y": "yes",
      "src/__pycache__/z.pyc": "no",
      "src/secret/a": "no",
      "docs/a/b/draft.md": "no",
      "docs/a/final.md": "yes",
      ".hidden": "yes",
    });
    await symlink("flow.py", join(stage.directory, "link.py"));
    await stage.push({ bucket: "ours", folder: "app/", credentials: gateway.credentials });
    const program = `
import json, sys
from prefect_aws.deployments.steps import push_to_s3
print(json.dumps(push_to_s3(**json.loads(sys.argv[1]))))
`;
    const inputs = { bucket: "theirs", folder: "app/", credentials: gateway.credentials };
    execFileSync(prefectProgram(3, "python"), ["-c", program, JSON.stringify(inputs)], {
      cwd: stage.directory,
      env: {
        PATH: process.env["PATH"] ?? "",
        HOME: stage.directory,
        PREFECT_HOME: join(stage.directory, "..", "home"),
      },
    });
    using ours = openS3Stage();
    using theirs = openS3Stage();
    await ours.pull({ bucket: "ours", folder: "app", credentials: gateway.credentials });
    await theirs.pull({ bucket: "theirs", folder: "app", credentials: gateway.credentials });
    expect(ours.files()).toEqual(theirs.files());
    expect(ours.files()).toContain("keep.log");
    expect(ours.files()).not.toContain("run.log");
  });
});
