import { chmod, lstat, readdir, readFile, stat, symlink } from "node:fs/promises";
import { createServer } from "node:http";
import { basename, join } from "node:path";
import { describe, it, onTestFinished } from "vitest";

import { FakeS3 } from "../../support/fake-s3.ts";
import { openProject } from "./stage.ts";

import type { AddressInfo } from "node:net";
import type { Api } from "../server/api.ts";

const DOWN = "\u001B[B";
const CTRL_C = "\u0003";
const CLEAR = "\u007F".repeat(40);
const LOCAL = [/pull it from a remote place/, "n"] as const;
const REMOTE = [/pull it from a remote place/, "y"] as const;
const UNSCHEDULED = [/Add schedules/, "n"] as const;
const SAVE = [/Save this deployment/, "y"] as const;
const FILE = "# Ours\nname: flows # and more\n";
const NEW = ["deploy", "flow.py:main", "-n", "new", "-p", "pool"] as const;

/** What no question may have caused before the last answer. */
function writesOf(requests: readonly string[]): readonly string[] {
  return requests.filter(
    (line) => /^(?:POST|PATCH|PUT|DELETE)/.test(line) && !/\/filter |\/count /.test(line),
  );
}

function saved(...lines: readonly string[]): string {
  return `${FILE}\ndeployments:\n${lines.map((line) => `  ${line}\n`).join("")}`;
}

async function registerBlockType(api: Api, slug: string, fields: readonly string[]): Promise<void> {
  const { id } = await api.post("/block_types/", { name: slug, slug });
  const properties = Object.fromEntries(fields.map((field) => [field, { type: "string" }]));
  await api.post("/block_schemas/", {
    block_type_id: id,
    fields: { type: "object", title: slug, properties },
  });
}

describe("the question for a work pool, where there is none", () => {
  const POOL = [
    [/Make one\?/, "y"],
    [/What infrastructure/, `${DOWN}\r`],
    [/Work pool name/, "a/b\r"],
    [/Leave out \/, %/, `${CLEAR}Prefect-x\r`],
    [/the server's own/, `${CLEAR}agents\r`],
    [/of that name already/, `${CLEAR}fresh\r`],
  ] as const;
  const ARGUMENTS = ["deploy", "flow.py:main", "-n", "new", "-p", "agents"] as const;

  async function openWithoutPool() {
    const stage = await openProject({ "prefect.yaml": FILE });
    await stage.api.call("DELETE", "/work_pools/pool");
    await stage.api.post("/work_pools/", { name: "agents", type: "prefect-agent" });
    return stage;
  }

  it("makes one of the type and name that are chosen, after the last answer", async ({ expect }) => {
    const { answer, api, deployment, directory, requests } = await openWithoutPool();
    const image = [/Build a custom Docker image/, "n"] as const;
    const last = [...POOL, image, LOCAL, [/Add schedules/, CTRL_C]] as const;
    expect(await answer(last, ...ARGUMENTS)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("nothing was registered"),
    });
    const dry = await answer([...POOL, image, LOCAL, UNSCHEDULED], ...ARGUMENTS, "--dry-run");
    expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining("would be created") });
    expect(writesOf(requests)).toEqual([]);
    const made = await answer([...POOL, image, LOCAL, UNSCHEDULED, SAVE], ...ARGUMENTS);
    expect(made, made.stderr).toMatchObject({ code: 0, stderr: expect.stringContaining("one of agents") });
    expect(await api.get("/work_pools/fresh")).toMatchObject({
      type: "docker",
      base_job_template: { variables: { properties: { image: { type: "string" } } } },
    });
    expect(await deployment("main", "new")).toMatchObject({ work_pool_name: "fresh" });
    expect(await readFile(join(directory, "prefect.yaml"), "utf8")).toBe(
      saved(
        "- name: new",
        "  entrypoint: flow.py:main",
        "  schedules: null",
        "  work_pool:",
        "    name: fresh",
        "  pull:",
        "    - prefect.deployments.steps.set_working_directory:",
        `        directory: ${directory}`,
      ),
    );
  });

  it("refuses, and says how to make one, when none is wanted", async ({ expect }) => {
    const { answer, requests } = await openWithoutPool();
    expect(await answer([[/Make one\?/, "n"]], ...ARGUMENTS)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("work-pool create NAME"),
    });
    expect(writesOf(requests)).toEqual([]);
  });
});

describe("where the code is stored", () => {
  const CASES = [
    {
      store: "gcs",
      place: "bucket",
      block: "gcp-credentials",
      fields: ["project", "service_account_file"],
      answers: [
        [/project/, "mine\r"],
        [/service_account_file/, "\r"],
      ],
      data: { project: "mine" },
    },
    {
      store: "azure_blob_storage",
      place: "container",
      block: "azure-blob-storage-credentials",
      fields: ["account_url", "connection_string"],
      answers: [
        [/account_url/, "\r"],
        [/connection_string/, "s3cr3t-canary\r"],
      ],
      data: { connection_string: "s3cr3t-canary" },
    },
  ] as const;

  it.for(CASES)("$store, with credentials that are new, then with those", async (the, { expect }) => {
    const module = the.store === "gcs" ? "prefect_gcp" : "prefect_azure";
    const { answer, api, deployment, directory } = await openProject({
      "prefect.yaml": FILE,
      // A stand-in for the package, which tells what it was called with.
      [`${module}/__init__.py`]: "",
      [`${module}/deployments/__init__.py`]: "",
      [`${module}/deployments/steps.py`]: `import json\ndef push_to_${the.store}(**inputs):\n    print("PUSHED", json.dumps(inputs, sort_keys=True))\n    return inputs\n`,
    });
    await registerBlockType(api, the.block, the.fields);
    const where = [
      REMOTE,
      [/Where is the code/, `${DOWN.repeat(2)}\r`],
      [/(?:Bucket|Container) name/, "\r"],
      [/It is needed/, "place\r"],
      [/Folder name/, "a/folder\r"],
    ] as const;
    const named = [
      [/name for these credentials/, "My Block\r"],
      [/lower-case letters, digits and dashes/, `${CLEAR}mine\r`],
    ] as const;
    const first = await answer([...where, ...the.answers, ...named, UNSCHEDULED, SAVE], ...NEW);
    expect(first.code, first.stderr).toBe(0);
    expect(first.stdout + first.stderr).not.toContain("canary");
    expect(first.stderr).toMatch(/PUSHED .*"folder": "a\/folder"/);
    const path = `/block_types/slug/${the.block}/block_documents/name/mine?include_secrets=true`;
    expect(await api.get(path)).toMatchObject({ data: the.data });
    const step = (verb: string): string => `${module}.deployments.steps.${verb}_${the.store}`;
    const inputs = {
      [the.place]: "place",
      folder: "a/folder",
      credentials: `{{ prefect.blocks.${the.block}.mine }}`,
    };
    expect(await deployment("main", "new")).toMatchObject({ pull_steps: [{ [step("pull_from")]: inputs }] });
    const lines = (verb: string): readonly string[] => [
      `    - ${step(verb)}:`,
      `        ${the.place}: place`,
      "        folder: a/folder",
      `        credentials: "${inputs.credentials}"`,
    ];
    const expected = saved(
      "- name: new",
      "  entrypoint: flow.py:main",
      "  schedules: null",
      "  work_pool:",
      "    name: pool",
      "  push:",
      ...lines("push_to"),
      "  pull:",
      ...lines("pull_from"),
    );
    expect(await readFile(join(directory, "prefect.yaml"), "utf8")).toBe(expected);
    const other = ["deploy", "flow.py:reports", "-n", "other", "-p", "pool"] as const;
    const second = await answer(
      [...where, [/Which credentials/, "\r"], UNSCHEDULED, [/Save this/, "n"]],
      ...other,
    );
    expect(second.code, second.stderr).toBe(0);
    expect(
      await deployment("The%20Reports", "other").catch(() => deployment("The Reports", "other")),
    ).toMatchObject({
      pull_steps: [{ [step("pull_from")]: inputs }],
    });
    expect(await readFile(join(directory, "prefect.yaml"), "utf8")).toBe(expected);
  });

  it("S3: pushes there, with the machine's own keys when none are given", async ({ expect }) => {
    await using store = await FakeS3.start({
      fault: ({ method }, response) => {
        if (method !== "PUT") return false;
        response.setHeader("etag", '"x"').end();
        return true;
      },
    });
    const { answer, api, deployment } = await openProject(
      { "prefect.yaml": FILE },
      { AWS_ENDPOINT_URL: store.url, AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" },
    );
    const result = await answer(
      [
        REMOTE,
        [/Where is the code/, `${DOWN}\r`],
        [/Bucket name/, "bucket\r"],
        [/Folder name/, "f\r"],
        [/aws_access_key_id \(empty/, "\r"],
        [/name for these credentials/, "\r"],
        UNSCHEDULED,
        SAVE,
      ],
      ...NEW,
    );
    expect(result.code, result.stderr).toBe(0);
    expect(store.requests.filter(({ method }) => method === "PUT").map(({ path }) => path)).toContain(
      "/bucket/f/flow.py",
    );
    const block = "aws-credentials/block_documents/name/s3-storage-credentials";
    expect(await api.get(`/block_types/slug/${block}`)).toMatchObject({ data: {} });
    expect(await deployment("main", "new")).toMatchObject({
      pull_steps: [{ "prefect_aws.deployments.steps.pull_from_s3": { bucket: "bucket", folder: "f" } }],
    });
  });

  it("git: the token of the block that is there, or a new one over it", async ({ expect }) => {
    const { answer, api, deployment } = await openProject({ "prefect.yaml": FILE });
    const git = [
      REMOTE,
      [/Where is the code/, "\r"],
      [/Address of the repository/, "https://git.example/x.git\r"],
      [/Branch/, "dev\r"],
      [/private repository/, "y"],
    ] as const;
    const rest = [UNSCHEDULED, [/Save this/, "n"]] as const;
    const token = [/token for the repository/, "one-canary\r"] as const;
    const path = "/block_types/slug/secret/block_documents/name/deployment-new-main-repo-token";
    const value = async (): Promise<unknown> => (await api.get(`${path}?include_secrets=true`)).data.value;
    expect(await answer([...git, token, ...rest], ...NEW)).toMatchObject({ code: 0 });
    expect(await answer([...git, [/Use the token of the block/, "y"], ...rest], ...NEW)).toMatchObject({
      code: 0,
    });
    expect(await value()).toBe("one-canary");
    const again = [
      [/Use the token of the block/, "n"],
      [token[0], "two-canary\r"],
    ] as const;
    expect(await answer([...git, ...again, ...rest], ...NEW)).toMatchObject({ code: 0 });
    expect(await value()).toBe("two-canary");
    expect(await deployment("main", "new")).toMatchObject({
      pull_steps: [{ "prefect.deployments.steps.git_clone": { branch: "dev" } }],
    });
  });
});

/** An engine that takes every image, and tells what it was asked. */
async function startEngine(): Promise<{ readonly host: string; readonly seen: readonly string[] }> {
  const seen: string[] = [];
  const id = `sha256:${"a".repeat(64)}`;
  const engine = createServer((request, response) => {
    const login = request.headers["x-registry-auth"];
    seen.push(
      `${request.method} ${request.url}${typeof login === "string" ? ` ${Buffer.from(login, "base64url").toString()}` : ""}`,
    );
    request.resume().on("end", () => {
      response.setHeader("api-version", "1.44").setHeader("content-type", "application/json");
      if (request.url?.includes("/build?") === true) response.end(`${JSON.stringify({ aux: { ID: id } })}\n`);
      else if (request.url?.endsWith("/json") === true)
        response.end(JSON.stringify({ Id: id, RepoTags: [] }));
      else response.end(`${JSON.stringify({ status: "done" })}\n`);
    });
  });
  await new Promise<void>((resolve) => engine.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    engine.closeAllConnections();
    engine.close();
  });
  return { host: `tcp://127.0.0.1:${(engine.address() as AddressInfo).port}`, seen };
}

describe("an image of its own", () => {
  const IMAGES = {
    name: "images",
    type: "docker",
    base_job_template: {
      job_configuration: { image: "{{ image }}" },
      variables: { type: "object", properties: { image: { type: "string" } } },
    },
  };
  const ARGUMENTS = ["deploy", "flow.py:main", "-n", "New One", "-p", "images"] as const;
  const TALK = [
    [/Build a custom Docker image/, "y"],
    [/Use the Dockerfile/, "y"],
    [/Repository/, "Team\r"],
    [/must be in lower case/, `${CLEAR}team\r`],
    [/Image name[^]*new-one/, "\r"],
    [/Image tag/, "a b\r"],
    [/white space/, `${CLEAR}v1\r`],
    [/Push this image/, "y"],
    [/Registry/, "reg.example:5000/\r"],
    [/private registry/, "y"],
    [/Keep the registry's login/, "y"],
    [/User name at/, "me\r"],
    [/Password at/, "s3cr3t-canary\r"],
    [/copy this directory into the image/, "y"],
    [/Where does the code lie/, "/opt/own\r"],
  ] as const;

  async function openWithEngine(files: Readonly<Record<string, string>>) {
    const engine = await startEngine();
    const stage = await openProject({ "prefect.yaml": FILE, ...files }, { DOCKER_HOST: engine.host });
    await stage.api.post("/work_pools/", IMAGES);
    return { ...stage, engine };
  }

  it("is built from the Dockerfile, pushed with a login that a block keeps, and saved", async ({
    expect,
  }) => {
    const { answer, api, deployment, directory, engine } = await openWithEngine({ Dockerfile: "FROM x\n" });
    const result = await answer([...TALK, UNSCHEDULED, SAVE], ...ARGUMENTS);
    expect(result.code, result.stderr).toBe(0);
    expect(result.stdout + result.stderr).not.toContain("canary");
    const push = engine.seen.find((line) => line.includes("/push"));
    expect(push).toContain("/images/reg.example:5000/team/new-one/push?tag=v1");
    expect(push).toContain('"password":"s3cr3t-canary"');
    const block = "deployment-new-one-images-registry-creds";
    const path = `/block_types/slug/docker-registry-credentials/block_documents/name/${block}`;
    expect((await api.get(path)).data).toMatchObject({ username: "me", registry_url: "reg.example:5000" });
    expect(await deployment("main", "New%20One")).toMatchObject({
      job_variables: { image: "reg.example:5000/team/new-one:v1" },
      pull_steps: [{ "prefect.deployments.steps.set_working_directory": { directory: "/opt/own" } }],
    });
    expect(await readFile(join(directory, "prefect.yaml"), "utf8")).toBe(
      saved(
        "- name: New One",
        "  entrypoint: flow.py:main",
        "  schedules: null",
        "  work_pool:",
        "    name: images",
        "    job_variables:",
        '      image: "{{ build-image.image }}"',
        "  build:",
        "    - prefect_docker.deployments.steps.build_docker_image:",
        "        requires: prefect-docker>=0.3.1",
        "        id: build-image",
        "        dockerfile: Dockerfile",
        "        image_name: reg.example:5000/team/new-one",
        "        tag: v1",
        "  push:",
        "    - prefect_docker.deployments.steps.push_docker_image:",
        "        requires: prefect-docker>=0.3.1",
        '        image_name: "{{ build-image.image_name }}"',
        '        tag: "{{ build-image.tag }}"',
        `        credentials: "{{ prefect.blocks.docker-registry-credentials.${block} }}"`,
        "  pull:",
        "    - prefect.deployments.steps.set_working_directory:",
        "        directory: /opt/own",
      ),
    );
    // All is said now.
    expect(await answer([], "deploy", "-n", "New One")).toMatchObject({ code: 0 });
  });

  it("needs the code in the image, and tells the line that copies it", async ({ expect }) => {
    const { answer, engine, requests } = await openWithEngine({ Dockerfile: "FROM x\n" });
    const talk = [
      ...TALK.slice(0, 7),
      [/Push this image/, "n"],
      LOCAL,
      [/copy this directory into the image/, "n"],
    ] as const;
    expect(await answer(talk, ...ARGUMENTS)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("COPY . /opt/prefect/"),
    });
    expect(writesOf(requests)).toEqual([]);
    expect(engine.seen).toEqual([]);
  });

  it("is generated beside a Dockerfile only under a name that is free", async ({ expect }) => {
    const files = { Dockerfile: "FROM mine\n", "Dockerfile.backup": "FROM older\n" };
    const { answer, directory } = await openWithEngine(files);
    const no = [
      [/Build a custom/, "y"],
      [/Use the Dockerfile/, "n"],
      [/Rename yours/, "n"],
    ] as const;
    expect(await answer(no, ...ARGUMENTS)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("Remove or rename it"),
    });
    const talk = [
      ...no.slice(0, 2),
      [/Rename yours/, "y"],
      [/New name/, "\r"],
      [/is there already/, "gone/Dockerfile\r"],
      [/There is no directory/, `${CLEAR}Dockerfile.mine\r`],
      [/Repository/, "team\r"],
      [/Image name/, "\r"],
      [/Image tag/, "\r"],
      [/Push this image/, "n"],
      LOCAL,
      UNSCHEDULED,
      [/Save this/, "n"],
    ] as const;
    await answer(talk, ...ARGUMENTS);
    expect(await readFile(join(directory, "Dockerfile.backup"), "utf8")).toBe("FROM older\n");
    expect(await readFile(join(directory, "Dockerfile.mine"), "utf8")).toBe("FROM mine\n");
  });

  it("that is there already: asks where the code lies", async ({ expect }) => {
    const { answer, deployment, directory } = await openWithEngine({});
    const talk = [
      [/Build a custom/, "n"],
      LOCAL,
      [/In which directory of the image/, "\r"],
      UNSCHEDULED,
      [/Save this/, "n"],
    ] as const;
    expect(await answer(talk, ...ARGUMENTS, "-jv", "image=there:1")).toMatchObject({ code: 0 });
    expect(await deployment("main", "New%20One")).toMatchObject({
      pull_steps: [
        {
          "prefect.deployments.steps.set_working_directory": {
            directory: `/opt/prefect/${basename(directory)}`,
          },
        },
      ],
    });
  });

  it("Ctrl-C at each question leaves nothing behind", async ({ expect }) => {
    const { answer, directory, engine, requests } = await openWithEngine({ Dockerfile: "FROM x\n" });
    const before = await readdir(directory);
    const talk = [...TALK, UNSCHEDULED] as const;
    for (const [at, [question]] of talk.entries()) {
      const result = await answer([...talk.slice(0, at), [question, CTRL_C]], ...ARGUMENTS);
      expect(result, String(question)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("nothing was registered"),
      });
    }
    expect(await readdir(directory)).toEqual(before);
    expect(await readFile(join(directory, "prefect.yaml"), "utf8")).toBe(FILE);
    expect(writesOf(requests)).toEqual([]);
    expect(engine.seen).toEqual([]);
  });
});

describe("answers that cannot be", () => {
  it("are asked for again, with the reason: entrypoint, name, each kind of schedule, time zone", async ({
    expect,
  }) => {
    const { answer, deployment } = await openProject({ "prefect.yaml": FILE });
    const result = await answer(
      [
        [/Which flow/, `${DOWN}${DOWN}\r`],
        [/Flow entrypoint/, "flow\r"],
        [/Write it as/, `${CLEAR}flow.py:nope\r`],
        [/flow.py:nope[^]*cannot be read[^]*Flow entrypoint/, "gone.py:main\r"],
        [/gone.py[^]*cannot be read[^]*Flow entrypoint/, "flow.py:main\r"],
        [/Deployment name/, "a/b\r"],
        [/Leave out \/ and %/, `${CLEAR}ab\r`],
        [/Which work pool/, "\r"],
        LOCAL,
        [/Add schedules/, "y"],
        [/What kind/, "\r"],
        [/Seconds between/, "0\r"],
        [/interval/i, `${CLEAR}90\r`],
        [/Activate/, "\r"],
        [/Add another/, "y"],
        [/What kind/, `${DOWN}${DOWN}\r`],
        [/Recurrence rule/, "FREQ=NEVER\r"],
        [/NEVER[^]*(?:rule|FREQ)/, `${CLEAR}FREQ=HOURLY\r`],
        [/Time zone/, "Mars/Base\r"],
        [/Mars\/Base[^]*zone/, `${CLEAR}Asia/Tokyo\r`],
        [/Activate/, "\r"],
        [/Add another/, "\r"],
        [/Save this/, "n"],
      ],
      "deploy",
    );
    expect(result.code, result.stderr).toBe(0);
    const { schedules } = await deployment("main", "ab");
    expect(schedules.map(({ schedule }: { schedule: Record<string, unknown> }) => schedule)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ interval: 90 }),
        expect.objectContaining({ timezone: "Asia/Tokyo" }),
      ]),
    );
  });
});

describe("what was declined", () => {
  it("is kept, not asked again, and takes no schedule from the server", async ({ expect }) => {
    const { answer, api, deployment, directory } = await openProject({});
    expect(await answer([LOCAL, UNSCHEDULED, SAVE], ...NEW)).toMatchObject({ code: 0 });
    const { id } = await deployment("main", "new");
    const path = join(directory, "prefect.yaml");
    const text = await readFile(path, "utf8");
    expect(text).toMatch(/^pull:\n {2}- prefect.deployments.steps.set_working_directory:\n/m);
    expect(text).toMatch(/^ {4}schedules: null\n/m);
    await api.post(`/deployments/${id}/schedules`, [{ schedule: { interval: 60 } }]);
    expect(await answer([], "deploy", "-n", "new", "-t", "x")).toMatchObject({ code: 0 });
    expect(await deployment("main", "new")).toMatchObject({ tags: ["x"], schedules: [{ active: true }] });
    expect(await readFile(path, "utf8")).toBe(text);
  });

  it("one of two that have a name is taken, the other left alone", async ({ expect }) => {
    const { answer, api } = await openProject({
      "prefect.yaml": `deployments:
  - {name: same, entrypoint: "flow.py:main", work_pool: {name: pool}, schedules: [], pull: []}
  - {name: same, entrypoint: "flow.py:reports", work_pool: {name: pool}, schedules: [], pull: []}
`,
    });
    const which = [/Which one\?[^]*flow.py:main/, `${DOWN}\r`] as const;
    expect(await answer([which], "deploy", "-n", "same")).toMatchObject({ code: 0 });
    expect(await api.post("/deployments/filter", {})).toMatchObject([{ entrypoint: "flow.py:reports" }]);
  });

  it("an unnamed one of several is left out", async ({ expect }) => {
    const { answer, api } = await openProject({
      "prefect.yaml": `deployments:
  - {name: a, entrypoint: "flow.py:main", work_pool: {name: pool}}
  - {entrypoint: "flow.py:reports", work_pool: {name: pool}}
`,
    });
    expect(await answer([[/has no name/, "n"]], "deploy", "--all")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("1 created, 1 skipped"),
    });
    expect(await api.post("/deployments/count", {})).toBe(1);
  });
});

describe("saving", () => {
  const BUILD = `build: [{prefect.deployments.steps.run_shell_script: {script: bash -c 'echo "# added meanwhile" >> real.yaml'}}]\n`;

  it("into a file that has no place for it: registered, told what to add, exit status 1", async ({
    expect,
  }) => {
    const text = "{name: flows}\n";
    const { answer, deployment, directory } = await openProject({ "prefect.yaml": text });
    const result = await answer([LOCAL, UNSCHEDULED, SAVE], ...NEW);
    expect(result).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("View Deployment in UI"),
      stderr: expect.stringMatching(
        /is registered, but not saved[^]*- name: new\n {4}entrypoint: flow.py:main/,
      ),
    });
    expect(await deployment("main", "new")).toMatchObject({ name: "new" });
    expect(await readFile(join(directory, "prefect.yaml"), "utf8")).toBe(text);
  });

  it("keeps what was changed in the file meanwhile, its mode, and a link to it", async ({ expect }) => {
    const { answer, directory, write } = await openProject({ "real.yaml": FILE });
    const path = join(directory, "prefect.yaml");
    await symlink("real.yaml", path);
    await chmod(path, 0o640);
    // A build step is what runs between reading and saving.
    await write({ "real.yaml": FILE + BUILD });
    expect(await answer([LOCAL, UNSCHEDULED, SAVE], ...NEW)).toMatchObject({ code: 0 });
    expect(await readFile(join(directory, "real.yaml"), "utf8")).toMatch(
      /^# Ours\nname: flows # and more\nbuild: [^\n]*\n# added meanwhile\n\ndeployments:\n {2}- name: new\n/,
    );
    expect((await lstat(path)).isSymbolicLink()).toBe(true);
    expect((await stat(path)).mode & 0o777).toBe(0o640);
    expect((await readdir(directory)).filter((name) => name.endsWith(".new"))).toEqual([]);
  });
});
