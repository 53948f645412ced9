import { describe, it } from "vitest";

import { parseJson } from "../json/parse.ts";
import { Float } from "../json/value.ts";
import {
  decodeDeployment,
  decodeEvent,
  decodeFlowRun,
  decodeScheduledFlowRun,
  decodeSetStateResult,
} from "./decode.ts";

describe("decodeDeployment", () => {
  it("reads the job variables of servers before 2.16.4", ({ expect }) => {
    const old = { id: "d", name: "n", flow_id: "f", infra_overrides: { image: "x" } };
    expect(decodeDeployment(old).job_variables).toEqual({ image: "x" });
    expect(decodeDeployment({ ...old, job_variables: { image: "y" } }).job_variables).toEqual({
      image: "y",
    });
  });

  it("keeps Python's forms of numbers in job variables and pull steps", ({ expect }) => {
    const text =
      '{"id":"d","name":"n","flow_id":"f","job_variables":{"cpu":1.0},"pull_steps":[{"s":{"n":9007199254740993}}]}';
    const deployment = decodeDeployment(parseJson(text));
    expect(deployment.job_variables["cpu"]).toEqual(new Float(1));
    expect(deployment.pull_steps).toEqual([{ s: { n: 9007199254740993n } }]);
  });

  it("takes everything but the ids and the name for optional", ({ expect }) => {
    expect(decodeDeployment({ id: "d", name: "n", flow_id: "f", tags: null })).toEqual({
      id: "d",
      name: "n",
      flow_id: "f",
      entrypoint: null,
      path: null,
      storage_document_id: null,
      pull_steps: null,
      job_variables: {},
      work_pool_name: null,
      work_queue_name: null,
      parameters: {},
      tags: [],
      updated: null,
      version: null,
    });
  });
});

describe("decodeFlowRun", () => {
  it("gets by without a state and without job variables, as 2.x has none", ({ expect }) => {
    expect(decodeFlowRun({ id: "r", flow_id: "f", surprise: 1 })).toMatchObject({
      id: "r",
      name: "r",
      state: null,
      job_variables: {},
      run_count: 0,
    });
  });

  it("refuses a state type that it does not know, so that no such run is started", ({ expect }) => {
    const run = { id: "r", flow_id: "f", state: { type: "DREAMING", name: "x" } };
    expect(() => decodeFlowRun(run)).toThrow("unknown state type DREAMING");
    expect(() => decodeScheduledFlowRun({ work_pool_id: "p", work_queue_id: "q" })).toThrow("is no flow run");
  });
});

describe("decodeSetStateResult", () => {
  it("reads reason and delay", ({ expect }) => {
    const state = { type: "SCHEDULED", name: "Scheduled" };
    const details = { type: "wait_details", reason: "early", delay_seconds: 3 };
    expect(decodeSetStateResult({ status: "WAIT", state, details })).toMatchObject({
      status: "WAIT",
      reason: "early",
      delaySeconds: 3,
    });
    expect(decodeSetStateResult({ status: "ACCEPT", state })).toMatchObject({
      reason: null,
      delaySeconds: null,
    });
  });
});

describe("decodeEvent", () => {
  it("drops related resources without id or role", ({ expect }) => {
    const event = decodeEvent({
      id: "e",
      occurred: "2026-11-23T12:00:00Z",
      event: "prefect.flow-run.Scheduled",
      resource: { "prefect.resource.id": "prefect.flow-run.r", odd: 3 },
      related: [{ "prefect.resource.id": "a", "prefect.resource.role": "flow" }, { odd: "x" }, 7],
    });
    expect(event.resource).toEqual({ "prefect.resource.id": "prefect.flow-run.r" });
    expect(event.related).toHaveLength(1);
    expect(event.payload).toEqual({});
  });
});
