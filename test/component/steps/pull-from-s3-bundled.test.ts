import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, it } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));

// Errors that are made after the SDK's part was loaded and called.
const PROGRAM = `
import { pullFromS3 } from "./src/steps/pull-from-s3.ts";
const [credentials, home] = process.argv.slice(2);
const log = { debug() {}, info() {}, warn() {}, error() {}, output() {} };
await pullFromS3
  .run({ bucket: "some-bucket", folder: "x", credentials: JSON.parse(credentials) }, {
    cwd: home, env: { HOME: home, AWS_EC2_METADATA_DISABLED: "true", AWS_ENDPOINT_URL_STS: "http://127.0.0.1:9", HTTPS_PROXY: "http://127.0.0.1:9" },
    python: async () => "", log, signal: new AbortController().signal, registerSecret() {},
  })
  .catch((error) => console.log(error.message));
`;

describe("pull_from_s3 as it is shipped, bundled", () => {
  const directory = mkdtempSync(join(tmpdir(), "lighterman-bundle-"));
  beforeAll(async () => {
    mkdirSync(join(directory, ".aws"));
    writeFileSync(join(directory, ".aws/credentials"), "[half]\naws_access_key_id = A\n");
    // The options of .ci/build.mjs that matter to how CommonJS packages are loaded.
    await build({
      stdin: { contents: PROGRAM, resolveDir: root, loader: "ts" },
      outdir: directory,
      outExtension: { ".js": ".mjs" },
      bundle: true,
      splitting: true,
      format: "esm",
      platform: "node",
      target: "node20",
      banner: {
        js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
      },
      logLevel: "warning",
    });
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const config = { connect_timeout: 2, retries: { total_max_attempts: 1 } };
  const keys = { aws_access_key_id: "A", aws_secret_access_key: "B", aws_client_parameters: { config } };

  it.for([
    [
      "assumes roles",
      { ...keys, assume_role_arn: "arn:aws:iam::123456789012:role/x" },
      /No AWS credentials could be obtained: .*ECONNREFUSED/,
    ],
    ["reads profiles", { profile_name: "nobody" }, /no AWS profile 'nobody'/],
    ["reads half a profile", { profile_name: "half" }, /No AWS credentials could be obtained: .*\[half\]/],
    ["looks for keys", {}, /No AWS credentials were found/],
    [
      "knows other partitions",
      { ...keys, region_name: "cn-north-1" },
      /endpoint https:\/\/some-bucket\.s3\.cn-north-1\.amazonaws\.com\.cn, through the proxy/,
    ],
  ] as const)("%s", async ([, credentials, text], { expect }) => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      "--no-warnings",
      join(directory, "stdin.mjs"),
      JSON.stringify(credentials),
      directory,
    ]);
    expect(stdout).toMatch(text);
  });
});
