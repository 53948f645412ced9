import { describe, it } from "vitest";

import { DOCKER_BASE_JOB_TEMPLATE } from "../templating/docker-job-template.ts";
import { resolveJob } from "./job.ts";

import type { JsonObject } from "../json/value.ts";
import type { JobInputs } from "./job.ts";

function inputs(jobVariables: JsonObject, template: JsonObject = DOCKER_BASE_JOB_TEMPLATE): JobInputs {
  return {
    workPool: { base_job_template: template },
    deployment: { job_variables: jobVariables },
    flowRun: null,
    env: {},
    lookups: {
      block: () => Promise.resolve(undefined),
      blockById: () => Promise.resolve(undefined),
      variable: (name) => Promise.resolve(name === "who" ? "worker" : undefined),
    },
    onSecret: () => undefined,
  };
}

describe("the job variable pull", () => {
  it.for<[given: JsonObject, mode: string]>([
    [{}, "container"],
    [{ pull: null }, "container"],
    [{ pull: "auto" }, "auto"],
    [{ pull: "{{ prefect.variables.who }}" }, "worker"],
  ])("given as %j is %s", async ([given, mode], { expect }) => {
    expect((await resolveJob(inputs(given))).pull).toBe(mode);
  });

  it("counts in a pool whose template does not know it, as prefect-docker makes them", async ({ expect }) => {
    const template = { job_configuration: { image: "{{ image }}" }, variables: { properties: {} } };
    expect((await resolveJob(inputs({ pull: "worker" }, template))).pull).toBe("worker");
  });

  it("says what is right when it is wrong", async ({ expect }) => {
    await expect(resolveJob(inputs({ pull: "host" }))).rejects.toMatchObject({
      code: "TEMPLATE_INVALID",
      message: 'The job variable pull cannot be "host"',
      hint: expect.stringMatching(/^Set it to container \(.*\), worker \(.*\), or auto\.$/),
    });
  });
});
