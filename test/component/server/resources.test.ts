import { describe, expect, test } from "vitest";

import { deploy, poll, run, startApi } from "./api.ts";

const PENDING = { type: "PENDING", name: "Pending" };

describe("work pools", () => {
  test("come with a default queue and are made once", async () => {
    const api = await startApi();
    const pool = await api.post("/work_pools/", { name: "pool", type: "process" });
    expect(pool).toMatchObject({
      name: "pool",
      type: "process",
      is_paused: false,
      status: "NOT_READY",
      active_slots: null,
    });
    expect(pool.base_job_template.job_configuration.command).toBe("{{ command }}");
    const queues = await api.post("/work_pools/pool/queues/filter", {});
    expect(queues).toMatchObject([{ id: pool.default_queue_id, name: "default", priority: 1 }]);
    expect((await api.call("POST", "/work_pools/", { name: "pool", type: "process" })).status).toBe(409);
    expect((await api.call("POST", "/work_pools/", { name: "Prefect-x", type: "process" })).status).toBe(403);
    expect((await api.call("GET", "/work_pools/none")).status).toBe(404);
  });

  test("hand out runs by priority, then by time", async () => {
    const api = await startApi();
    const deployment = await deploy(api);
    await api.post("/work_pools/pool/queues", { name: "high", priority: 1 });
    const at = (seconds: number) => ({
      type: "SCHEDULED",
      state_details: { scheduled_time: new Date(Date.now() + seconds * 1000).toISOString() },
    });
    const later = await run(api, deployment, { state: at(2) });
    const sooner = await run(api, deployment, { state: at(1) });
    const urgent = await run(api, deployment, { state: at(3), work_queue_name: "high" });
    const far = await run(api, deployment, { state: at(3600) });
    expect(await poll(api)).toEqual([urgent, sooner, later]);
    expect(await poll(api, { limit: 2 })).toEqual([urgent, sooner]);
    expect(await poll(api, { work_queue_names: ["default"] })).toEqual([sooner, later]);
    expect(await poll(api, { scheduled_before: new Date(Date.now() + 7200_000).toISOString() })).toContain(
      far,
    );
    const unknown = await api.call("POST", "/work_pools/pool/get_scheduled_flow_runs", {
      work_queue_names: ["none"],
    });
    expect(unknown.status).toBe(404);
    expect((await api.call("POST", "/work_pools/pool/get_scheduled_flow_runs", { limit: 201 })).status).toBe(
      422,
    );
  });

  test("hand out no more than their limits and those of their queues allow, and nothing when paused", async () => {
    const api = await startApi();
    const deployment = await deploy(api);
    const runs = [await run(api, deployment), await run(api, deployment), await run(api, deployment)];
    await api.call("PATCH", "/work_pools/pool", { concurrency_limit: 2 });
    expect(await poll(api)).toHaveLength(2);
    await api.propose(runs[0] ?? "", PENDING);
    expect(await poll(api)).toHaveLength(1);
    expect((await api.get("/work_pools/pool")).active_slots).toBe(1);
    await api.call("PATCH", "/work_pools/pool", { concurrency_limit: null });
    expect(await poll(api)).toHaveLength(2);
    await api.call("PATCH", "/work_pools/pool/queues/default", { concurrency_limit: 2 });
    expect(await poll(api)).toHaveLength(1);
    await api.call("PATCH", "/work_pools/pool/queues/default", { is_paused: true });
    expect(await poll(api)).toEqual([]);
    await api.call("PATCH", "/work_pools/pool/queues/default", { is_paused: false });
    await api.call("PATCH", "/work_pools/pool", { is_paused: true });
    expect(await poll(api)).toEqual([]);
    expect((await api.get("/work_pools/pool")).status).toBe("PAUSED");
  });

  test("know which of their workers are there", async () => {
    const foreman = {
      loopSeconds: 0.02,
      inactivityHeartbeatMultiple: 1,
      fallbackHeartbeatIntervalSeconds: 1,
      deploymentLastPolledTimeoutSeconds: 0,
      workQueueLastPolledTimeoutSeconds: 0,
    };
    const api = await startApi({ foreman });
    await api.post("/work_pools/", { name: "pool", type: "process" });
    await api.call("POST", "/work_pools/pool/workers/heartbeat", {
      name: "w",
      heartbeat_interval_seconds: 1,
    });
    expect((await api.get("/work_pools/pool")).status).toBe("READY");
    const online = { workers: { status: { any_: ["ONLINE"] } } };
    expect(await api.post("/work_pools/pool/workers/filter", online)).toMatchObject([
      { name: "w", status: "ONLINE" },
    ]);
    await expect
      .poll(() => api.post("/work_pools/pool/workers/filter", online), { timeout: 5000 })
      .toEqual([]);
    expect((await api.get("/work_pools/pool")).status).toBe("NOT_READY");
  });
});

describe("deployments", () => {
  test("are changed by a second POST, and keep their id", async () => {
    const api = await startApi();
    const id = await deploy(api, { tags: ["a"], parameters: { x: 1 } });
    const flow = await api.post("/flows/", { name: "flow" });
    const again = await api.call("POST", "/deployments/", {
      name: "dep",
      flow_id: flow.id,
      work_pool_name: "pool",
      work_queue_name: "new",
      tags: ["b"],
    });
    expect([again.status, again.body.id, again.body.tags, again.body.parameters]).toEqual([
      200,
      id,
      ["b"],
      { x: 1 },
    ]);
    expect(again.body).toMatchObject({ work_pool_name: "pool", work_queue_name: "new" });
    expect((await api.get("/deployments/name/flow/dep")).id).toBe(id);
    expect(
      (await api.call("POST", "/deployments/", { name: "x", flow_id: flow.id, work_pool_name: "none" }))
        .status,
    ).toBe(404);
    expect((await api.call("DELETE", `/deployments/${id}`)).status).toBe(204);
    expect((await api.call("GET", `/deployments/${id}`)).status).toBe(404);
  });

  test("give their runs parameters, tags and labels, and numbers as they were written", async () => {
    const api = await startApi();
    const id = await deploy(api, { tags: ["a"], parameters: { x: 1, y: 2 }, labels: { team: "x" } });
    const response = await fetch(`${api.server.apiUrl}/deployments/${id}/create_flow_run`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"parameters":{"y":1.0,"big":12345678901234567890},"tags":["b"]}',
    });
    const text = await response.text();
    expect(text).toContain('"parameters":{"x":1,"y":1.0,"big":12345678901234567890}');
    expect(JSON.parse(text)).toMatchObject({
      tags: ["a", "b"],
      labels: { team: "x", "prefect.deployment.id": id },
    });
  });

  test("refuse a run without a required parameter", async () => {
    const api = await startApi();
    const schema = { type: "object", properties: { n: { type: "integer" } }, required: ["n"] };
    const id = await deploy(api, { parameter_openapi_schema: schema });
    expect((await api.call("POST", `/deployments/${id}/create_flow_run`, {})).status).toBe(409);
    expect(
      (await api.call("POST", `/deployments/${id}/create_flow_run`, { parameters: { n: 1 } })).status,
    ).toBe(201);
  });

  test("make one run per idempotency key", async () => {
    const api = await startApi();
    const id = await deploy(api);
    const [first, again] = [
      await run(api, id, { idempotency_key: "k" }),
      await run(api, id, { idempotency_key: "k" }),
    ];
    expect(again).toBe(first);
  });
});

describe("filters", () => {
  test("choose runs by what they are and by what they belong to", async () => {
    const api = await startApi();
    const deployment = await deploy(api);
    const [first, second] = [
      await run(api, deployment, { tags: ["x"] }),
      await run(api, deployment, { name: "Named Run" }),
    ];
    await api.propose(first, PENDING);
    const find = async (filter: Record<string, unknown>) =>
      (await api.post("/flow_runs/filter", { ...filter, sort: "EXPECTED_START_TIME_ASC" })).map(
        (found: { id: string }) => found.id,
      );
    expect(await find({})).toEqual([first, second]);
    expect(await find({ flow_runs: { state: { type: { any_: ["PENDING"] } } } })).toEqual([first]);
    expect(await find({ flow_runs: { state: { name: { not_any_: ["Pending"] } } } })).toEqual([second]);
    expect(await find({ flow_runs: { tags: { all_: ["x"] } } })).toEqual([first]);
    expect(await find({ flow_runs: { name: { like_: "named" } } })).toEqual([second]);
    expect(
      await find({ flow_runs: { operator: "or_", tags: { all_: ["x"] }, name: { like_: "named" } } }),
    ).toEqual([first, second]);
    expect(await find({ flows: { name: { any_: ["other"] } } })).toEqual([]);
    expect(
      await find({ work_pools: { name: { any_: ["pool"] } }, flow_runs: { id: { any_: [second] } } }),
    ).toEqual([second]);
    expect(await find({ limit: 1, offset: 1 })).toEqual([second]);
    expect((await api.call("POST", "/flow_runs/filter", { limit: 201 })).status).toBe(422);
    expect((await api.call("POST", "/flow_runs/filter", { flow_runs: { id: { any_: "x" } } })).status).toBe(
      422,
    );
    expect(await api.post("/flow_runs/count", { flow_runs: { tags: { all_: ["x"] } } })).toBe(1);
  });
});

describe("logs and variables", () => {
  test("are kept and found", async () => {
    const api = await startApi();
    const id = await run(api, await deploy(api));
    const line = (second: number, level: number) => ({
      name: "prefect.flow_runs",
      level,
      message: `line ${second}`,
      timestamp: `2026-01-01T00:00:0${second}.000001Z`,
      flow_run_id: id,
    });
    const written = await api.call("POST", "/logs/", [line(2, 20), line(1, 40)]);
    expect([written.status, written.body]).toEqual([201, null]);
    const messages = async (logs: Record<string, unknown>) =>
      (await api.post("/logs/filter", { logs, sort: "TIMESTAMP_ASC" })).map(
        (found: { message: string }) => found.message,
      );
    expect(await messages({ flow_run_id: { any_: [id] } })).toEqual(["line 1", "line 2"]);
    expect(await messages({ level: { ge_: 30 } })).toEqual(["line 1"]);
    await api.call("DELETE", `/flow_runs/${id}`);
    expect(await messages({})).toEqual([]);

    expect((await api.call("POST", "/variables/", { name: "v", value: { a: [1, null] } })).status).toBe(201);
    expect((await api.call("POST", "/variables/", { name: "v", value: 1 })).status).toBe(409);
    expect((await api.call("POST", "/variables/", { name: "Bad Name", value: 1 })).status).toBe(422);
    expect((await api.get("/variables/name/v")).value).toEqual({ a: [1, null] });
    expect((await api.call("PATCH", "/variables/name/v", { value: "x" })).status).toBe(204);
    expect(await api.post("/variables/filter", {})).toMatchObject([{ name: "v", value: "x" }]);
    expect((await api.call("DELETE", "/variables/name/v")).status).toBe(204);
    expect((await api.call("GET", "/variables/name/v")).status).toBe(404);
  });
});

describe("artifacts", () => {
  test("are versions of one thing where they share a key", async () => {
    const api = await startApi();
    const make = (data: unknown, key?: string) =>
      api.post("/artifacts/", { type: "markdown", data, ...(key === undefined ? {} : { key }) });
    await make("old", "report");
    const latest = await make("new", "report");
    await make({ x: 1.5 });
    expect((await api.get("/artifacts/report/latest")).data).toBe("new");
    expect(
      await api.post("/artifacts/filter", { artifacts: { key: { any_: ["report"] } }, sort: "CREATED_DESC" }),
    ).toMatchObject([{ data: "new" }, { data: "old" }]);
    expect(await api.post("/artifacts/latest/filter", {})).toMatchObject([
      { data: "new", latest_id: latest.id },
    ]);
    expect(await api.post("/artifacts/count", {})).toBe(3);
    expect((await api.call("PATCH", `/artifacts/${latest.id}`, { data: "newer" })).status).toBe(204);
    expect((await api.get(`/artifacts/${latest.id}`)).data).toBe("newer");
    expect((await api.call("DELETE", `/artifacts/${latest.id}`)).status).toBe(204);
    expect((await api.get("/artifacts/report/latest")).data).toBe("old");
  });
});
