import { describe, it } from "vitest";

import { deploy } from "../server/api.ts";
import { startCli } from "../../support/cli.ts";
import { open } from "./open.ts";

const SCHEMA = {
  type: "object",
  properties: { day: { type: "string" }, full: { type: "boolean" }, rest: {} },
};

describe("deployment", () => {
  it("ls sorts by name, of all flows or of some; inspect shows everything", async ({ expect }) => {
    const { api, run } = await open();
    expect((await run("deployment ls")).stderr).toBe("There are no deployments.\n");
    const id = await deploy(api);
    const other = await api.post("/flows/", { name: "another" });
    await api.post("/deployments/", { name: "dep", flow_id: other.id });
    expect((await run("deployment ls")).stdout).toMatch(
      new RegExp(`^another/dep\\t[\\w-]+\\t\\tno\nflow/dep\\t${id}\\tpool\\tno\n$`),
    );
    expect(JSON.parse((await run("deployments ls flow --json")).stdout)).toEqual([
      await api.get(`/deployments/${id}`),
    ]);
    expect((await run("deployment ls --by-created")).stdout.startsWith("another/dep")).toBe(true);
    expect(JSON.parse((await run("deployment inspect flow/dep -o json")).stdout)).toEqual(
      await api.get(`/deployments/${id}`),
    );
    expect((await run(`deployment inspect ${id.slice(0, 8)}`)).stdout).toContain("work_pool_name: pool");
    expect(await run("deployment inspect dep")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("another/dep, flow/dep"),
    });
    expect(await run("deployment inspect flow/dpe")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("Did you mean 'flow/dep'?"),
    });
  });

  it("run creates a run with parameters, job variables, tags, a name and a time", async ({ expect }) => {
    const { api, run } = await open();
    const id = await deploy(api, { parameter_openapi_schema: SCHEMA, parameters: { full: false } });
    const result = await run(
      `deployment run flow/dep --json --tag one --tag two -p day=2026-11-25 -p full=true
       --params '{"day": "never", "rest": [1]}' --job-variable env.X=1 --job-variable 'labels={"a": "b"}'
       --flow-run-name 'of {day}, {{full}}={full}' --start-at 2030-01-02T03:04:05+01:00`,
    );
    expect(result.code, result.stderr).toBe(0);
    expect(result.stderr).toContain("--param is used for day");
    const created = JSON.parse(result.stdout);
    expect(created).toEqual(await api.get(`/flow_runs/${created.id}`));
    expect(created).toMatchObject({
      name: "of 2026-11-25, {full}=True",
      deployment_id: id,
      parameters: { day: "2026-11-25", full: true, rest: [1] },
      job_variables: { "env.X": 1, labels: { a: "b" } },
      tags: ["one", "two"],
    });
    expect(Date.parse(created.expected_start_time)).toBe(Date.parse("2030-01-02T02:04:05Z"));
  });

  it("run takes parameters from standard input, and says what it did", async ({ expect }) => {
    const { api, run } = await open();
    const id = await deploy(api);
    const before = Date.now();
    const result = await run(["deployment", "run", "--id", id, "--params", "-", "--start-in", "2 hours"], {
      stdin: '{"x": 1.0}',
    });
    expect(result.code, result.stderr).toBe(0);
    expect(result.stdout).toMatch(/Parameters: +\{"x":1\.0\}/);
    expect(result.stdout).toMatch(/in (2 hours|1 hour)/);
    const [created] = await api.post("/flow_runs/filter", {});
    expect(result.stdout).toContain(created.id);
    const ahead = Date.parse(created.expected_start_time) - before;
    expect(Math.abs(ahead - 7_200_000)).toBeLessThan(10_000);
  });

  it("run refuses what cannot be right before it creates anything", async ({ expect }) => {
    const { api, run } = await open();
    await deploy(api, { parameter_openapi_schema: { ...SCHEMA, required: ["day"] } });
    for (const [words, code, text] of [
      [["flow/dep", "-p", "dya=1"], 2, "Did you mean 'day'?"],
      [["flow/dep", "-p", "day"], 2, "KEY=VALUE"],
      [["flow/dep", "-p", "day={1"], 2, "no JSON"],
      [["flow/dep", "--params", "[1]"], 2, "JSON object"],
      [["flow/dep", "--params", "-"], 2, "no parameters"],
      [["flow/dep", "-p", "day=1", "--start-in", "soon"], 2, "no duration"],
      [["flow/dep", "-p", "day=1", "--start-at", "whenever"], 2, "no time"],
      [["flow/dep", "--start-in", "1h", "--start-at", "noon"], 2, "exclude each other"],
      [["flow/dep", "-p", "day=1", "--flow-run-name", "{other}"], 2, "'other'"],
      [["flow/dep"], 1, "day"],
      [["flow/none"], 1, "There is no deployment 'flow/none'"],
      [[], 2, "Which deployment?"],
    ] as const) {
      const result = await run(["deployment", "run", ...words]);
      expect(result.code, words.join(" ") + result.stderr).toBe(code);
      expect(result.stderr).toContain(text);
    }
    expect(await api.post("/flow_runs/filter", {})).toEqual([]);
  });

  it("pause, resume and delete", async ({ expect }) => {
    const { api, run } = await open();
    const id = await deploy(api);
    for (const [word, paused] of [
      ["pause", true],
      ["resume", false],
    ] as const) {
      const result = await run(`deployment ${word} flow/dep --json`);
      expect(JSON.parse(result.stdout)).toMatchObject({ id, paused });
    }
    expect(await run("deployment delete flow/dep")).toMatchObject({ code: 2 });
    expect(await run("deployment delete flow/dep --all -y")).toMatchObject({ code: 2 });
    expect(await run("deployment delete flow/dep -y")).toMatchObject({ code: 0 });
    await deploy(api);
    expect(await run("deployment delete --all -y")).toMatchObject({
      code: 0,
      stdout: "Deleted all 1 deployments.\n",
    });
    expect(await api.post("/deployments/filter", {})).toEqual([]);
  });

  it("schedules: create, ls, pause, resume, delete, clear", async ({ expect }) => {
    const { api, run } = await open();
    const id = await deploy(api);
    const schedules = async (): Promise<Record<string, unknown>[]> =>
      (await api.get(`/deployments/${id}/schedules`)).toSorted(
        (a: { created: string }, b: { created: string }) => a.created.localeCompare(b.created),
      );
    const created = await run(
      "deployment schedule create flow/dep --cron '0 9 * * *' --timezone Europe/Vienna --json",
    );
    expect(created.code, created.stderr).toBe(0);
    const { id: first } = JSON.parse(created.stdout);
    await run("deployment schedule create flow/dep --interval 3600 --no-active");
    expect(await schedules()).toMatchObject([
      { active: true, schedule: { cron: "0 9 * * *", timezone: "Europe/Vienna" } },
      { active: false, schedule: { interval: 3600 } },
    ]);
    expect((await run("deployment schedule ls flow/dep")).stdout).toContain(
      `${first}\tcron: 0 9 * * * (Europe/Vienna)\tyes`,
    );
    await run(`deployment schedule pause flow/dep ${first.slice(0, 8)}`);
    expect((await schedules()).map(({ active }) => active)).toEqual([false, false]);
    await run("deployment schedule resume --all");
    expect((await schedules()).map(({ active }) => active)).toEqual([true, true]);
    expect(await run("deployment schedule pause flow/dep")).toMatchObject({ code: 2 });
    expect(await run(`deployment schedule delete flow/dep ${first} -y`)).toMatchObject({ code: 0 });
    await run(["deployment", "schedule", "create", "flow/dep", "--rrule", "FREQ=DAILY", "--replace", "-y"]);
    expect(await schedules()).toMatchObject([{ schedule: { rrule: "DTSTART:20200101T000000\nFREQ=DAILY" } }]);
    expect(await run("deployment schedule clear flow/dep -y")).toMatchObject({ code: 0 });
    expect(await schedules()).toEqual([]);
    expect(await run("deployment schedule create flow/dep")).toMatchObject({ code: 2 });
  });

  it("run --watch shows states and log as they come, and ends with the run", async ({ expect }) => {
    const { api, options } = await open();
    await deploy(api);
    const watching = startCli(
      ["deployment", "run", "flow/dep", "--watch", "--flow-run-name", "seen"],
      options,
    );
    await watching.waitFor(/is Scheduled/);
    const [{ id }] = await api.post("/flow_runs/filter", {});
    await api.propose(id, { type: "RUNNING" });
    await watching.waitFor(/is Running/);
    await api.post("/logs/", [
      { name: "prefect", level: 20, message: "hello", timestamp: new Date().toISOString(), flow_run_id: id },
    ]);
    await watching.waitFor(/INFO {4}\| Flow run 'seen' - hello/);
    await api.propose(id, { type: "COMPLETED" });
    const { code, stdout, stderr } = await watching.result;
    expect(code, stderr).toBe(0);
    expect(stdout.match(/hello/g)).toHaveLength(1);
    expect(stdout.match(/is Running/g)).toHaveLength(1);
    expect(stdout.trimEnd().split("\n").at(-1)).toContain("is Completed");
  });
});
