import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "vitest";

import { one, openProject } from "./stage.ts";

const TWO = `
deployments:
  - {name: a, entrypoint: "flow.py:main", work_pool: {name: pool}}
  - {name: b, entrypoint: "flow.py:reports", work_pool: {name: pool}}
`;

const step = (id: string, script: string): string =>
  `{prefect.deployments.steps.run_shell_script: {id: ${id}, script: "${script}", stream_output: false}}`;

describe("deliberate differences from `prefect deploy`", () => {
  it("`-n 'flow/*'` takes only that flow's deployments, by its own name too", async ({ expect }) => {
    const { run, api } = await openProject({ "prefect.yaml": TWO });
    expect(await run("deploy", "-n", "The*/*")).toMatchObject({ code: 0 });
    expect(await api.post("/deployments/filter", {})).toMatchObject([{ name: "b" }]);
  });

  it("a pattern that matches nothing is refused, also for the only declaration", async ({ expect }) => {
    const { run, api } = await openProject({ "prefect.yaml": one() });
    expect(await run("deploy", "-n", "none*")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("declares one"),
    });
    expect(await api.post("/deployments/count", {})).toBe(0);
  });

  it("a version that is a number, null tags and a limit without a strategy are taken", async ({ expect }) => {
    const { run, deployment, apiUrl } = await openProject({
      "prefect.yaml": one("version: 1.10", "tags:", "concurrency_limit: {limit: 5}"),
    });
    const { stdout, stderr } = await run("deploy");
    expect(stderr).toContain("successfully created");
    const { id } = await deployment("main", "one");
    expect(stdout).toContain(
      `View Deployment in UI: ${apiUrl.replace("/api", "")}/deployments/deployment/${id}\n`,
    );
    expect(await deployment("main", "one")).toMatchObject({
      version: "1.10",
      tags: [],
      global_concurrency_limit: { limit: 5 },
      concurrency_options: { collision_strategy: "ENQUEUE" },
    });
  });

  it("--job-variable is laid over the file's", async ({ expect }) => {
    const { run, deployment } = await openProject({
      "prefect.yaml": one(
        "work_pool: {name: pool, job_variables: {a: kept, b: changed}}",
        "tags: ['{{ b }}x']",
      ),
    });
    expect(await run("deploy", "-jv", "b=new")).toMatchObject({ code: 0 });
    expect(await deployment("main", "one")).toMatchObject({
      job_variables: { a: "kept", b: "new" },
      tags: ["x"],
    });
  });

  it("the default work pool only fills a gap", async ({ expect }) => {
    const { run, deployment, api } = await openProject(
      { "prefect.yaml": `${one()}  - {name: two, entrypoint: "flow.py:main"}\n` },
      { PREFECT_DEPLOYMENTS_DEFAULT_WORK_POOL_NAME: "other" },
    );
    await api.post("/work_pools/", { name: "other", type: "process" });
    expect(await run("deploy", "-n", "one")).toMatchObject({ code: 0 });
    expect(await run("deploy", "-n", "two")).toMatchObject({ code: 0 });
    expect(await deployment("main", "one")).toMatchObject({ work_pool_name: "pool" });
    expect(await deployment("main", "two")).toMatchObject({ work_pool_name: "other" });
  });

  it("push: null of a deployment runs no shared push steps", async ({ expect }) => {
    const { run, directory } = await openProject({
      "prefect.yaml": `push: [${step("p", "touch pushed")}]\n${one("push: null")}`,
    });
    expect(await run("deploy")).toMatchObject({ code: 0 });
    await expect(readFile(join(directory, "pushed"))).rejects.toThrow("ENOENT");
  });

  it("a bad schedule is found before any step runs", async ({ expect }) => {
    const { run, directory } = await openProject({
      "prefect.yaml": `build: [${step("p", "touch built")}]\n${one("schedules: [{cron: '99 * * * *'}]")}`,
    });
    expect(await run("deploy")).toMatchObject({ code: 1 });
    await expect(readFile(join(directory, "built"))).rejects.toThrow("ENOENT");
  });

  it("--all goes on when one fails, and says which; --fail-fast stops", async ({ expect }) => {
    const bad = `  - {name: bad, entrypoint: "flow.py:main", work_pool: {name: pool}, build: [${step("x", "false")}]}\n`;
    const file = `${one()}${bad}  - {name: last, entrypoint: "flow.py:reports", work_pool: {name: pool}}\n`;
    const { run, api } = await openProject({ "prefect.yaml": file });
    const fast = await run("deploy", "--all", "--fail-fast");
    expect(fast.code).toBe(1);
    expect(await api.post("/deployments/count", {})).toBe(1);
    const all = await run("deploy", "--all");
    expect(all.code).toBe(1);
    expect(all.stdout).toMatch(/1 created, 1 unchanged, 1 failed\./);
    expect(all.stdout).toMatch(/Deployment 'bad': Build step 1 of 1/);
    expect(await api.post("/deployments/count", {})).toBe(2);
  });

  it("deploying again leaves the pause alone, and an empty list of schedules takes all away", async ({
    expect,
  }) => {
    const { run, deployment, api, write } = await openProject({
      "prefect.yaml": one("schedules: [{interval: 60}]"),
    });
    expect(await run("deploy")).toMatchObject({ code: 0 });
    const { id } = await deployment("main", "one");
    await api.post(`/deployments/${id}/pause_deployment`, undefined);
    await write({ "prefect.yaml": one("tags: [changed]") });
    await run("deploy");
    expect(await deployment("main", "one")).toMatchObject({
      id,
      paused: true,
      tags: ["changed"],
      schedules: [{}],
    });
    await write({ "prefect.yaml": one("schedules: []", "paused: false") });
    await run("deploy");
    expect(await deployment("main", "one")).toMatchObject({ id, paused: false, tags: [], schedules: [] });
  });

  it("a list item that is only a step's output is filled in", async ({ expect }) => {
    const { run, deployment } = await openProject({
      "prefect.yaml": `build: [${step("sha", "echo abc")}]\n${one("tags: ['{{ sha.stdout }}', x]")}`,
    });
    expect(await run("deploy")).toMatchObject({ code: 0 });
    expect(await deployment("main", "one")).toMatchObject({ tags: ["abc", "x"] });
  });

  it("a flow without docstring has no description", async ({ expect }) => {
    const { run, deployment } = await openProject({ "prefect.yaml": one("entrypoint: flow.py:reports") });
    expect(await run("deploy")).toMatchObject({ code: 0 });
    expect(await deployment("The Reports", "one")).toMatchObject({ description: null });
  });
});

describe("secrets", () => {
  const FILE = `
pull:
  - prefect.deployments.steps.git_clone: {repository: "https://example.com/x.git", access_token: "{{ prefect.blocks.secret.token }}"}
  - prefect.deployments.steps.run_shell_script: {script: "echo {{ prefect.blocks.secret.token }} {{ prefect.variables.v }}"}
deployments:
  - name: one
    entrypoint: flow.py:main
    work_pool: {name: pool, job_variables: {env: {TOKEN: "{{ prefect.blocks.secret.token }}", BOTH: "x-{{ prefect.blocks.secret.token }}"}}}
`;

  async function openWithSecret(file: string) {
    const stage = await openProject({ "prefect.yaml": file });
    await stage.saveSecret("token", "s3cr3t-canary");
    const before = stage.requests.length;
    return { ...stage, sent: () => stage.requests.slice(before).join("\n") };
  }

  it("a block that pull or job variables refer to never reaches the server resolved", async ({ expect }) => {
    const { run, deployment, sent } = await openWithSecret(FILE);
    expect(await run("deploy")).toMatchObject({ code: 0 });
    const found = await deployment("main", "one");
    expect(found.pull_steps[0]["prefect.deployments.steps.git_clone"].access_token).toBe(
      "{{ prefect.blocks.secret.token }}",
    );
    expect(found.pull_steps[1]["prefect.deployments.steps.run_shell_script"].script).toBe(
      "echo {{ prefect.blocks.secret.token }} {{ prefect.variables.v }}",
    );
    expect(found.job_variables.env).toEqual({
      TOKEN: "{{ prefect.blocks.secret.token }}",
      BOTH: "x-{{ prefect.blocks.secret.token }}",
    });
    expect(sent()).not.toContain("s3cr3t-canary");
  });

  it("--resolve-blocks stores job variables as Prefect does, and the scan sees it", async ({ expect }) => {
    const { run, deployment, sent } = await openWithSecret(FILE);
    expect(await run("deploy", "--resolve-blocks")).toMatchObject({ code: 0 });
    expect((await deployment("main", "one")).job_variables.env).toMatchObject({ TOKEN: "s3cr3t-canary" });
    expect(sent()).toContain("s3cr3t-canary");
  });

  it("what a step prints of a secret is masked", async ({ expect }) => {
    const { run } = await openWithSecret(
      `build:\n  - prefect.deployments.steps.run_shell_script: {script: "echo {{ prefect.blocks.secret.token }}"}\n${one()}`,
    );
    const { code, stdout, stderr } = await run("deploy");
    expect(code).toBe(0);
    expect(stdout + stderr).not.toContain("s3cr3t-canary");
  });
});

describe("deploy", () => {
  it("--dry-run tells what would change, and changes nothing", async ({ expect }) => {
    const { run, api, requests, write } = await openProject({ "prefect.yaml": one("tags: [a]") });
    const first = await run("deploy", "--dry-run");
    expect(first.code).toBe(0);
    expect(first.stdout).toContain("Deployment 'main/one' would be created:");
    expect(first.stdout).toContain('+ tags: ["a"]');
    expect(await api.post("/deployments/count", {})).toBe(0);
    expect(await run("deploy")).toMatchObject({ code: 0 });
    expect((await run("deploy", "--dry-run")).stdout).toBe("Deployment 'main/one' is as declared.\n");
    await write({ "prefect.yaml": one("tags: [b]", "schedules: [{cron: '0 1 * * *'}]") });
    const before = requests.length;
    const { stdout } = await run("deploy", "--dry-run", "--json");
    expect(JSON.parse(stdout)).toMatchObject([
      {
        name: "one",
        outcome: "planned",
        is_new: false,
        changes: [{ field: "tags", from: ["a"], to: ["b"] }, { field: "schedules" }],
      },
    ]);
    const writes = requests.slice(before).filter((line) => !/^GET|\/filter /.test(line));
    expect(writes).toEqual([]);
  });

  it("writes nothing for what stands as declared", async ({ expect }) => {
    const { run, requests } = await openProject({ "prefect.yaml": TWO });
    expect((await run("deploy", "--all")).stdout).toContain("2 created.");
    const before = requests.length;
    expect((await run("deploy", "--all")).stdout).toContain("2 unchanged.");
    expect(requests.slice(before).filter((line) => !/^GET|\/filter /.test(line))).toEqual([]);
  });

  it("--watch deploys again at every change, also after a mistake, until Ctrl-C", async ({ expect }) => {
    const { start, deployment, write } = await openProject({ "prefect.yaml": one("tags: [a]") });
    const watching = start("deploy", "--watch");
    await watching.waitFor(/Waiting for changes/);
    expect(await deployment("main", "one")).toMatchObject({ tags: ["a"] });
    await write({ "prefect.yaml": one("tags: 5") });
    await watching.waitFor(/expected a list of texts/);
    await write({ "prefect.yaml": one("tags: [b]") });
    await watching.waitFor(/successfully updated/);
    expect(await deployment("main", "one")).toMatchObject({ tags: ["b"] });
    watching.signal("SIGINT");
    expect(await watching.result).toMatchObject({ code: 130 });
  });

  it("on a terminal it asks which declaration, and for what is missing", async ({ expect }) => {
    const { answer, api, run, write } = await openProject({ "prefect.yaml": TWO });
    const down = "\u001B[B";
    const rest = [
      [/pull it from a remote place/, "n"],
      [/Add schedules/, "n"],
    ] as const;
    expect(
      await answer([[/existing deployment configuration/, `${down}\r`], ...rest], "deploy"),
    ).toMatchObject({ code: 0 });
    expect(await api.post("/deployments/filter", {})).toMatchObject([{ name: "b" }]);
    await write({ "prefect.yaml": "name: nothing declared\n" });
    const unsaved = [...rest, [/Save this deployment/, "n"]] as const;
    expect(
      await answer([[/Deployment name/, "\r"], ...unsaved], "deploy", "flow.py:main", "-p", "pool"),
    ).toMatchObject({ code: 0 });
    expect(
      await answer([[/Which work pool/, "\r"], ...unsaved], "deploy", "flow.py:main", "-n", "chosen"),
    ).toMatchObject({ code: 0 });
    const names = (await api.post("/deployments/filter", {})).map(({ name }: { name: string }) => name);
    expect(names.sort()).toEqual(["b", "chosen", "default"]);
    expect(await answer("\u001B", "deploy", "flow.py:main", "-n", "no")).toMatchObject({ code: 1 });
    expect(await answer("\r", "deploy", "--no-prompt", "flow.py:main", "-p", "pool")).toMatchObject({
      code: 1,
    });
    expect(await run("deploy", "flow.py:main", "-p", "pool")).toMatchObject({ code: 1 });
  });

  it("takes the flags of `prefect deploy` that say what is so anyway, those of its session before the command, and `deploy init`", async ({
    expect,
  }) => {
    const { run, deployment, directory } = await openProject({});
    const words = [
      "flow.py:main",
      "-n",
      "one",
      "-p",
      "pool",
      "--prompt",
      "--no-all",
      "--enforce-parameter-schema",
    ];
    const empty = ["tag", "job-variable", "cron", "interval", "rrule", "trigger", "param", "sla"];
    const result = await run(
      "--no-prompt",
      "deploy",
      ...words,
      ...empty.map((list) => `--empty-${list}`),
      "--variable",
      "a=1",
    );
    expect(result.code, result.stderr).toBe(0);
    expect(await deployment("main", "one")).toMatchObject({
      enforce_parameter_schema: true,
      job_variables: { a: "1" },
    });
    expect(await run("deploy", "init", "--recipe", "local")).toMatchObject({ code: 0 });
    expect(await readFile(join(directory, "prefect.yaml"), "utf8")).toContain("deployments:");
  });

  it("asks nothing with PREFECT_CLI_PROMPT=false", async ({ expect }) => {
    const { answer } = await openProject({}, { PREFECT_CLI_PROMPT: "false" });
    expect(await answer("\r", "deploy", "flow.py:main", "-p", "pool")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("a deployment name must be provided"),
    });
  });

  it("refuses service level agreements for a server, and sends them to Prefect Cloud", async ({ expect }) => {
    const { run, api, requests, write, apiUrl } = await openProject({
      "prefect.yaml": one("sla: [{name: a, duration: 60}]"),
    });
    expect(await run("deploy")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/prefect.yaml:5:10: deployments\[0\].sla: .*Prefect Cloud only/),
    });
    expect(await api.post("/deployments/count", {})).toBe(0);
    await write({
      ".env": `PREFECT_CLOUD_API_URL=${apiUrl}\n`,
      "sla.json": '{"sla": [{"name": "b", "duration": 9}]}',
    });
    const cloud = await run("deploy", "--sla", "sla.json", "--sla", '{"name": "c", "stale_after": 60}');
    expect(cloud.stderr).toContain("slas");
    const { id } = await api.get("/deployments/name/main/one");
    const owner = `prefect.deployment.${id}`;
    expect(requests.filter((line) => line.includes("/slas/"))).toEqual([
      `POST /api/slas/apply-resource-slas/${owner} ${JSON.stringify([
        { name: "b", duration: 9, owner_resource: owner },
        { name: "c", stale_after: 60, owner_resource: owner },
      ])}`,
    ]);
  });

  it("Ctrl-C in the middle ends with 130, and tells how many are registered; the next deploy does the rest", async ({
    expect,
  }) => {
    const names = Array.from({ length: 12 }, (_, index) => `d${String(index).padStart(2, "0")}`);
    const file = `deployments:\n${names
      .map((name) => `  - {name: ${name}, entrypoint: "flow.py:main", work_pool: {name: pool}}\n`)
      .join(
        "",
      )}  - {name: slow, entrypoint: "flow.py:main", work_pool: {name: pool}, build: [${step("s", "sleep 60")}]}\n`;
    const { start, api } = await openProject({ "prefect.yaml": file });
    const deploying = start("deploy", "--all");
    await deploying.waitFor(/Deployment 'main\/d11' successfully created/);
    deploying.signal("SIGINT");
    const { code, stderr } = await deploying.result;
    expect({ code, stderr }).toMatchObject({
      code: 130,
      stderr: expect.stringContaining(
        "Interrupted: 12 of 13 registered; the same command goes on with the others.",
      ),
    });
    // What holds for all of them is said once.
    expect(stderr.match(/Your Prefect workers will attempt/g)).toHaveLength(1);
    expect(await api.post("/deployments/count", {})).toBe(12);
  });

  it("--json gives one object a deployment", async ({ expect }) => {
    const { run } = await openProject({ "prefect.yaml": TWO });
    const { stdout } = await run("deploy", "--all", "--json");
    expect(JSON.parse(stdout)).toMatchObject([
      { name: "a", flow_name: "main", outcome: "created", id: expect.any(String) },
      { name: "b", flow_name: "The Reports", outcome: "created" },
    ]);
  });

  it("triggers become automations that the deployment owns, and are replaced", async ({ expect }) => {
    const { run, api, write } = await openProject({
      "prefect.yaml": one("triggers: [{expect: [a.b]}, {expect: [c], name: mine}]"),
    });
    expect(await run("deploy")).toMatchObject({ code: 0 });
    const names = async () =>
      (await api.post("/automations/filter", {})).map(({ name }: { name: string }) => name).sort();
    expect(await names()).toEqual(["mine", "one__automation_1"]);
    await write({ "prefect.yaml": one("triggers: [{expect: [z], name: other}]") });
    await run("deploy");
    expect(await names()).toEqual(["other"]);
    await write({ "prefect.yaml": one() });
    await run("deploy");
    expect(await names()).toEqual([]);
  });
});

describe("init", () => {
  it("guesses, writes both files, and leaves them alone the second time", async ({ expect }) => {
    const { run, directory } = await openProject({});
    const first = await run("init");
    expect(first).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/recipe local\).*\.prefectignore\nprefect.yaml\n$/s),
    });
    const text = await readFile(join(directory, "prefect.yaml"), "utf8");
    expect(text).toContain(`directory: ${directory}`);
    expect(await run("init")).toMatchObject({ code: 0, stdout: expect.stringContaining("No new files") });
    expect((await run("project", "check")).stdout).toBe("prefect.yaml is sound.\n");
  });

  it("asks on a terminal for the recipe and its fields, and before it writes over a file", async ({
    expect,
  }) => {
    const { answer, directory } = await openProject({});
    const file = join(directory, "prefect.yaml");
    const read = (): Promise<string> => readFile(file, "utf8");
    const down = "\u001B[B";
    const ctrlC = "\u0003";
    const s3 = [/How is the flows' code stored/, `${down.repeat(3)}\r`] as const;
    expect(await answer([s3, [/bucket that the code/, ctrlC]], "init")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("nothing was written"),
    });
    await expect(read()).rejects.toThrow("ENOENT");
    expect(await answer([s3, [/bucket that the code/, "mine\r"]], "init")).toMatchObject({ code: 0 });
    const first = await read();
    expect(first).toContain("bucket: mine");
    const local = ["init", "--recipe", "local"] as const;
    expect(await answer([[/Write a new one over it/, ctrlC]], ...local)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("nothing was written"),
    });
    for (const no of ["\r", "n"]) {
      expect(await answer([[/Write a new one over it/, no]], ...local)).toMatchObject({ code: 0 });
      expect(await read()).toBe(first);
    }
    expect(await answer([[/Write a new one over it/, "y"]], ...local)).toMatchObject({ code: 0 });
    expect(await read()).toContain("set_working_directory");
  });

  it("names what a recipe needs, and the recipes there are", async ({ expect }) => {
    const { run, directory } = await openProject({});
    expect(await run("init", "--recipe", "s3")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("--field bucket=…"),
    });
    expect(await run("init", "--recipe", "s4")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("Do you mean s3?"),
    });
    await expect(readFile(join(directory, "prefect.yaml"))).rejects.toThrow("ENOENT");
    expect(await run("init", "--recipe", "s3", "--field", "bucket=b=1")).toMatchObject({ code: 0 });
    expect(await readFile(join(directory, "prefect.yaml"), "utf8")).toContain("bucket: b=1");
  });
});

describe("project check", () => {
  it("tells references to no step, functions and schedules that are wrong, with their places", async ({
    expect,
  }) => {
    const file = `build: [${step("sha", "echo {{ gone.x }}")}]\n${one("entrypoint: flow.py:nope", "tags: ['{{ shaa.stdout }}']", "schedules: [{cron: '* * * * *', timezone: Mars/Base}]")}`;
    const { run, requests } = await openProject({ "prefect.yaml": file });
    const { code, stdout } = await run("project", "check");
    expect(code).toBe(1);
    expect(stdout).toMatch(/^prefect.yaml:1:\d+: build\[0\].*\{\{ gone.x \}\} refers to no step/m);
    expect(stdout).toMatch(
      /^prefect.yaml:5:17: deployments\[0\].entrypoint: .*flow.py has no flow 'nope'; its flows are main, reports$/m,
    );
    expect(stdout).toMatch(/^prefect.yaml:6:12: deployments\[0\].tags\[0\]: .*do you mean sha\?$/m);
    expect(stdout).toMatch(/^prefect.yaml:7:17: deployments\[0\].schedules\[0\]: .*Mars\/Base/m);
    expect(stdout).toMatch(/^4 problems in prefect.yaml\.$/m);
    expect(JSON.parse((await run("project", "check", "--json")).stdout).errors).toHaveLength(4);
    expect(requests).toEqual([]);
  });

  it("the schema for editors knows the fields", async ({ expect }) => {
    const { run } = await openProject({});
    const schema = JSON.parse((await run("project", "schema")).stdout);
    expect(Object.keys(schema.properties)).toEqual([
      "prefect-version",
      "name",
      "build",
      "push",
      "pull",
      "deployments",
    ]);
    expect(schema.definitions.deployment.properties).toHaveProperty("schedules");
  });
});
