import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "vitest";

import { openProject } from "./stage.ts";

const DOWN = "\u001B[B";
const CTRL_C = "\u0003";
const HERE = [/pull it from a remote place/, "n"] as const;
const UNSCHEDULED = [/Add schedules/, "n"] as const;
const SAVE = [/Save this deployment/, "y"] as const;

const FILE = `# Our flows
definitions:
  pool: &pool {name: "pool",  job_variables: {env: {A: 'yes'}}}

deployments:
  - name: old   # the first
    entrypoint: "flow.py:main"
    work_pool: *pool

# the end
`;

/** A pool whose runs take an image. */
const IMAGES = {
  name: "images",
  type: "docker",
  base_job_template: {
    job_configuration: { image: "{{ image }}" },
    variables: { type: "object", properties: { image: { type: "string" } } },
  },
};

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

describe("`deploy` on a terminal", () => {
  it("offers the project's flows, asks for schedules of each kind, and keeps the file as it is but for the new item", async ({
    expect,
  }) => {
    const { answer, deployment, directory, run } = await openProject({ "prefect.yaml": FILE });
    const file = join(directory, "prefect.yaml");
    const { code, stderr } = await answer(
      [
        [/existing deployment configuration/, `${DOWN}\r`],
        [/Which flow\?[^]*The Reports/, `${DOWN}\r`],
        [/Deployment name/, "nightly\r"],
        [/Which work pool/, "\r"],
        HERE,
        [/Add schedules/, "y"],
        [/What kind of schedule/, "\r"],
        [/Seconds between runs/, "600\r"],
        [/Activate/, "\r"],
        [/Add another/, "y"],
        [/What kind of schedule/, `${DOWN}\r`],
        [/Cron line/, "99 * * * *\r"],
        [/99[^]*minute/i, "\u007F".repeat(10) + "0 6 * * *\r"],
        [/Time zone/, "Europe/Berlin\r"],
        [/Activate/, "n"],
        [/Add another/, "y"],
        [/What kind of schedule/, `${DOWN}${DOWN}\r`],
        [/Recurrence rule/, "\r"],
        [/Time zone/, "\r"],
        [/Activate/, "\r"],
        [/Add another/, "\r"],
        SAVE,
      ],
      "deploy",
    );
    expect({ code, stderr }).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("Saved to prefect.yaml"),
    });
    const registered = await deployment("The Reports", "nightly");
    const times = registered.schedules.map(
      ({ schedule, active }: { schedule: Record<string, unknown>; active: boolean }) => [
        schedule["interval"] ?? schedule["cron"] ?? String(schedule["rrule"]).split("\n").at(-1),
        schedule["timezone"],
        active,
      ],
    );
    expect(times.sort()).toEqual([
      ["0 6 * * *", "Europe/Berlin", false],
      [600, "UTC", true],
      ["RRULE:FREQ=DAILY;INTERVAL=1", "UTC", true],
    ]);
    const text = await readFile(file, "utf8");
    const added = text.slice(FILE.indexOf("\n# the end"), text.length - "\n# the end\n".length);
    expect(text).toBe(FILE.replace("\n# the end", `${added}\n# the end`));
    expect(added).toMatch(/^ {2}- name: nightly\n {4}entrypoint: flow.py:reports\n {4}schedules:\n/);
    // What was saved registers the same, with no question.
    expect((await run("deploy", "-n", "nightly")).stderr).toContain("is as declared already");
  });

  it("writes a new file, with steps for the whole project, where there is none", async ({ expect }) => {
    const { answer, deployment, directory } = await openProject({});
    const result = await answer(
      [
        [/pull it from a remote place/, "y"],
        [/Where is the code/, "\r"],
        [/Address of the repository/, "https://git.example/team/flows.git\r"],
        [/Branch/, "\r"],
        [/private repository/, "y"],
        [/token for the repository/, "t0ken-canary\r"],
        UNSCHEDULED,
        SAVE,
      ],
      "deploy",
      "flow.py:main",
      "-n",
      "my one",
      "-p",
      "pool",
      "-t",
      "x",
    );
    expect(result).toMatchObject({ code: 0 });
    expect(result.stderr + result.stdout).not.toContain("t0ken-canary");
    const clone = {
      "prefect.deployments.steps.git_clone": {
        repository: "https://git.example/team/flows.git",
        branch: "main",
        access_token: "{{ prefect.blocks.secret.deployment-my-one-main-repo-token }}",
      },
    };
    expect(await deployment("main", "my one")).toMatchObject({ pull_steps: [clone], tags: ["x"] });
    const text = await readFile(join(directory, "prefect.yaml"), "utf8");
    expect(text).toMatch(/^pull:\n {2}- prefect.deployments.steps.git_clone:\n/m);
    expect(text).toMatch(/^deployments:\n {2}- name: my one\n {4}entrypoint: flow.py:main\n/m);
    expect(text).not.toContain("canary");
    expect(await exists(join(directory, ".prefectignore"))).toBe(true);
  });

  it("builds and pushes an image when asked to, and stores in S3 with new credentials", async ({
    expect,
  }) => {
    const { answer, api, directory } = await openProject({ "prefect.yaml": FILE, Dockerfile: "FROM x\n" });
    await api.post("/work_pools/", IMAGES);
    const result = await answer(
      [
        [/Build a custom Docker image/, "y"],
        [/Use the Dockerfile/, "n"],
        [/Rename yours/, "y"],
        [/New name/, "\r"],
        [/Repository/, "team/\r"],
        [/Image name/, "\r"],
        [/Image tag/, "v1\r"],
        [/Push this image/, "n"],
        [/pull it from a remote place/, "y"],
        [/Where is the code/, `${DOWN}\r`],
        [/Bucket name/, "b\r"],
        [/Folder name/, "f\r"],
        [/aws_access_key_id/, "id\r"],
        [/aws_secret_access_key/, "s3cr3t-canary\r"],
        [/name for these credentials/, "\r"],
        UNSCHEDULED,
      ],
      "deploy",
      "--dry-run",
      "flow.py:main",
      "-n",
      "built",
      "-p",
      "images",
    );
    expect(result.code, result.stderr).toBe(0);
    expect(result.stdout).toContain('+ job_variables: {"image":"{{ build-image.image }}"}');
    expect(result.stdout).toContain(
      '+ pull_steps: [{"prefect_aws.deployments.steps.pull_from_s3":{"bucket":"b","folder":"f"',
    );
    // It is a dry run: nothing is saved, renamed or asked of the server.
    expect(await api.post("/block_documents/count", {})).toBe(0);
    expect(await readFile(join(directory, "Dockerfile"), "utf8")).toBe("FROM x\n");
  });

  it("fills the empty item that `init` writes", async ({ expect }) => {
    const { answer, directory, run } = await openProject({});
    await run("init");
    const before = await readFile(join(directory, "prefect.yaml"), "utf8");
    const result = await answer(
      [[/Which flow/, "\r"], [/Deployment name/, "mine\r"], [/Which work pool/, "\r"], UNSCHEDULED, SAVE],
      "deploy",
    );
    expect(result.code, result.stderr).toBe(0);
    expect(await readFile(join(directory, "prefect.yaml"), "utf8")).toBe(
      before
        .replace("- name: null", "- name: mine")
        .replace("entrypoint: null", "entrypoint: flow.py:main")
        .replace("      name: null", "      name: pool")
        .replace("job_variables: {}\n", "$&    schedules: null\n"),
    );
    expect((await run("deploy", "--all")).stderr).toContain("is as declared already");
  });

  it("a deployment that the file declares is brought up to date in place", async ({ expect }) => {
    const { answer, directory } = await openProject({ "prefect.yaml": FILE });
    const result = await answer(
      [
        HERE,
        [/Add schedules/, "y"],
        [/What kind of schedule/, `${DOWN}\r`],
        [/Cron line/, "\r"],
        [/Time zone/, "\r"],
        [/Activate/, "\r"],
        [/Add another/, "\r"],
        SAVE,
      ],
      "deploy",
      "-n",
      "old",
    );
    expect(result).toMatchObject({ code: 0 });
    expect(await readFile(join(directory, "prefect.yaml"), "utf8")).toBe(
      FILE.replace(
        "work_pool: *pool\n",
        "$&    schedules:\n      - cron: 0 0 * * *\n        timezone: UTC\n        active: true\n" +
          `    pull:\n      - prefect.deployments.steps.set_working_directory:\n          directory: ${directory}\n`,
      ),
    );
  });

  it("asks nothing of a deployment that says everything, and nothing but names of several", async ({
    expect,
  }) => {
    const whole = FILE.replace("work_pool: *pool\n", "$&    schedules: []\n    pull: []\n");
    const { answer, write } = await openProject({ "prefect.yaml": whole });
    expect(await answer([], "deploy", "-n", "old")).toMatchObject({ code: 0 });
    await write({
      "prefect.yaml": FILE.replace("\n# the end", '  - {entrypoint: "flow.py:reports"}\n'),
    });
    const both = await answer(
      [
        [/#2 of the file \(flow.py:reports\) has no name. Give it one/, "y"],
        [/#2[^]*Deployment name/, "second\r"],
        [/Deployment 'second': Which work pool/, "\r"],
      ],
      "deploy",
      "--all",
    );
    expect(both).toMatchObject({ code: 0, stdout: expect.stringContaining("1 created, 1 updated") });
  });

  it("Ctrl-C at any question leaves files and server as they are", async ({ expect }) => {
    const { answer, api, directory, requests } = await openProject({ "prefect.yaml": FILE });
    const file = join(directory, "prefect.yaml");
    const talk = [
      [/pull it from a remote place/, "y"],
      [/Where is the code/, "\r"],
      [/Address of the repository/, "https://git.example/x.git\r"],
      [/Branch/, "\r"],
      [/private repository/, "y"],
      [/token for the repository/, "t0ken-canary\r"],
      [/Add schedules/, "y"],
      [/What kind of schedule/, "\r"],
    ] as const;
    for (const [at, [question]] of talk.entries()) {
      const result = await answer(
        [...talk.slice(0, at), [question, CTRL_C]],
        "deploy",
        "flow.py:main",
        "-n",
        "none",
        "-p",
        "pool",
      );
      expect(result, String(question)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("nothing was registered"),
      });
    }
    expect(await readFile(file, "utf8")).toBe(FILE);
    expect(await api.post("/deployments/count", {})).toBe(0);
    expect(await api.post("/block_documents/count", {})).toBe(0);
    expect(
      requests.filter((line) => /^(?:POST|PATCH|PUT|DELETE)/.test(line) && !line.includes("/filter")),
    ).toEqual([]);
  });

  it("Ctrl-C at the last question keeps what is registered, and the file as it is", async ({ expect }) => {
    const { answer, deployment, directory } = await openProject({ "prefect.yaml": FILE });
    const result = await answer(
      [HERE, UNSCHEDULED, [/Save this deployment/, CTRL_C]],
      "deploy",
      "flow.py:main",
      "-n",
      "kept",
      "-p",
      "pool",
    );
    expect(result).toMatchObject({ code: 0 });
    expect(await deployment("main", "kept")).toMatchObject({ name: "kept" });
    expect(await readFile(join(directory, "prefect.yaml"), "utf8")).toBe(FILE);
  });
});
