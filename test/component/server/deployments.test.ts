import { describe, expect, test } from "vitest";

import { deploy, run, startApi } from "./api.ts";

import type { Api } from "./api.ts";

const SCHEMA = {
  type: "object",
  properties: { n: { type: "integer" }, s: { type: "string", default: "x" } },
  required: ["n"],
};
const UNKNOWN = "dc6c2597-9119-4e71-b59c-b2a0e7c141b3";

/** Status and text of an answer that is an error. */
async function refusal(
  api: Api,
  method: string,
  path: string,
  body: unknown,
): Promise<[number, string | undefined]> {
  const answer = await api.call(method, path, body);
  return [answer.status, answer.body?.detail ?? answer.body?.exception_detail?.[0].msg];
}

function interval(seconds: number): object {
  return { interval: seconds, anchor_date: "2026-01-01T00:00:00Z", timezone: "UTC" };
}

describe("parameters", () => {
  test("of a run are checked against the schema, unless nobody wants that", async () => {
    const api = await startApi();
    const id = await deploy(api, { parameter_openapi_schema: SCHEMA, parameters: { s: "y" } });
    const path = `/deployments/${id}/create_flow_run`;
    expect(await refusal(api, "POST", path, {})).toEqual([
      409,
      "Error creating flow run: Validation failed. Failure reason: 'n' is a required property",
    ]);
    expect(await refusal(api, "POST", path, { parameters: { n: 1, s: 5 } })).toEqual([
      409,
      "Error creating flow run: Validation failed for field 's'. Failure reason: 5 is not of type 'string'",
    ]);
    expect((await api.post(path, { parameters: { n: 1, more: [] } })).parameters).toEqual({
      n: 1,
      s: "y",
      more: [],
    });
    expect((await api.post(path, { enforce_parameter_schema: false })).parameters).toEqual({ s: "y" });
  });

  test("may name what they stand for", async () => {
    const api = await startApi();
    await api.post("/variables/", { name: "count", value: 7 });
    const id = await deploy(api, { parameter_openapi_schema: SCHEMA });
    const parameters = {
      n: { __prefect_kind: "workspace_variable", variable_name: "count" },
      s: { __prefect_kind: "jinja", template: "{{ 6 * 7 }}" },
    };
    const { parameters: filled } = await api.post(`/deployments/${id}/create_flow_run`, { parameters });
    expect(filled).toEqual({ n: 7, s: "42" });
    parameters.n.variable_name = "no";
    expect(await refusal(api, "POST", `/deployments/${id}/create_flow_run`, { parameters })).toEqual([
      400,
      "Error hydrating flow run parameters: Variable 'no' not found in workspace.",
    ]);
    // A deployment's own are kept filled in once they are changed.
    expect((await api.call("PATCH", `/deployments/${id}`, { parameters: { s: parameters.s } })).status).toBe(
      204,
    );
    expect((await api.get(`/deployments/${id}`)).parameters).toEqual({ s: "42" });
  });

  test("of a deployment need not be complete, but what is there must fit", async () => {
    const api = await startApi();
    const wrong = { parameter_openapi_schema: SCHEMA, parameters: { n: "x" } };
    const id = await deploy(api, { parameter_openapi_schema: SCHEMA });
    const { flow_id } = await api.get(`/deployments/${id}`);
    expect(
      await refusal(api, "POST", "/deployments/", {
        name: "dep",
        flow_id,
        ...wrong,
        enforce_parameter_schema: true,
      }),
    ).toEqual([
      422,
      "Value error, Validation failed for field 'n'. Failure reason: 'x' is not of type 'integer'",
    ]);
    // A request that does not say so itself is not checked: Prefect looks at it when a run is made.
    expect((await api.call("POST", "/deployments/", { name: "other", flow_id, ...wrong })).status).toBe(201);
    expect(await refusal(api, "PATCH", `/deployments/${id}`, { parameters: { n: "x" } })).toEqual([
      409,
      "Error updating deployment: Validation failed for field 'n'. Failure reason: 'x' is not of type 'integer'",
    ]);
    expect((await api.call("PATCH", `/deployments/${id}`, { parameters: {} })).status).toBe(204);
    expect(
      await refusal(api, "POST", "/deployments/", {
        name: "dep",
        flow_id,
        parameter_openapi_schema: { type: "objekt" },
        enforce_parameter_schema: true,
      }),
    ).toEqual([
      422,
      "Value error, The provided schema is not a valid json schema. Schema error: 'objekt' is not valid under any of the given schemas",
    ]);
  });

  test("that are too large are refused", async () => {
    const api = await startApi();
    const path = `/deployments/${await deploy(api)}/create_flow_run`;
    const [status, message] = await refusal(api, "POST", path, { parameters: { s: "x".repeat(524_288) } });
    expect(status).toBe(422);
    expect(message).toContain("must be less than 524,288 bytes");
  });
});

describe("job variables", () => {
  const TEMPLATE = {
    job_configuration: { command: "{{ command }}", token: "{{ token }}" },
    variables: {
      type: "object",
      properties: {
        command: { type: "string", default: "true" },
        token: { type: "string" },
        size: { type: "integer", default: 1 },
      },
      required: ["token"],
    },
  };

  async function inPool(api: Api, base_job_template: object = TEMPLATE): Promise<string> {
    await api.post("/work_pools/", { name: "own", type: "test", base_job_template });
    return deploy(api, { work_pool_name: "own" });
  }

  test("must fit the pool's schema; those of a run must be complete too", async () => {
    const api = await startApi();
    const id = await inPool(api);
    const { flow_id } = await api.get(`/deployments/${id}`);
    const dep = { name: "dep", flow_id, work_pool_name: "own" };
    expect(await refusal(api, "POST", "/deployments/", { ...dep, job_variables: { token: 5 } })).toEqual([
      422,
      "Error creating deployment: Validation failed for field 'token'. Failure reason: 5 is not of type 'string'",
    ]);
    expect(
      await refusal(api, "PATCH", `/deployments/${id}`, {
        work_pool_name: "own",
        job_variables: { size: "x" },
      }),
    ).toEqual([409, "Error creating deployment: <ValidationError: \"'x' is not of type 'integer'\">"]);
    const path = `/deployments/${id}/create_flow_run`;
    expect(await refusal(api, "POST", path, { job_variables: { size: 2 } })).toEqual([
      422,
      "Error creating flow run: Validation failed. Failure reason: 'token' is a required property",
    ]);
    expect(
      (await api.post(path, { job_variables: { token: "t", size: null, other: 1 } })).job_variables,
    ).toEqual({
      token: "t",
      size: null,
      other: 1,
    });
    await api.post("/deployments/", { ...dep, job_variables: { token: "t" } });
    expect((await api.call("POST", path, {})).status).toBe(201);
  });

  test("follow a pool whose template changes", async () => {
    const api = await startApi();
    const path = `/deployments/${await inPool(api)}/create_flow_run`;
    expect((await api.call("POST", path, {})).status).toBe(422);
    const { token: _token, ...properties } = TEMPLATE.variables.properties;
    await api.call("PATCH", "/work_pools/own", {
      base_job_template: { job_configuration: { command: "{{ command }}" }, variables: { properties } },
    });
    expect((await api.call("POST", path, {})).status).toBe(201);
  });

  test("take a default from a block, and say when it is gone", async () => {
    const api = await startApi();
    const type = await api.post("/block_types/", { name: "Size", slug: "size" });
    const fields = { title: "Size", type: "object", properties: { value: { type: "integer" } } };
    const schema = await api.post("/block_schemas/", { fields, block_type_id: type.id });
    const block = await api.post("/block_documents/", {
      name: "big",
      data: { value: 3 },
      block_type_id: type.id,
      block_schema_id: schema.id,
    });
    const id = await inPool(api, {
      job_configuration: { size: "{{ size }}" },
      variables: {
        properties: { size: { type: "object", default: { $ref: { block_document_id: block.id } } } },
        required: ["size"],
      },
    });
    expect((await api.call("POST", `/deployments/${id}/create_flow_run`, {})).status).toBe(201);
    await api.call("DELETE", `/block_documents/${block.id}`);
    expect(await refusal(api, "POST", `/deployments/${id}/create_flow_run`, {})).toEqual([
      404,
      "Block not found.",
    ]);
  });

  test.for([
    [{ job_configuration: {} }, 422, "must contain both a `job_configuration` key and a `variables` key."],
    [
      { job_configuration: { a: "{{ lost }}" }, variables: { properties: { a: {} } } },
      422,
      "undeclared variable(s): lost.",
    ],
    [
      { job_configuration: { a: 1 }, variables: { properties: { a: { type: "integer", default: "x" } } } },
      422,
      "Validation failed for work pool's job variable defaults: Validation failed for field 'a'.",
    ],
    [
      { job_configuration: { a: 1 }, variables: { properties: { a: { type: "objekt" } } } },
      422,
      "Invalid schema: 'objekt' is not valid",
    ],
    [
      {
        job_configuration: { a: 1 },
        variables: { properties: { a: { default: { $ref: { block_document_id: UNKNOWN } } } } },
      },
      404,
      "Block not found.",
    ],
  ] as const)("of a pool are themselves checked: %j", async ([base_job_template, status, message]) => {
    const api = await startApi();
    const pool = { name: "own", type: "test", base_job_template };
    const refused = await refusal(api, "POST", "/work_pools/", pool);
    expect(refused[0]).toBe(status);
    expect(refused[1]).toContain(message);
  });
});

describe("schedules", () => {
  async function slugs(api: Api, id: string): Promise<Record<string, unknown>> {
    const { schedules } = await api.get(`/deployments/${id}`);
    return Object.fromEntries(
      schedules.map((schedule: { slug: string; schedule: { interval: number }; parameters: object }) => [
        schedule.slug,
        [schedule.schedule.interval, schedule.parameters],
      ]),
    );
  }

  test("with slugs are changed one by one, renamed and added; the others stay", async () => {
    const api = await startApi();
    const id = await deploy(api, {
      schedules: [
        { slug: "a", schedule: interval(60), parameters: { n: 1 } },
        { slug: "b", schedule: interval(70) },
      ],
    });
    const patch = async (schedules: object[]): Promise<void> => {
      expect(await api.call("PATCH", `/deployments/${id}`, { schedules })).toMatchObject({ status: 204 });
    };
    await patch([{ slug: "a", schedule: interval(61), parameters: { n: 2 } }]);
    expect(await slugs(api, id)).toEqual({ a: [61, { n: 2 }], b: [70, {}] });
    await patch([]);
    await patch([{ slug: "c", schedule: interval(80) }]);
    await patch([
      { slug: "b", replaces: "a" },
      { slug: "a", replaces: "b" },
    ]);
    expect(await slugs(api, id)).toEqual({ a: [70, {}], b: [61, {}], c: [80, {}] });
    await patch([{ slug: "d", replaces: "nobody", schedule: interval(90) }]);
    expect(Object.keys(await slugs(api, id)).toSorted()).toEqual(["a", "b", "c", "d"]);
  });

  test.for([
    [[{ schedule: interval(1) }], 422, "Please provide a slug for each schedule"],
    [[{ slug: "new" }], 422, "Unable to create new deployment schedules without a schedule configuration."],
    [
      [
        { slug: "x", replaces: "a" },
        { slug: "y", replaces: "a" },
      ],
      422,
      "Multiple schedules have 'replaces' targeting the same slug: a",
    ],
    [[{ slug: "b", replaces: "a" }], 422, "Cannot rename schedule from 'a' to 'b'"],
    [
      [
        { slug: "x", schedule: interval(1) },
        { slug: "x", schedule: interval(2) },
      ],
      409,
      "Schedule slugs must be unique within a deployment.",
    ],
    [[{ slug: "a", max_scheduled_runs: 51 }], 422, "must be less than or equal to 50."],
    [[{ slug: "a", max_scheduled_runs: 0 }], 422, "Input should be greater than 0"],
    [[{ slug: "a", timezone: "UTC" }], 422, "Extra inputs are not permitted"],
  ] as const)("are left as they are by %j", async ([schedules, status, message]) => {
    const api = await startApi();
    const id = await deploy(api, {
      schedules: [
        { slug: "a", schedule: interval(60) },
        { slug: "b", schedule: interval(70) },
      ],
    });
    const refused = await refusal(api, "PATCH", `/deployments/${id}`, { schedules, description: "never" });
    expect(refused[0]).toBe(status);
    expect(refused[1]).toContain(message);
    expect(await slugs(api, id)).toEqual({ a: [60, {}], b: [70, {}] });
    expect((await api.get(`/deployments/${id}`)).description).toBeNull();
  });

  test("without slugs are replaced as a whole, and by a second POST in any case", async () => {
    const api = await startApi();
    const id = await deploy(api, {
      schedules: [{ schedule: interval(60) }, { slug: "a", schedule: interval(61) }],
    });
    await api.call("PATCH", `/deployments/${id}`, { schedules: [{ slug: "b", schedule: interval(62) }] });
    expect(await slugs(api, id)).toEqual({ b: [62, {}] });
    await deploy(api, { description: "again" });
    expect(await slugs(api, id)).toEqual({});
  });

  test("are added, changed and deleted one by one; parameters that are not given stay", async () => {
    const api = await startApi();
    const id = await deploy(api);
    const [added] = await api.post(`/deployments/${id}/schedules`, [
      { slug: "a", schedule: interval(60), parameters: { n: 1 }, max_scheduled_runs: 2 },
    ]);
    expect(added).toMatchObject({ active: true, max_scheduled_runs: 2, parameters: { n: 1 } });
    expect(
      (await api.call("POST", `/deployments/${id}/schedules`, [{ slug: "a", schedule: interval(1) }])).status,
    ).toBe(409);
    const path = `/deployments/${id}/schedules/${added.id}`;
    expect((await api.call("PATCH", path, { active: false })).status).toBe(204);
    expect(await api.get(`/deployments/${id}/schedules`)).toMatchObject([
      { active: false, parameters: { n: 1 } },
    ]);
    expect((await api.call("DELETE", path)).status).toBe(204);
    expect(await refusal(api, "DELETE", path, undefined)).toEqual([404, "Schedule not found."]);
    expect(await refusal(api, "GET", `/deployments/${UNKNOWN}/schedules`, undefined)).toEqual([
      404,
      "Deployment not found.",
    ]);
  });
});

describe("a deployment", () => {
  test("that refers to what is not there is refused", async () => {
    const api = await startApi();
    const id = await deploy(api);
    const { flow_id } = await api.get(`/deployments/${id}`);
    const make = (fields: object) =>
      refusal(api, "POST", "/deployments/", { name: "dep", flow_id, ...fields });
    expect(await make({ work_pool_name: "no" })).toEqual([404, 'Work pool "no" not found.']);
    expect(await refusal(api, "PATCH", `/deployments/${id}`, { work_pool_name: "no" })).toEqual([
      404,
      'Work pool "no" not found.',
    ]);
    expect(await make({ global_concurrency_limit_id: UNKNOWN })).toEqual([
      404,
      "Concurrency limit not found",
    ]);
    expect((await make({ flow_id: UNKNOWN }))[0]).toBe(409);
    expect((await make({ storage_document_id: UNKNOWN }))[0]).toBe(409);
    expect((await make({ name: "a/b" }))[0]).toBe(422);
    expect(await make({ bogus: 1 })).toEqual([422, "Extra inputs are not permitted"]);
    expect(await make({ concurrency_options: { collision_strategy: "NO" } })).toEqual([
      422,
      "Input should be 'ENQUEUE' or 'CANCEL_NEW'",
    ]);
    expect(
      (await make({ concurrency_options: { collision_strategy: "ENQUEUE", grace_period_seconds: 59 } }))[0],
    ).toBe(422);
    expect((await make({ labels: { a: {} } }))[0]).toBe(422);
    expect((await make({ version_info: { type: "x" } }))[0]).toBe(422);
    expect((await make({ concurrency_limit: 1, global_concurrency_limit_id: UNKNOWN }))[0]).toBe(422);
  });

  test("that shares a global limit leaves it alone when it goes, or gets one of its own", async () => {
    const api = await startApi();
    const shared = await api.post("/v2/concurrency_limits/", { name: "shared", limit: 2 });
    const id = await deploy(api, { global_concurrency_limit_id: shared.id });
    expect((await api.get(`/deployments/${id}`)).global_concurrency_limit).toMatchObject({ name: "shared" });
    await api.call("PATCH", `/deployments/${id}`, { concurrency_limit: 5 });
    expect((await api.get(`/deployments/${id}`)).global_concurrency_limit).toMatchObject({
      name: `deployment:${id}`,
      limit: 5,
    });
    await api.call("PATCH", `/deployments/${id}`, { global_concurrency_limit_id: shared.id });
    expect((await api.call("GET", `/v2/concurrency_limits/deployment:${id}`)).status).toBe(404);
    await api.call("DELETE", `/deployments/${id}`);
    expect(await api.get("/v2/concurrency_limits/shared")).toMatchObject({ limit: 2 });
  });

  test("is taken out of its pool", async () => {
    const api = await startApi();
    const id = await deploy(api);
    await api.call("PATCH", `/deployments/${id}`, { work_pool_name: null });
    expect(await api.get(`/deployments/${id}`)).toMatchObject({ work_pool_name: null, work_queue_id: null });
    const path = `/deployments/${id}/create_flow_run`;
    expect((await refusal(api, "POST", path, { work_queue_name: "other" }))[0]).toBe(400);
  });

  test("is served without a pool: its runs are handed to whoever asks for them", async () => {
    const api = await startApi();
    const id = await deploy(api);
    const later = new Date(Date.now() + 3_600_000).toISOString();
    await run(api, id, { state: { type: "SCHEDULED", state_details: { scheduled_time: later } } });
    const first = await run(api, id);
    const path = "/deployments/get_scheduled_flow_runs";
    const found = await api.post(path, {
      deployment_ids: [id, UNKNOWN],
      scheduled_before: new Date().toISOString(),
    });
    expect(found.map((each: { id: string }) => each.id)).toEqual([first]);
    expect(await api.post(path, { deployment_ids: [id] })).toHaveLength(2);
    expect(await api.get(`/deployments/${id}`)).toMatchObject({ status: "READY" });
  });

  test("makes many runs at once; a bad one does not stop the others", async () => {
    const api = await startApi();
    const id = await deploy(api, { parameter_openapi_schema: SCHEMA });
    const path = `/deployments/${id}/create_flow_run/bulk`;
    const { results } = await api.post(path, [{ parameters: { n: 1 } }, {}, { parameters: { n: 2 } }]);
    expect(results).toMatchObject([
      { status: "CREATED", error: null },
      { status: "FAILED", flow_run_id: null },
      { status: "CREATED", error: null },
    ]);
    expect(results[1].error).toContain("'n' is a required property");
    expect(await api.post("/flow_runs/count", {})).toBe(2);
    expect(
      (
        await refusal(
          api,
          "POST",
          path,
          Array.from({ length: 101 }, () => ({})),
        )
      )[0],
    ).toBe(400);
    expect(await api.post(path, [])).toEqual({ results: [] });
    const filter = { deployments: { name: { any_: ["dep"] } } };
    expect(await api.post("/deployments/bulk_delete", filter)).toEqual({ deleted: [id] });
    expect(await api.post("/deployments/bulk_delete", filter)).toEqual({ deleted: [] });
    expect((await refusal(api, "POST", "/deployments/bulk_delete", { limit: 51 }))[0]).toBe(422);
  });

  test("tells what becomes of it by events", async () => {
    const api = await startApi();
    const id = await deploy(api, { concurrency_limit: 1 });
    await deploy(api, { concurrency_limit: 1 });
    await api.call("PATCH", `/deployments/${id}`, { job_variables: { a: 1 }, paused: true });
    await api.post("/deployments/get_scheduled_flow_runs", { deployment_ids: [id] });
    await api.call("DELETE", `/deployments/${id}`);
    const { events } = await api.post("/events/filter", {
      filter: { resource: { id: [`prefect.deployment.${id}`] }, order: "ASC" },
    });
    expect(events.map(({ event }: { event: string }) => event)).toEqual([
      "prefect.deployment.created",
      "prefect.deployment.updated",
      "prefect.deployment.ready",
      "prefect.deployment.deleted",
    ]);
    const [created, updated] = events;
    expect(
      created.related.map((resource: Record<string, string>) => resource["prefect.resource.role"]),
    ).toEqual(["flow", "work-queue", "work-pool", "concurrency-limit"]);
    expect(updated.payload).toEqual({
      updated_fields: ["paused", "infra_overrides"],
      updates: { paused: { from: false, to: true }, infra_overrides: { from: {}, to: { a: 1 } } },
    });
  });

  test("that is changed keeps a run that is due already", async () => {
    const api = await startApi({
      scheduler: {
        loopSeconds: 60,
        changesLoopSeconds: 3600,
        minRuns: 1,
        maxRuns: 1,
        minScheduledTimeSeconds: 1,
        maxScheduledTimeSeconds: 60,
      },
    });
    const id = await deploy(api);
    const due = await run(api, id);
    await api.call("PATCH", `/deployments/${id}`, { description: "new" });
    await api.post(`/deployments/${id}/pause_deployment`, {});
    expect(await api.get(`/flow_runs/${due}`)).toMatchObject({ state_type: "SCHEDULED" });
    expect((await api.call("POST", `/deployments/${UNKNOWN}/pause_deployment`, {})).status).toBe(404);
    await api.call("DELETE", `/deployments/${id}`);
    expect((await api.call("GET", `/flow_runs/${due}`)).status).toBe(404);
  });
});
