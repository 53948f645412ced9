import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, inject, it } from "vitest";

import { runCli } from "../support/cli.ts";
import { AsyncDisposables } from "../support/disposables.ts";
import { GIT_ENV, startGitHttpServer } from "../support/git-http-server.ts";
import { PrefectApi, uniqueName } from "../support/prefect-api.ts";
import { prefectProgram } from "../support/prefect-server.ts";
import { S3Gateway } from "../support/s3-gateway.ts";
import { startWorker } from "../support/worker-process.ts";

import type { CliResult } from "../support/cli.ts";

const FLOW = `from prefect import flow

@flow(log_prints=True)
def greet(name: str = "nobody"):
    print(f"hello {name}")
`;

describe("a project that init wrote is deployed, and its flow runs to COMPLETED", () => {
  const pool = uniqueName("projects");
  const opened = new AsyncDisposables();
  let api: PrefectApi;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "projects-"));
    opened.defer(() => rm(directory, { recursive: true, force: true }));
    api = new PrefectApi(inject("prefect3Url"));
    await api.createPool(pool);
    opened.use(await startWorker({ apiUrl: inject("prefect3Url"), pool }));
  });
  afterAll(() => opened.dispose());

  const lighterman = (cwd: string, argv: readonly string[], stdin?: string): Promise<CliResult> =>
    runCli(argv, {
      cwd,
      apiUrl: inject("prefect3Url"),
      env: { PATH: process.env["PATH"] ?? "", LIGHTERMAN_PYTHON: prefectProgram(3, "python"), ...GIT_ENV },
      ...(stdin === undefined ? {} : { stdin }),
    });

  /** What a user writes into the file that init made. */
  async function complete(cwd: string, name: string): Promise<string> {
    const path = join(cwd, "prefect.yaml");
    const text = (await readFile(path, "utf8"))
      .replace("- name: null", `- name: ${name}`)
      .replace("entrypoint: null", "entrypoint: flow.py:greet")
      .replace("parameters: {}", "parameters: {name: world}")
      .replace("      name: null", `      name: ${pool}`);
    await writeFile(path, text);
    return text;
  }

  it("by the recipe s3", async ({ expect }) => {
    const gateway = opened.use(await S3Gateway.start());
    await gateway.createBucket("code", {});
    const cwd = join(directory, "by-s3");
    await mkdir(cwd);
    await writeFile(join(cwd, "flow.py"), FLOW);
    const name = uniqueName("s3");
    const { aws_access_key_id, aws_secret_access_key, region_name } = gateway.credentials;
    const aws_client_parameters = { endpoint_url: gateway.url };
    const keys = { aws_access_key_id, aws_secret_access_key, region_name, aws_client_parameters };
    const block = await lighterman(cwd, ["block", "create", `aws-credentials/${name}`], JSON.stringify(keys));
    expect(block.code, block.stderr).toBe(0);
    expect(await lighterman(cwd, ["init", "--recipe", "s3", "--field", "bucket=code"])).toMatchObject({
      code: 0,
    });
    const text = await complete(cwd, name);
    const credentials = `      credentials: "{{ prefect.blocks.aws-credentials.${name} }}"`;
    await writeFile(
      join(cwd, "prefect.yaml"),
      text.replaceAll(/^ {6}folder: .*$/gm, (line) => `${line}\n${credentials}`),
    );
    const deployed = await lighterman(cwd, ["deploy"]);
    expect(deployed.code, deployed.stderr).toBe(0);
    expect(deployed.stderr).toMatch(/Pushed 2 files/);
    const run = await lighterman(cwd, ["deployment", "run", `greet/${name}`, "--watch"]);
    expect(run.code, run.stdout + run.stderr).toBe(0);
    expect(run.stdout).toContain("hello world");
  });

  it("by the recipe git, which init guesses", async ({ expect }) => {
    const git = opened.use(await startGitHttpServer());
    const repository = await git.createRepository("flows", { "flow.py": FLOW });
    const cwd = join(directory, "by-git");
    await promisify(execFile)("git", ["clone", "-q", repository.url, cwd], {
      env: { PATH: process.env["PATH"] ?? "", HOME: directory, ...GIT_ENV },
    });
    const initialized = await lighterman(cwd, ["init"]);
    expect(initialized).toMatchObject({ code: 0, stdout: expect.stringContaining("recipe git") });
    const name = uniqueName("git");
    expect(await complete(cwd, name)).toContain(`repository: ${repository.url}`);
    const deployed = await lighterman(cwd, ["deploy"]);
    expect(deployed.code, deployed.stderr).toBe(0);
    const run = await lighterman(cwd, ["deployment", "run", `greet/${name}`, "-p", "name=git", "--watch"]);
    expect(run.code, run.stdout + run.stderr).toBe(0);
    expect(run.stdout).toContain("hello git");
  });
});
