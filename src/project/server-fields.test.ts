import { describe, it } from "vitest";

import { isBefore, isUpsertOnly, parseServerVersion, planForServer, upsertBody } from "./server-fields.ts";

import type { DeploymentPlan } from "./deployment-body.ts";

const CRON = { cron: "0 6 * * *", timezone: "UTC", day_or: true };
const PLAN: DeploymentPlan = {
  flowName: "main",
  name: "one",
  workPoolName: "pool",
  declaredVersion: null,
  schedules: [{ schedule: CRON, active: false, slug: "s", parameters: { n: 1 }, max_scheduled_runs: 3 }],
  paused: undefined,
  enforceParameterSchema: undefined,
  automations: [],
  slas: undefined,
  fields: {
    version: "of the commit",
    version_info: { type: "vcs:git" },
    job_variables: { cpu: 2 },
    concurrency_limit: 5,
    concurrency_options: null,
    tags: ["a"],
  },
};

function planned(version: string | null, plan = PLAN): { plan: DeploymentPlan; warnings: string[] } {
  const warnings: string[] = [];
  return {
    plan: planForServer(plan, parseServerVersion(version), (message) => warnings.push(message)),
    warnings,
  };
}

describe("releases", () => {
  it("are read and compared by their numbers", ({ expect }) => {
    expect(parseServerVersion("2.20.26+1.gabc")).toEqual([2, 20, 26]);
    expect(parseServerVersion(null)).toBeUndefined();
    expect(isBefore([2, 14, 17], 2, 16, 1)).toBe(true);
    expect(isBefore([2, 16, 1], 2, 16, 1)).toBe(false);
    expect(isBefore([3, 10, 0], 3, 3, 2)).toBe(false);
    expect(isUpsertOnly([2, 20, 26])).toBe(true);
    expect(isUpsertOnly([3, 0, 0])).toBe(false);
    expect(isUpsertOnly(undefined)).toBe(false);
  });
});

describe("what a server is sent", () => {
  it("is everything for the newest, and for one that does not tell its release", ({ expect }) => {
    for (const version of ["3.8.8", null]) expect(planned(version)).toEqual({ plan: PLAN, warnings: [] });
  });

  it("is no field that a 3.x server does not know yet, and what is lost is told", ({ expect }) => {
    const { plan, warnings } = planned("3.0.2");
    expect(plan.fields).toEqual({
      version: "of the commit",
      job_variables: { cpu: 2 },
      concurrency_limit: 5,
      tags: ["a"],
    });
    expect(plan.schedules).toEqual([{ schedule: CRON, active: false, max_scheduled_runs: 3 }]);
    expect(warnings).toEqual(["one: the server (3.0.2) does not know slug, parameters; left out."]);
  });

  it("is on 2.x what 2.x makes of it: no version of flow or commit, no limit, nothing enforced", ({
    expect,
  }) => {
    const { plan, warnings } = planned("2.20.26");
    expect(upsertBody(plan, "flow", [2, 20, 26])).toEqual({
      name: "one",
      flow_id: "flow",
      version: null,
      job_variables: { cpu: 2 },
      tags: ["a"],
      enforce_parameter_schema: false,
      schedules: [{ schedule: CRON, active: false, max_scheduled_runs: 3 }],
    });
    expect(warnings).toEqual([
      "one: the server (2.20.26) does not know slug, parameters, concurrency_limit; left out.",
    ]);
    expect(planned("2.20.26", { ...PLAN, schedules: undefined }).plan.schedules).toEqual([]);
  });

  it("has the older names before 2.16.4, and one schedule before 2.16.1", ({ expect }) => {
    const { plan } = planned("2.14.17");
    expect(upsertBody(plan, "flow", [2, 16, 3])).toMatchObject({
      infra_overrides: { cpu: 2 },
      schedules: [{ schedule: CRON }],
    });
    const old = upsertBody(plan, "flow", [2, 14, 17]);
    expect(old).toMatchObject({ infra_overrides: { cpu: 2 }, schedule: CRON, is_schedule_active: false });
    expect(Object.keys(old)).not.toEqual(expect.arrayContaining(["schedules", "job_variables", "paused"]));
    expect(upsertBody({ ...plan, schedules: [], paused: true }, "flow", [2, 14, 17])).toMatchObject({
      schedule: null,
      is_schedule_active: false,
    });
    const two = { ...plan, schedules: [{ schedule: CRON }, { schedule: CRON }] };
    expect(() => upsertBody(two, "flow", [2, 14, 17])).toThrow(
      /takes one schedule for a deployment, but there are 2/,
    );
  });
});
