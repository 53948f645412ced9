import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, it } from "vitest";
import { prefectProgram } from "../support/prefect-server.ts";
import { S3Gateway } from "../support/s3-gateway.ts";
import { openS3Stage } from "../support/s3-step.ts";

describe("pull_from_s3 against a real S3 gateway", () => {
  let gateway: S3Gateway;
  beforeAll(async () => {
    gateway = await S3Gateway.start();
  });
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
  });

  it("pulls two thousand small files, two pages of the listing", async ({ expect }) => {
    const objects = Object.fromEntries(
      Array.from({ length: 2000 }, (_, i) => [`app/d${i % 40}/f${i}.py`, `print(${i})\n`.repeat(100)]),
    );
    await gateway.createBucket("many", objects);
    using stage = openS3Stage();
    const outcome = await stage.pull({ bucket: "many", folder: "app", credentials: gateway.credentials });
    expect(outcome).toEqual({ outputs: { bucket: "many", folder: "app", directory: stage.directory } });
    const found = Object.fromEntries(
      await Promise.all(stage.files().map(async (path) => [`app/${path}`, await stage.read(path)] as const)),
    );
    expect(Object.keys(found)).toHaveLength(2000);
    expect(found).toEqual(objects);
    expect(stage.lines[0]).toBe(`info: Pulling s3://many/app/ from ${gateway.url}`);
    expect(stage.lines.at(-1)).toMatch(
      /^info: Pulled 2000 files \(\d+ bytes\) from s3:\/\/many\/app\/ in \d+\.\d s$/,
    );
  });

  it("gives every name, size and folder as it is, and nothing of a neighbour's", async ({ expect }) => {
    const big = randomBytes(64 * 1024 * 1024 + 12_345);
    const middle = randomBytes(3 * 1024 * 1024 + 7);
    await gateway.createBucket("names", {
      "a/empty": "",
      "a/with space + plus %20 é 漢字 😀.txt": "odd name",
      "a/<&'\"> !()*~.txt": "odd signs",
      "a/deep/er/and/deeper.txt": "deep",
      "a/big.bin": big,
      "a/middle.bin": middle,
      "a/edge.bin": big.subarray(0, 256 * 1024 + 1),
      "a-2/not-mine.txt": "neighbour",
      ab: "neighbour",
    });
    using stage = openS3Stage();
    await stage.pull({ bucket: "names", folder: "a", credentials: gateway.credentials });
    expect(stage.files()).toEqual(
      [
        "<&'\"> !()*~.txt",
        "big.bin",
        "deep/er/and/deeper.txt",
        "edge.bin",
        "empty",
        "middle.bin",
        "with space + plus %20 é 漢字 😀.txt",
      ].sort(),
    );
    expect(readFileSync(join(stage.directory, "big.bin")).equals(big)).toBe(true);
    expect(readFileSync(join(stage.directory, "middle.bin")).equals(middle)).toBe(true);
    expect(readFileSync(join(stage.directory, "edge.bin"))).toHaveLength(256 * 1024 + 1);
    expect(await stage.read("deep/er/and/deeper.txt")).toBe("deep");
    expect(await stage.read("empty")).toBe("");
  });

  it("takes an empty folder for the whole bucket, and MinIO's names for the keys", async ({ expect }) => {
    await gateway.createBucket("whole", { "x/one": "1", two: "2" });
    using stage = openS3Stage();
    const { outputs } = await stage.pull({
      bucket: "whole",
      folder: "",
      credentials: {
        minio_root_user: gateway.accessKeyId,
        minio_root_password: gateway.secretAccessKey,
        region_name: null,
        aws_client_parameters: { endpoint_url: gateway.url },
      },
    });
    expect(outputs).toEqual({ bucket: "whole", folder: "", directory: stage.directory });
    expect(stage.files()).toEqual(["two", "x/one"]);
    expect(stage.secrets).toContain(gateway.secretAccessKey);
  });

  it("replaces what is there and leaves the rest alone", async ({ expect }) => {
    await gateway.createBucket("again", { "f/new": "new", "f/old": "fresh" });
    using stage = openS3Stage();
    const inputs = { bucket: "again", folder: "f/", credentials: gateway.credentials };
    await stage.pull(inputs);
    await stage.pull(inputs);
    expect(stage.files()).toEqual(["new", "old"]);
    expect(await stage.read("old")).toBe("fresh");
  });

  it("leaves the same files as prefect-aws", async ({ expect }) => {
    await gateway.createBucket("both", {
      "p/q/one.txt": "1",
      "p/q/wei rd/ü+%.txt": "2",
      "p/q/win\\dows\\path.txt": "3",
      "p/q/empty": "",
      "p/qq/neighbour": "4",
    });
    using stage = openS3Stage();
    const python = mkdtempSync(join(tmpdir(), "lighterman-python-"));
    try {
      const inputs = { bucket: "both", folder: "p/q", credentials: gateway.credentials };
      writeFileSync(join(python, "inputs.json"), JSON.stringify(inputs));
      const script =
        "import json, os, pathlib, prefect_aws.deployments.steps as s\n" +
        "inputs = json.load(open('inputs.json')); os.mkdir('target'); os.chdir('target')\n" +
        "out = s.pull_from_s3(**inputs)\n" +
        "files = {str(p): p.read_text() for p in pathlib.Path('.').rglob('*') if p.is_file()}\n" +
        "print(json.dumps([out, files]))";
      const { stdout } = await promisify(execFile)(prefectProgram(3, "python"), ["-c", script], {
        cwd: python,
        env: { PATH: process.env["PATH"] ?? "", HOME: python, PREFECT_HOME: python },
      });
      const [outputs, files] = JSON.parse(stdout) as [object, Record<string, string>];
      const { outputs: ours } = await stage.pull(inputs);
      expect({ ...ours, directory: "" }).toEqual({ ...outputs, directory: "" });
      const entries = stage.files().map(async (path) => [path, await stage.read(path)] as const);
      expect(Object.fromEntries(await Promise.all(entries))).toEqual(files);
      expect(Object.keys(files)).toHaveLength(4);
    } finally {
      rmSync(python, { recursive: true, force: true });
    }
  });

  const refusals: readonly [
    what: string,
    inputs: (gateway: S3Gateway) => Record<string, unknown>,
    text: RegExp,
  ][] = [
    [
      "an unknown access key",
      (g) => ({ credentials: { ...g.credentials, aws_access_key_id: "NOBODY" } }),
      /access key is unknown/,
    ],
    [
      "a wrong secret key",
      (g) => ({ credentials: { ...g.credentials, aws_secret_access_key: "wrong" } }),
      /secret key does not belong/,
    ],
    [
      "a bucket that is not there",
      () => ({ bucket: "nowhere-to-be-found" }),
      /no bucket 'nowhere-to-be-found'/,
    ],
    [
      "a folder without objects",
      () => ({ folder: "nothing" }),
      /nothing to pull.*'refused', prefix 'nothing\/', endpoint http/,
    ],
    [
      "anonymous access to a private bucket",
      (g) => ({
        credentials: {
          aws_client_parameters: { endpoint_url: g.url, config: { signature_version: "unsigned" } },
        },
      }),
      /denied/,
    ],
  ];
  it.for(refusals)("says so for %s", async ([, inputs, text], { expect }) => {
    await gateway.createBucket("refused", { "a/b": "1" }).catch(() => undefined);
    using stage = openS3Stage();
    const pulling = stage.pull({
      bucket: "refused",
      folder: "a",
      credentials: gateway.credentials,
      ...(inputs(gateway) as { bucket?: string }),
    });
    await expect(pulling).rejects.toMatchObject({ name: "StepError", message: expect.stringMatching(text) });
    await expect(pulling).rejects.toMatchObject({ hint: expect.stringMatching(/./) });
    expect(stage.files()).toEqual([]);
  });
});
