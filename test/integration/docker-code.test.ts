import { fileURLToPath } from "node:url";
import { chmod, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, inject, it } from "vitest";
import { AsyncDisposables } from "../support/disposables.ts";
import { DockerEngine, prefectImage } from "../support/docker-engine.ts";
import { until } from "../support/deadline.ts";
import { startGitHttpServer } from "../support/git-http-server.ts";
import { PrefectApi, uniqueName } from "../support/prefect-api.ts";
import { S3Gateway } from "../support/s3-gateway.ts";
import { startWorker, WorkerHome } from "../support/worker-process.ts";
import type { FlowRun } from "../support/prefect-api.ts";
import type { GitHttpServer } from "../support/git-http-server.ts";
import type { RunningWorker } from "../support/worker-process.ts";

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));
const api = new PrefectApi(inject("prefect3Url"));
const CHDIR = "prefect.deployments.steps.set_working_directory";
const SHELL = "prefect.deployments.steps.run_shell_script";
const GIT = "prefect.deployments.steps.git_clone";
const S3 = "prefect_aws.deployments.steps.pull_from_s3";
const TOKEN = "token-of-the-repository-4711";

const LOOK = `
import os
from prefect import flow
@flow(log_prints=True)
def look():
    print("runs in", os.getcwd(), "as", os.getuid(), "with", sorted(os.listdir(".")))
    with open("written", "w") as file:
        file.write("by the flow")
    print("word", os.environ.get("WORD"))
`;

const LEAVE = `
import os, time
from prefect import flow
@flow
def leave():
    os.makedirs("left/behind")
    open("left/behind/file", "w").close()
    os.chmod("left", 0o700)
    open("/marks/left", "w").close()
    while not os.path.exists("/marks/go"):
        time.sleep(0.05)
`;

type Mode = "container" | "worker" | "auto";

describe("who pulls the code of a container's run, on 3.8.8", () => {
  const opened = new AsyncDisposables();
  const pool = uniqueName("code");
  let engine: DockerEngine;
  let home: WorkerHome;
  let worker: RunningWorker;
  let git: GitHttpServer;
  let s3: S3Gateway;
  let flows: string;
  let open: string;
  let closed: string;
  const aws = uniqueName("code");

  const openWorker = () =>
    startWorker({
      apiUrl: api.url,
      pool,
      home,
      args: ["--type", "docker"],
      env: { DOCKER_HOST: engine.host, LIGHTERMAN_KILL_GRACE: "5s", LIGHTERMAN_START_CONCURRENCY: "8" },
    });

  beforeAll(async () => {
    flows = await readFile(`${fixtures}/flows.py`, "utf8");
    s3 = opened.use(await S3Gateway.start());
    git = opened.use(await startGitHttpServer());
    engine = opened.use(await DockerEngine.start());
    home = await WorkerHome.create();
    opened.use({ [Symbol.asyncDispose]: () => home.sweep() });
    worker = await openWorker();
    opened.use({ [Symbol.asyncDispose]: async () => await worker[Symbol.asyncDispose]() });
    await api.waitForWorker(pool);
    const files = {
      "flows.py": flows,
      "sub/look.py": LOOK,
      "sub/requirements.txt": "pip\n",
    };
    open = (await git.createRepository("open", files, { branches: { other: { "sub/branch": "" } } })).url;
    const user = { username: "reader", password: TOKEN };
    closed = (await git.createRepository("closed", files, { user })).url;
    await s3.createBucket("code", { "teams/flows.py": flows, "teams/leave.py": LEAVE });
    await api.createBlock("aws-credentials", aws, {
      aws_access_key_id: s3.accessKeyId,
      aws_secret_access_key: s3.secretAccessKey,
      region_name: s3.region,
      aws_client_parameters: { endpoint_url: s3.url },
    });
  }, 180_000);
  afterAll(() => opened.dispose());

  async function start(
    mode: Mode | null,
    entrypoint: string,
    pullSteps: readonly Record<string, unknown>[],
    more: Record<string, unknown> = {},
    parameters: Record<string, unknown> = {},
    workPool = pool,
  ): Promise<FlowRun> {
    const jobVariables = {
      image: prefectImage,
      image_pull_policy: "Never",
      ...(mode === null ? {} : { pull: mode }),
      ...more,
    };
    const deployment = await api.createDeployment({
      pool: workPool,
      entrypoint,
      pullSteps: [...pullSteps],
      jobVariables,
      parameters,
    });
    return await api.run(deployment);
  }

  async function ended(run: FlowRun, type: string): Promise<FlowRun> {
    const end = await api.waitForEnd(run, 90_000);
    if (end.state.type !== type)
      throw new Error(`${end.state.type}: ${end.state.message}\n${worker.process.output}`);
    return end;
  }

  const clone = (more: Record<string, unknown> = {}) => ({
    [GIT]: { id: "clone", repository: open, ...more },
  });
  const fromS3 = () => ({
    [S3]: { bucket: "code", folder: "teams", credentials: `{{ prefect.blocks.aws-credentials.${aws} }}` },
  });

  const containersOf = async (run: FlowRun, ...flags: readonly string[]): Promise<string> => {
    const label = `label=io.prefect.flow-run-id=${run.id}`;
    return await engine.docker("ps", "--quiet", "--no-trunc", ...flags, "--filter", label);
  };
  const inspected = async (run: FlowRun): Promise<string> =>
    await engine.docker("inspect", await containersOf(run, "--all"));
  const workspaces = async (): Promise<readonly string[]> =>
    await readdir(join(home.path, ".lighterman", "workspaces"));

  it("is the container by default; all ways lead to the same flow, from git and from S3", async ({
    expect,
  }) => {
    const runs = await Promise.all([
      start(null, "flows.py:greet", [clone()]),
      start("worker", "flows.py:greet", [{ [GIT]: { repository: closed, access_token: `reader:${TOKEN}` } }]),
      start("container", "flows.py:greet", [fromS3()]),
      start("worker", "flows.py:greet", [fromS3()]),
    ]);
    for (const run of runs) {
      await ended(run, "COMPLETED");
      await api.waitForLog(run, /Hello world, 42/);
      const shown = await inspected(run);
      const isPulledByWorker = [1, 3].includes(runs.indexOf(run));
      expect(shown.includes("/lighterman/steps/image_bridge.py")).toBe(isPulledByWorker);
      expect(shown.includes(":/lighterman/steps:ro")).toBe(isPulledByWorker);
      expect(shown).not.toContain("PREFECT_HOME="); // a path of the worker's machine
      expect(shown).not.toContain(TOKEN);
      expect(shown).not.toContain(s3.secretAccessKey);
    }
    await until("the workspaces are gone", async () => (await workspaces()).length === 0);
  }, 180_000);

  it("runs the steps in order, here or in the image, with their outputs, as any user", async ({ expect }) => {
    const run = await start(
      "worker",
      "look.py:look",
      [
        { [SHELL]: { id: "branch", script: "sh -c 'echo other; ls /opt/prefect >&2'" } },
        clone({ branch: "{{ branch.stdout }}" }),
        { "prefect.deployments.steps.pip_install_requirements": { directory: "{{ clone.directory }}/sub" } },
        { [CHDIR]: { directory: "{{ clone.directory }}/sub" } },
      ],
      {
        container_create_kwargs: { user: "1234:1234" },
        env: { HOME: "/tmp", WORD: "of the job", PIP_DISABLE_PIP_VERSION_CHECK: "1" },
      },
    );
    await ended(run, "COMPLETED");
    await api.waitForLog(
      run,
      /^runs in \/lighterman\/workspace\/open-other\/sub as 1234 with \[.*'branch', 'look.py', 'requirements.txt'\]$/,
    );
    await api.waitForLog(run, /^word of the job$/);
    expect(worker.process.output).toContain("Requirement already satisfied: pip in /opt/prefect");
    const flags = [
      "Executing deployment step: run_shell_script",
      "All deployment steps completed successfully",
    ];
    const logs = (await api.logs(run)).map(({ message }) => message);
    for (const flag of flags) expect(logs).toContain(flag);
    await until("the workspaces are gone", async () => (await workspaces()).length === 0);
  }, 120_000);

  it("finds code of the image by a path of the image, and by the job's working directory", async ({
    expect,
  }) => {
    const mounted = { volumes: [`${fixtures}:/flows:ro`] };
    const runs = await Promise.all([
      start("auto", "flows.py:greet", [{ [CHDIR]: { directory: "/flows" } }], mounted),
      start("worker", "fixtures/flows.py:greet", [{ [CHDIR]: { directory: "." } }], {
        volumes: [`${fixtures}:/code/fixtures:ro`],
        container_create_kwargs: { working_dir: "/code" },
      }),
      // The steps that cannot be done here are left to the container.
      start("auto", "flows.py:greet", [{ [CHDIR]: { directory: "/tmp" } }, clone()]),
    ]);
    for (const run of runs) await ended(run, "COMPLETED");
    await api.waitForLog(runs[0], /^The worker pulls the flow's code \(pull: auto\)$/);
    expect(await inspected(runs[1])).toContain("/lighterman/steps/image_bridge.py");
    await api.waitForLog(
      runs[2],
      /^The container pulls the flow's code by itself \(pull: auto\): .*git_clone would put its files into the image$/,
    );
  }, 180_000);

  it("tells why the code could not be pulled", async ({ expect }) => {
    const cases: readonly (readonly [FlowRun, RegExp])[] = await Promise.all([
      start("worker", "flows.py:greet", [clone({ repository: `${open}/nowhere` })]).then(
        (run) => [run, /^Pull step 1 of 1 \(prefect\.deployments\.steps\.git_clone\) failed: /] as const,
      ),
      start("worker", "flows.py:greet", [
        clone(),
        { [SHELL]: { script: "sh -c 'echo no luck; exit 3'" } },
      ]).then(
        (run) => [run, /^Pull step 2 of 2 .*run_shell_script\) failed: .*failed with error code 3/] as const,
      ),
      start("worker", "none.py:greet", [clone()]).then(
        (run) =>
          [
            run,
            /there is no file \/.*\/none\.py in the container; the directory .* holds: .*flows\.py, sub/,
          ] as const,
      ),
      start("worker", "flows.py:greet", [{ [CHDIR]: { directory: "/nowhere" } }]).then(
        (run) => [run, /failed: There is no directory \/nowhere in the container/] as const,
      ),
    ]);
    for (const [run, reason] of cases) {
      const { state } = await ended(run, "CRASHED");
      expect(state.message).toMatch(reason);
      expect(await containersOf(run)).toBe("");
    }
  }, 120_000);

  it("can be cancelled while the code is pulled and while the flow runs", async ({ expect }) => {
    const pulling = await start("worker", "flows.py:greet", [clone(), { [SHELL]: { script: "sleep 600" } }]);
    const marks = await mkdtemp(join(home.path, "marks-"));
    const volumes = [`${marks}:/marks`];
    const running = await start("worker", "flows.py:sleeps", [clone()], { volumes }, { marks: "/marks/all" });
    await until("the step runs", async () => (await containersOf(pulling)) !== "");
    await api.waitForLog(pulling, /^Executing deployment step: run_shell_script$/);
    const marked = async (): Promise<string> => await readFile(join(marks, "all"), "utf8").catch(() => "");
    await until("the flow has begun", async () => (await marked()).startsWith("started"));
    await Promise.all([api.cancel(pulling), api.cancel(running)]);
    for (const run of [pulling, running]) {
      await ended(run, "CANCELLED");
      await until("its container has ended", async () => (await containersOf(run)) === "");
    }
    // The engine was told why it was ended.
    const lines = (await marked()).trim().split("\n");
    expect(lines).toEqual([expect.stringMatching(/^started/), "cancelled"]);
    await until("the workspaces are gone", async () => (await workspaces()).length === 0);
  }, 120_000);

  it("survives the death of the worker: after the pull it goes on, before that it is run again", async ({
    expect,
  }) => {
    const running = await start(
      "worker",
      "flows.py:sleeps",
      [clone()],
      {},
      { marks: "/dev/null", seconds: 5 },
    );
    const first = "sh -c 'mkdir /flag/once && sleep 600; true'";
    const flag = await mkdtemp(join(home.path, "flag-"));
    const pulling = await start("worker", "flows.py:greet", [{ [SHELL]: { script: first } }, clone()], {
      volumes: [`${flag}:/flag`],
    });
    await until("the step runs", async () => (await readdir(flag)).includes("once"));
    await api.waitFor(running, ["RUNNING"]);
    worker.process.signal("SIGKILL");
    await worker.process.end();
    worker = await openWorker();
    await ended(running, "COMPLETED");
    await ended(pulling, "COMPLETED");
    expect((await api.states(running)).filter((type) => type === "RUNNING")).toHaveLength(1);
    expect(await api.states(pulling)).toContain("SCHEDULED");
    await until("the workspaces are gone", async () => (await workspaces()).length === 0);
  }, 180_000);

  it("removes with the engine's help what a container has left as another user, and says when it cannot", async ({
    expect,
  }) => {
    await chmod(engine.socket, 0o666);
    await using otherHome = await WorkerHome.create();
    const others = uniqueName("others");
    const options = { args: ["--type", "docker"], env: { DOCKER_HOST: engine.host }, home: otherHome };
    await using other = await startWorker({ ...options, apiUrl: api.url, pool: others, user: 4711 });
    await api.waitForWorker(others);
    const lost = "lighterman-test/lost:1";
    await engine.docker("tag", prefectImage, lost);
    const since = `${Date.now() / 1000}`;
    const leave = async (image: string, user: string): Promise<readonly [FlowRun, string]> => {
      const marks = await mkdtemp(join(home.path, "left-"));
      await chmod(marks, 0o777);
      const more = { container_create_kwargs: { user }, env: { HOME: "/tmp" }, volumes: [`${marks}:/marks`] };
      return [await start("worker", "leave.py:leave", [fromS3()], { image, ...more }, {}, others), marks];
    };
    const runs = await Promise.all([
      leave(prefectImage, "1234:1234"),
      leave(lost, "0:0"),
      leave(prefectImage, "4711:4711"),
    ]);
    for (const [, marks] of runs)
      await until("the flow has left its files", async () => (await readdir(marks)).includes("left"), {
        detail: () => other.process.output,
      });
    await engine.docker("rmi", lost);
    for (const [, marks] of runs) await writeFile(join(marks, "go"), "");
    for (const [run] of runs) await ended(run, "COMPLETED");
    await until("the worker has said so", () =>
      other.process.output.includes("Remove it by hand: sudo rm -rf"),
    );
    const left = await until("only one is left", async () => {
      const names = await readdir(join(otherHome.path, ".lighterman", "workspaces"));
      return names.length === 1 ? names : false;
    });
    expect(left).toEqual([expect.stringContaining(runs[1][0].id)]);
    expect(other.process.output).toContain(
      `holds files of another user and a container of ${lost} cannot remove them`,
    );
    const filters = ["--filter", "label=io.lighterman.attempt=removal", "--filter", "event=create"];
    const period = ["--since", since, "--until", `${Date.now() / 1000}`, "--format", "{{.ID}}"];
    expect((await engine.docker("events", ...filters, ...period)).split("\n")).toHaveLength(1);
    expect(
      await engine.docker("ps", "--all", "--quiet", "--filter", "label=io.lighterman.attempt=removal"),
    ).toBe("");
  }, 120_000);
});
