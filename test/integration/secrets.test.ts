import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, it } from "vitest";
import { ArgvWatch, canariesBelow, canariesIn } from "../support/canaries.ts";
import { until } from "../support/deadline.ts";
import { AsyncDisposables } from "../support/disposables.ts";
import { startGitHttpServer } from "../support/git-http-server.ts";
import { PrefectApi } from "../support/prefect-api.ts";
import { PrefectServer } from "../support/prefect-server.ts";
import { S3Gateway } from "../support/s3-gateway.ts";
import { startWorker } from "../support/worker-process.ts";
import type { GitHttpServer } from "../support/git-http-server.ts";
import type { FlowRun } from "../support/prefect-api.ts";
import type { RunningWorker } from "../support/worker-process.ts";

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));
const steps = "prefect.deployments.steps";
const canary = (what: string) => `canary-${what}-5f0c/@:x`;

const canaries = new Map([
  ["auth string", canary("auth")],
  ["header", "canary-header-5f0c"],
  ["secret block", canary("block")],
  ["variable", canary("variable")],
  ["git token", "canary-git-5f0c"],
  ["git password in a URL", "canary-url-5f0c"],
  ["access_token input", "canary-token-5f0c"],
]);
const secretOf = (name: string): string => canaries.get(name)!;

describe("canary secrets in blocks, variables, URLs and headers, on 3.8.8", () => {
  const pool = "canaries";
  const opened = new AsyncDisposables();
  let api: PrefectApi;
  let worker: RunningWorker;
  let git: GitHttpServer;
  let s3: S3Gateway;
  let directory: string;

  beforeAll(async () => {
    const authString = `admin:${secretOf("auth string")}`;
    const server = opened.use(
      await PrefectServer.start({ env: { PREFECT_SERVER_API_AUTH_STRING: authString } }),
    );
    api = new PrefectApi(server.url, { authString });
    directory = await mkdtemp(join(tmpdir(), "canaries-"));
    opened.defer(() => rm(directory, { recursive: true, force: true }));
    git = opened.use(await startGitHttpServer());
    s3 = opened.use(await S3Gateway.start());
    canaries.set("S3 secret key", s3.secretAccessKey);
    await s3.createBucket("code", { "flows/flows.py": await readFile(join(fixtures, "flows.py"), "utf8") });
    await git.createRepository("refusing", fixtures, { user: tokenUser });
    await api.createPool(pool);
    await api.createBlock("secret", "word", { value: secretOf("secret block") });
    await api.createBlock("github-credentials", "git", { token: secretOf("git token") });
    await api.createBlock("aws-credentials", "aws", {
      aws_access_key_id: s3.accessKeyId,
      aws_secret_access_key: s3.secretAccessKey,
      region_name: s3.region,
      aws_client_parameters: { endpoint_url: s3.url },
    });
    await api.createVariable("word", secretOf("variable"));
    worker = opened.use(
      await startWorker({
        apiUrl: server.url,
        pool,
        env: {
          PREFECT_API_AUTH_STRING: authString,
          PREFECT_CLIENT_CUSTOM_HEADERS: JSON.stringify({ "X-Canary": secretOf("header") }),
          PREFECT_WORKER_QUERY_SECONDS: "1",
          PREFECT_LOGGING_LEVEL: "DEBUG",
        },
      }),
    );
  });
  afterAll(() => opened.dispose());

  const env = {
    FROM_BLOCK: "{{ prefect.blocks.secret.word }}",
    FROM_VARIABLE: "{{ prefect.variables.word }}",
  };
  const clone = (repository: string, inputs: Record<string, unknown>) => ({
    [`${steps}.git_clone`]: { repository, ...inputs },
  });
  const fromS3 = (inputs: Record<string, unknown>) => ({
    "prefect_aws.deployments.steps.pull_from_s3": {
      bucket: "code",
      folder: "flows",
      credentials: "{{ prefect.blocks.aws-credentials.aws }}",
      ...inputs,
    },
  });
  const tokenUser = { username: secretOf("git token"), password: "" };
  const urlUser = { username: "somebody", password: secretOf("git password in a URL") };
  const withPassword = (url: string): string =>
    url.replace("://", `://${urlUser.username}:${urlUser.password}@`);
  const credentials = "{{ prefect.blocks.github-credentials.git }}";

  /** Runs to its end; meanwhile argv is sampled, and all files of the worker are read while the flow is at work. */
  async function findings(
    pullSteps: readonly Record<string, unknown>[],
    expected: string,
    entrypoint = "flows.py:sleeps",
  ): Promise<{ readonly found: readonly string[]; readonly run: FlowRun; readonly logged: string }> {
    const firstLine = worker.process.lines.length;
    const marks = join(directory, `marks-${performance.now()}`);
    await writeFile(marks, "");
    const deployment = await api.createDeployment({
      pool,
      entrypoint,
      pullSteps,
      jobVariables: { env },
      parameters: entrypoint.endsWith(":sleeps") ? { marks, seconds: 2 } : {},
    });
    using watch = new ArgvWatch(canaries);
    const run = await api.run(deployment);
    const found: string[] = [];
    await until(
      "the run has ended",
      async () => {
        found.push(...(await canariesBelow(worker.home.path, canaries)));
        const { state } = await api.flowRun(run.id);
        return ["COMPLETED", "FAILED", "CRASHED"].includes(state.type);
      },
      { detail: () => worker.process.output },
    );
    const end = await api.waitFor(run, [expected]);
    // A marker that comes last: all earlier logs of the run are there when the batch with it is.
    const logged = async () => (await api.logs(run)).map((log) => log.message).join("\n");
    let last = "";
    await until(
      "the run's logs have arrived",
      async () => {
        const now = await logged();
        const isSettled = now !== "" && now === last;
        last = now;
        return isSettled;
      },
      { everyMs: 2_500 },
    );
    expectSampled(watch);
    const console = worker.process.lines.slice(firstLine).join("\n");
    const text = `${console}\n${last}\n${end.state.message ?? ""}`;
    found.push(...canariesIn(text, canaries).map((name) => `logs or state: ${name}`), ...watch.found);
    found.push(...(await canariesBelow(worker.home.path, canaries)));
    return { found: [...new Set(found)], run: end, logged: last };
  }

  function expectSampled(watch: ArgvWatch): void {
    if (watch.samples < 20) throw new Error(`argv was sampled only ${watch.samples} times`);
  }

  it("the scan itself finds a canary in an argv and in a file", async ({ expect }) => {
    await writeFile(join(directory, "planted"), `x${encodeURIComponent(secretOf("variable"))}x`);
    expect(await canariesBelow(directory, canaries)).toEqual([expect.stringContaining("planted: variable")]);
    await rm(join(directory, "planted"));
    expect(canariesIn(Buffer.from(secretOf("git token")).toString("base64"), canaries)).toEqual([
      "git token",
    ]);
  });

  it("a run that succeeds: git with a block, git with a password in its URL, S3, env", async ({ expect }) => {
    const first = await git.createRepository("first", fixtures, { user: tokenUser });
    const second = await git.createRepository("second", fixtures, { user: urlUser });
    const { found } = await findings(
      [
        clone(first.url, { credentials }),
        clone(withPassword(second.url), { clone_directory_name: "second" }),
        fromS3({}),
        {
          [`${steps}.run_shell_script`]: {
            script: "sh -c 'echo $FROM_STEP $FROM_BLOCK $FROM_VARIABLE; echo $FROM_STEP >&2'",
            env: { FROM_STEP: "{{ prefect.blocks.secret.word }}" },
          },
        },
      ],
      "COMPLETED",
    );
    expect(found).toEqual([]);
  });

  it.for<readonly [string, () => Record<string, unknown>]>([
    ["a repository that does not exist", () => clone(`${git.url}/no-such-repository.git`, { credentials })],
    [
      "a git server that refuses access_token",
      () => clone(`${git.url}/refusing.git`, { access_token: secretOf("access_token input") }),
    ],
    [
      "a password in the URL of a repository that does not exist",
      () => clone(withPassword(`${git.url}/no-such-repository.git`), {}),
    ],
    ["a bucket that does not exist", () => fromS3({ bucket: "no-such-bucket" })],
    ["a prefix with nothing below", () => fromS3({ folder: "nothing-here" })],
    [
      "a script that prints its secrets and fails",
      () => ({
        [`${steps}.run_shell_script`]: {
          script: "sh -c 'echo out $FROM_BLOCK $FROM_STEP; echo err $FROM_VARIABLE $FROM_STEP >&2; exit 9'",
          env: { FROM_STEP: "{{ prefect.blocks.secret.word }}" },
        },
      }),
    ],
    [
      "a Python step that raises with its secret input",
      () => ({ "no_such_module_anywhere.step": { secret: "{{ prefect.blocks.secret.word }}" } }),
    ],
  ])("a failing step: %s", async ([, step], { expect }) => {
    const { found, run, logged } = await findings([step()], "CRASHED");
    expect(found).toEqual([]);
    // It says something all the same.
    expect(run.state.message).not.toBeNull();
    expect(logged).not.toBe("");
  });
});
