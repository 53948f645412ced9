import { describe, expect, test } from "vitest";

import { deploy, startApi } from "./api.ts";

import type { SeenEvent } from "./automation-events.ts";

const EVENT = { type: "event", posture: "Reactive", expect: ["x.y"] };
const NOBODY = "00000000-0000-4000-8000-000000000000";

describe("automations over HTTP", () => {
  test("are made with all that is not said, read, replaced, switched off and deleted", async () => {
    const api = await startApi();
    const made = await api.post("/automations/", {
      name: "one",
      trigger: { ...EVENT, id: NOBODY, within: 5, match_related: [{ a: "b" }] },
      actions: [{ type: "cancel-flow-run" }, { type: "pause-work-pool", source: "inferred" }],
    });
    expect(made).toEqual({
      id: expect.any(String),
      created: expect.any(String),
      updated: expect.any(String),
      name: "one",
      description: "",
      enabled: true,
      tags: [],
      trigger: {
        type: "event",
        id: expect.not.stringContaining(NOBODY),
        match: {},
        match_related: [{ a: "b" }],
        after: [],
        expect: ["x.y"],
        for_each: [],
        posture: "Reactive",
        threshold: 1,
        within: 5,
      },
      actions: [
        { type: "cancel-flow-run" },
        { type: "pause-work-pool", source: "inferred", work_pool_id: null },
      ],
      actions_on_trigger: [],
      actions_on_resolve: [],
    });
    const path = `/automations/${made.id}`;
    expect(await api.get(path)).toEqual(made);
    expect((await api.call("PATCH", path, { enabled: false })).status).toBe(204);
    // What a replacement does not name stays.
    const replacement = { name: "two", trigger: EVENT, actions: [] };
    expect((await api.call("PUT", path, replacement)).status).toBe(204);
    expect(await api.get(path)).toMatchObject({ name: "two", enabled: false, actions: [] });
    expect((await api.call("DELETE", path)).status).toBe(204);
    for (const [method, body] of [
      ["GET"],
      ["DELETE"],
      ["PATCH", { enabled: true }],
      ["PUT", replacement],
    ] as const) {
      const answer = await api.call(method, path, body);
      expect([answer.status, answer.body]).toEqual([404, { exception_message: "Automation not found" }]);
    }
    const { events } = await api.post("/events/filter", {
      filter: { event: { prefix: ["prefect.automation."] }, order: "ASC" },
    });
    expect(events.map(({ event, payload }: SeenEvent) => [event, payload.name])).toEqual([
      ["prefect.automation.created", "one"],
      ["prefect.automation.updated", "one"],
      ["prefect.automation.updated", "two"],
      ["prefect.automation.deleted", "two"],
    ]);
  });

  test("are found by name, tags and what they run or belong to", async () => {
    const api = await startApi();
    const deployment = await deploy(api);
    const automation = (name: string, fields: object) =>
      api.post("/automations/", { name, trigger: EVENT, actions: [], ...fields });
    await automation("b", { tags: ["x"], owner_resource: "prefect.deployment.owner" });
    await automation("a", { actions: [{ type: "run-deployment", deployment_id: deployment }] });
    const names = (found: readonly { name: string }[]) => found.map(({ name }) => name);
    expect(names(await api.post("/automations/filter", {}))).toEqual(["a", "b"]);
    expect(names(await api.post("/automations/filter", { sort: "NAME_DESC", limit: 1 }))).toEqual(["b"]);
    const tagged = { automations: { tags: { all_: ["x"] } } };
    expect(names(await api.post("/automations/filter", tagged))).toEqual(["b"]);
    expect(await api.post("/automations/count", tagged)).toBe(1);
    expect(await api.post("/automations/count", {})).toBe(2);
    expect(names(await api.get(`/automations/related-to/prefect.deployment.${deployment}`))).toEqual(["a"]);
    expect(names(await api.get("/automations/related-to/prefect.deployment.owner"))).toEqual(["b"]);
    const gone = await api.call("DELETE", "/automations/owned-by/prefect.deployment.owner");
    expect(gone.status).toBe(202);
    await api.call("DELETE", `/automations/owned-by/prefect.deployment.${deployment}`);
    expect(names(await api.post("/automations/filter", {}))).toEqual(["a"]);
  });

  test.each([
    [{ trigger: EVENT, actions: [] }, ["body", "name"], "Field required"],
    [{ name: "a", trigger: EVENT, actions: [], more: 1 }, ["body", "more"], "Extra inputs are not permitted"],
    [
      { name: "a", trigger: { type: "event" }, actions: [] },
      ["body", "trigger", "EventTrigger", "posture"],
      "Field required",
    ],
    [
      { name: "a", trigger: { ...EVENT, posture: "Proactive", within: 5 }, actions: [] },
      ["body", "trigger", "EventTrigger"],
      "Value error, `within` for Proactive triggers must be greater than or equal to 10 seconds",
    ],
    [
      { name: "a", trigger: { ...EVENT, within: -1 }, actions: [] },
      ["body", "trigger", "EventTrigger", "within"],
      "Input should be greater than or equal to 0 seconds",
    ],
    [
      { name: "a", trigger: { ...EVENT, expect: "x" }, actions: [] },
      ["body", "trigger", "EventTrigger", "expect"],
      "Input should be a valid set",
    ],
    [
      { name: "a", trigger: EVENT, actions: [{ type: "run-deployment" }] },
      ["body", "actions", 0, "function-after[selected_deployment_requires_id(), RunDeployment]"],
      "Value error, deployment_id is required",
    ],
    [
      { name: "a", trigger: EVENT, actions: [{ type: "nothing" }] },
      ["body", "actions", 0, "DoNothing", "type"],
      "Input should be 'do-nothing'",
    ],
    [
      {
        name: "a",
        trigger: EVENT,
        actions: [{ type: "run-deployment", source: "inferred", parameters: { a: ["{{ x | nope }}"] } }],
      },
      [
        "body",
        "actions",
        0,
        "function-after[selected_deployment_requires_id(), RunDeployment]",
        "parameters",
      ],
      "Value error, Invalid parameters: \na[0]: Invalid jinja: No filter named 'nope'.",
    ],
    [
      {
        name: "a",
        trigger: EVENT,
        actions: [{ type: "call-webhook", block_document_id: NOBODY, payload: "{% if x %}" }],
      },
      ["body", "actions", 0, "CallWebhook", "payload"],
      "Value error, 'payload' is not a valid template: unexpected end of template",
    ],
    [
      {
        name: "a",
        trigger: { ...EVENT, expect: ["prefect.flow-run.*"] },
        actions: [{ type: "run-deployment", source: "inferred" }],
      },
      ["body"],
      "Value error, Running an inferred deployment from a flow run state change event starts flow runs without end. Please choose a specific deployment, and narrow the trigger's match or match_related with more labels.",
    ],
    [
      { name: "a", trigger: { type: "compound", triggers: [EVENT], within: null, require: 2 }, actions: [] },
      [
        "body",
        "trigger",
        "function-after[validate_require(), function-after[validate_require(), CompoundTrigger]]",
      ],
      "Value error, require must be less than or equal to the number of triggers",
    ],
  ])("refuse %j", async (body, loc, msg) => {
    const api = await startApi();
    const answer = await api.call("POST", "/automations/", body);
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({ exception_message: "Invalid request received.", request_body: body });
    expect(answer.body.exception_detail).toContainEqual(expect.objectContaining({ loc, msg }));
  });

  test("are not switched on when they would start runs without end", async () => {
    const api = await startApi();
    const { id } = await api.post("/automations/", {
      name: "a",
      enabled: false,
      trigger: { ...EVENT, expect: ["prefect.flow-run.Running"] },
      actions: [{ type: "run-deployment", deployment_id: NOBODY }],
    });
    const refused = await api.call("PATCH", `/automations/${id}`, { enabled: true });
    expect(refused.status).toBe(422);
    expect((await api.get(`/automations/${id}`)).enabled).toBe(false);
  });

  test("are refused when their job variables do not fit the pool, or their deployment is not there", async () => {
    const api = await startApi();
    const deployment = await deploy(api);
    const make = (id: string) =>
      api.call("POST", "/automations/", {
        name: "a",
        trigger: EVENT,
        actions: [{ type: "run-deployment", deployment_id: id, job_variables: { stream_output: "perhaps" } }],
      });
    const refused = await make(deployment);
    expect(refused.status).toBe(422);
    expect(refused.body.detail).toMatch(/^Error creating automation: .*perhaps/);
    expect(await make(NOBODY)).toMatchObject({ status: 404, body: { detail: "Deployment not found." } });
  });
});
