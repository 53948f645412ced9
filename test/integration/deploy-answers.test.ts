import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { inject, onTestFinished, test } from "vitest";
import { runCli } from "../support/cli.ts";
import { PrefectApi, uniqueName } from "../support/prefect-api.ts";
import { prefectProgram } from "../support/prefect-server.ts";

const DOWN = "\u001B[B";

interface Registered {
  readonly schedules: readonly { readonly schedule: Record<string, unknown>; readonly active: boolean }[];
  readonly [field: string]: unknown;
}

test("what answers on a terminal register and save, `prefect deploy` takes from the file as it is", async ({
  expect,
}) => {
  const directory = await mkdtemp(join(tmpdir(), "deploy-answers-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  await writeFile(
    join(directory, "flow.py"),
    "from prefect import flow\n\n@flow\ndef answers(n: int = 1): pass\n",
  );
  const api = new PrefectApi(inject("prefect3Url"));
  const [name, pool] = [uniqueName("answers"), uniqueName("answers")];
  await api.createPool(pool);
  const { code, stderr } = await runCli(["deploy", "flow.py:answers", "-n", name, "-p", pool], {
    cwd: directory,
    apiUrl: api.url,
    env: { PATH: process.env["PATH"] ?? "", LIGHTERMAN_PYTHON: prefectProgram(3, "python") },
    keys: [
      [/remote place/, "y"],
      [/Where is the code[^]*S3[^]*GCS[^]*Azure Blob/, "\r"],
      [/Address/, "https://git.example/x.git\r"],
      [/Branch/, "dev\r"],
      [/private repository/, "y"],
      [/token for/, "t0ken-canary\r"],
      [/Add schedules/, "y"],
      [/What kind/, "\r"],
      [/Seconds/, "600\r"],
      [/Activate/, "n"],
      [/Add another/, "y"],
      [/What kind/, `${DOWN}\r`],
      [/Cron line/, "0 6 * * *\r"],
      [/Time zone/, "Europe/Berlin\r"],
      [/Activate/, "\r"],
      [/Add another/, "y"],
      [/What kind/, `${DOWN}${DOWN}\r`],
      [/Recurrence rule/, "\r"],
      [/Time zone/, "Asia/Tokyo\r"],
      [/Activate/, "\r"],
      [/Add another/, "n"],
      [/Save this/, "y"],
    ],
  });
  expect(code, stderr).toBe(0);
  const block = `deployment-${name}-answers-repo-token`;
  expect(
    await api.call("GET", `/block_types/slug/secret/block_documents/name/${block}?include_secrets=true`),
  ).toMatchObject({ data: { value: "t0ken-canary" } });
  const text = await readFile(join(directory, "prefect.yaml"), "utf8");
  expect(text).not.toContain("canary");

  // What the file says, without what is new each time.
  async function registered(): Promise<unknown> {
    const found = await api.call<Registered>("GET", `/deployments/name/answers/${name}`);
    const { pull_steps, entrypoint, work_pool_name, tags, parameter_openapi_schema, version } = found;
    const schedules = found.schedules
      .map(({ schedule, active }) => JSON.stringify([schedule, active]))
      .sort();
    return { pull_steps, entrypoint, work_pool_name, tags, parameter_openapi_schema, version, schedules };
  }
  const ours = await registered();
  expect(ours).toMatchObject({
    pull_steps: [
      {
        "prefect.deployments.steps.git_clone": {
          repository: "https://git.example/x.git",
          branch: "dev",
          access_token: `{{ prefect.blocks.secret.${block} }}`,
        },
      },
    ],
    schedules: [expect.anything(), expect.anything(), expect.anything()],
  });
  const { id } = await api.call<{ readonly id: string }>("GET", `/deployments/name/answers/${name}`);
  await api.call("DELETE", `/deployments/${id}`);
  await promisify(execFile)(prefectProgram(3, "prefect"), ["--no-prompt", "deploy", "-n", name], {
    cwd: directory,
    env: { PATH: process.env["PATH"], PREFECT_HOME: join(directory, ".home"), PREFECT_API_URL: api.url },
  });
  expect(await registered()).toEqual(ours);
  expect(await readFile(join(directory, "prefect.yaml"), "utf8")).toBe(text);
});
