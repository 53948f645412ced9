import { describe, expect, test } from "vitest";

import { deploy, poll, run, startApi } from "./api.ts";

import type { Api } from "./api.ts";

const PENDING = { type: "PENDING", name: "Pending" };
const RUNNING = { type: "RUNNING", name: "Running" };

describe("claims", () => {
  test("are given once, however many ask at the same time", async () => {
    const api = await startApi();
    const id = await run(api, await deploy(api));
    const answers = await Promise.all(Array.from({ length: 8 }, () => api.propose(id, PENDING)));
    expect(answers.filter(({ body }) => body.status === "ACCEPT")).toHaveLength(1);
    expect(answers.find(({ body }) => body.status === "ABORT")?.body.details.reason).toBe(
      "This run is in a PENDING state and cannot transition to a PENDING state.",
    );
    const states = await api.get(`/flow_run_states/?flow_run_id=${id}`);
    expect(states.map((state: { type: string }) => state.type)).toEqual(["SCHEDULED", "PENDING"]);
  });

  test("keep the scheduled time and may be renamed", async () => {
    const api = await startApi();
    const id = await run(api, await deploy(api));
    const claimed = await api.propose(id, PENDING);
    const renamed = await api.propose(id, { type: "PENDING", name: "Submitting" });
    expect([claimed.status, renamed.status, renamed.body.status]).toEqual([201, 201, "ACCEPT"]);
    expect(renamed.body.state.state_details.scheduled_time).toBe(
      claimed.body.state.state_details.scheduled_time,
    );
  });

  test("that come again with the same transition id change nothing", async () => {
    const api = await startApi();
    const id = await run(api, await deploy(api));
    const state = { ...PENDING, state_details: { transition_id: "0c5b1a5e-5f0f-4f44-9a33-1d3b1f6a8f10" } };
    const first = await api.propose(id, state);
    const again = await api.propose(id, state);
    expect([again.status, again.body.status, again.body.state.id]).toEqual([
      200,
      "REJECT",
      first.body.state.id,
    ]);
  });
});

describe("a run", () => {
  test("waits for its time", async () => {
    const api = await startApi();
    const later = new Date(Date.now() + 60_000).toISOString();
    const id = await run(api, await deploy(api), {
      state: { type: "SCHEDULED", state_details: { scheduled_time: later } },
    });
    await api.propose(id, PENDING);
    const { status, body } = await api.propose(id, RUNNING);
    expect([status, body.status, body.state.type]).toEqual([200, "WAIT", "PENDING"]);
    expect(body.details.delay_seconds).toBeGreaterThan(50);
    expect(body.details.delay_seconds).toBeLessThanOrEqual(60);
  });

  test("is retried by its engine, and by no worker meanwhile", async () => {
    const api = await startApi();
    const id = await run(api, await deploy(api));
    await api.propose(id, PENDING);
    await api.call("PATCH", `/flow_runs/${id}`, { empirical_policy: { retries: 1, retry_delay: 0 } });
    await api.propose(id, RUNNING);
    const failed = await api.propose(id, { type: "FAILED", message: "no" });
    expect([failed.status, failed.body.status, failed.body.state.name]).toEqual([
      201,
      "REJECT",
      "AwaitingRetry",
    ]);
    expect(await poll(api)).toEqual([]);
    await api.propose(id, RUNNING);
    const ended = await api.propose(id, { type: "FAILED", message: "no" });
    expect(ended.body.status).toBe("ACCEPT");
    expect(await api.get(`/flow_runs/${id}`)).toMatchObject({ state_type: "FAILED", run_count: 2 });
  });

  test("that has ended stays as it is", async () => {
    const api = await startApi();
    const id = await run(api, await deploy(api));
    await api.propose(id, PENDING);
    await api.propose(id, RUNNING);
    await api.propose(id, { type: "COMPLETED" });
    for (const type of ["CRASHED", "CANCELLING", "PAUSED"]) {
      const { body } = await api.propose(id, { type });
      expect([body.status, body.details.reason]).toEqual([
        "ABORT",
        "Run is already in terminal state COMPLETED.",
      ]);
    }
    const ended = await api.get(`/flow_runs/${id}`);
    expect(ended.start_time <= ended.end_time).toBe(true);
    // Started anew by hand, it comes to the workers again.
    expect((await api.propose(id, { type: "SCHEDULED" })).body.status).toBe("ACCEPT");
    expect(await poll(api)).toEqual([id]);
    expect(await api.get(`/flow_runs/${id}`)).toMatchObject({
      end_time: null,
      empirical_policy: { retry_type: "reschedule" },
    });
  });

  test("is cancelled at once where nothing runs, and through CANCELLING where something does", async () => {
    const api = await startApi();
    const deployment = await deploy(api);
    const waiting = await run(api, deployment);
    const atOnce = await api.propose(waiting, { type: "CANCELLING" });
    expect([atOnce.body.status, atOnce.body.state.type]).toEqual(["REJECT", "CANCELLED"]);
    const busy = await run(api, deployment);
    await api.propose(busy, PENDING);
    await api.propose(busy, RUNNING);
    expect((await api.propose(busy, { type: "CANCELLING" })).body.status).toBe("ACCEPT");
    expect((await api.propose(busy, { type: "COMPLETED" })).body).toMatchObject({
      status: "REJECT",
      state: { type: "CANCELLING" },
    });
    expect((await api.propose(busy, { type: "CANCELLED" })).body.status).toBe("ACCEPT");
  });

  test("is paused, resumed, and fails when nobody resumes it in time", async () => {
    const api = await startApi({ pauseExpirations: { loopSeconds: 0.02 } });
    const id = await run(api, await deploy(api));
    expect((await api.propose(id, { type: "PAUSED" })).body.status).toBe("REJECT");
    await api.propose(id, PENDING);
    await api.propose(id, RUNNING);
    const pause = {
      type: "PAUSED",
      state_details: { pause_key: "a", pause_timeout: new Date(Date.now() + 60_000).toISOString() },
    };
    expect((await api.propose(id, pause)).body.status).toBe("ACCEPT");
    expect((await api.post(`/flow_runs/${id}/resume`, {})).state.type).toBe("RUNNING");
    expect((await api.propose(id, pause)).body.details.reason).toBe("This pause has already fired.");
    expect(await api.get(`/flow_runs/${id}`)).toMatchObject({ run_count: 2 });
    await api.propose(id, {
      type: "PAUSED",
      state_details: { pause_key: "b", pause_timeout: new Date(Date.now() - 1).toISOString() },
    });
    await expect.poll(async () => (await api.get(`/flow_runs/${id}`)).state_type).toBe("FAILED");
  });

  test("goes on with the input that it has asked for, and with no other", async () => {
    const api = await startApi();
    const id = await run(api, await deploy(api));
    expect((await api.call("POST", `/flow_runs/${id}/resume`, {})).body).toEqual({
      state: null,
      status: "ABORT",
      details: { type: "abort_details", reason: "Cannot resume a flow run that is not paused." },
    });
    await api.propose(id, PENDING);
    await api.propose(id, RUNNING);
    const keyset = { description: "d", response: "in-response", schema: "in-schema" };
    await api.propose(id, { type: "PAUSED", state_details: { pause_key: "a", run_input_keyset: keyset } });
    const resume = async (run_input?: object) => {
      const { status, body } = await api.call("POST", `/flow_runs/${id}/resume`, { run_input });
      return [status, body.status, body.details.type, body.details.reason ?? body.state.type];
    };
    expect(await resume({ n: 1 })).toEqual([200, "REJECT", "abort_details", "Run input schema not found."]);
    const schema = { type: "object", properties: { n: { type: "integer" } }, required: ["n"] };
    await api.post(`/flow_runs/${id}/input`, { key: "in-schema", value: JSON.stringify(schema) });
    expect(await resume({ n: "x" })).toEqual([
      200,
      "REJECT",
      "abort_details",
      "Reason: Validation failed for field 'n'. Failure reason: 'x' is not of type 'integer'",
    ]);
    expect((await resume())[3]).toContain("'n' is a required property");
    const filled = { n: { __prefect_kind: "json", value: "5" } };
    expect(await resume(filled)).toEqual([201, "ACCEPT", "accept_details", "RUNNING"]);
    // Its engine reads the text as it was written.
    expect(await api.get(`/flow_runs/${id}/input/in-response`)).toEqual({ n: 5 });
  });

  test("keeps a result that was persisted, whoever forces what", async () => {
    const api = await startApi();
    const id = await run(api, await deploy(api));
    await api.propose(id, { type: "COMPLETED", data: { type: "x" } }, true);
    for (const isForced of [false, true]) {
      const { body } = await api.propose(id, { type: "COMPLETED" }, isForced);
      expect([body.status, body.details.reason]).toEqual([
        "REJECT",
        "Cannot overwrite a COMPLETED state that carries persisted result data with one that does not.",
      ]);
    }
    expect((await api.propose(id, RUNNING)).body.details.reason).toBe("Run is already COMPLETED.");
    expect((await api.propose(id, { type: "COMPLETED", data: { type: "y" } })).body.status).toBe("ACCEPT");
    const waiting = await run(api, await deploy(api));
    expect((await api.propose(waiting, { type: "CANCELLING" }, true)).body).toMatchObject({
      status: "REJECT",
      state: { type: "CANCELLED" },
    });
  });

  test("is named Late when nobody takes it", async () => {
    const api = await startApi({ lateRuns: { loopSeconds: 0.02, afterSeconds: 0 } });
    const id = await run(api, await deploy(api));
    await expect.poll(async () => (await api.get(`/flow_runs/${id}`)).state_name).toBe("Late");
    expect(await poll(api)).toEqual([id]);
    const again = await api.propose(id, { type: "SCHEDULED", name: "Late" });
    expect(again.body.details.reason).toBe("This flow run is already marked late.");
    await api.propose(id, PENDING);
    const busy = await api.propose(id, { type: "SCHEDULED", name: "Late" });
    expect(busy.body.details.reason).toBe("Only scheduled flows can be marked late.");
  });
});

describe("the concurrency limit of a deployment", () => {
  /** An engine that renews its leases, and one that does not. */
  const [NEW, OLD] = ["prefect/3.8.8 (API 0.8.4)", "prefect/3.4.10 (API 0.8.4)"] as const;

  const start = (api: Api, id: string, client: string) =>
    api.call("POST", `/flow_runs/${id}/set_state`, { state: RUNNING }, { "user-agent": client });

  const slots = async (api: Api, deployment: string): Promise<number> =>
    (await api.get(`/deployments/${deployment}`)).global_concurrency_limit.active_slots;

  test("lets a run start whose lease has expired only where a slot is still free", async () => {
    const api = await startApi({
      leases: { loopSeconds: 0.02 },
      initialDeploymentLeaseDurationSeconds: 0.01,
    });
    const deployment = await deploy(api, { concurrency_limit: 1 });
    const [first, second] = [await run(api, deployment), await run(api, deployment)];
    const claimed = await api.propose(first, PENDING);
    await expect.poll(() => slots(api, deployment)).toBe(0);
    const started = await start(api, first, NEW);
    const lease = (answer: typeof started): string =>
      answer.body.state.state_details.deployment_concurrency_lease_id;
    expect([started.body.status, lease(started) === lease(claimed)]).toEqual(["ACCEPT", false]);
    await expect.poll(() => slots(api, deployment)).toBe(0);
    await api.propose(second, PENDING);
    await expect.poll(() => slots(api, deployment)).toBe(0);
    // Somebody else has taken it, and keeps it.
    await api.post("/v2/concurrency_limits/increment", { names: [`deployment:${deployment}`], slots: 1 });
    const lost = await start(api, second, NEW);
    expect([lost.body.status, lost.body.state.type, lost.body.details.reason]).toEqual([
      "REJECT",
      "CANCELLED",
      "Deployment concurrency limit reached after lease expiry.",
    ]);
    // What the runs had lost they do not give back a second time.
    await api.propose(first, { type: "COMPLETED" });
    expect(await slots(api, deployment)).toBe(1);
  });

  test("is held to the run's end by an engine that does not renew its lease", async () => {
    const api = await startApi({
      leases: { loopSeconds: 0.02 },
      initialDeploymentLeaseDurationSeconds: 1,
    });
    const deployment = await deploy(api, { concurrency_limit: 2 });
    const [old, other] = [await run(api, deployment), await run(api, deployment)];
    await api.propose(old, PENDING);
    await start(api, old, OLD);
    await api.propose(other, PENDING);
    await expect.poll(() => slots(api, deployment), { timeout: 10_000 }).toBe(1);
    expect((await api.get(`/flow_runs/${old}`)).state_type).toBe("RUNNING");
    await api.propose(old, { type: "COMPLETED" });
    expect(await slots(api, deployment)).toBe(0);
  });

  test("cancels what comes too many even where nobody claims it", async () => {
    const api = await startApi({ lateRuns: { loopSeconds: 0.02, afterSeconds: 0 } });
    const deployment = await deploy(api, {
      concurrency_limit: 1,
      concurrency_options: { collision_strategy: "CANCEL_NEW" },
    });
    await api.propose(await run(api, deployment), PENDING);
    const second = await run(api, deployment);
    await expect.poll(async () => (await api.get(`/flow_runs/${second}`)).state_type).toBe("CANCELLED");
  });

  test("puts a claim off, and gives the slot back at the end of a run", async () => {
    const api = await startApi();
    const deployment = await deploy(api, { concurrency_limit: 1 });
    const [first, second] = [await run(api, deployment), await run(api, deployment)];
    const claimed = await api.propose(first, PENDING);
    const lease = claimed.body.state.state_details.deployment_concurrency_lease_id;
    expect(lease).toEqual(expect.any(String));
    const full = await api.propose(second, PENDING);
    expect([full.body.status, full.body.state.name]).toEqual(["REJECT", "AwaitingConcurrencySlot"]);
    await api.propose(first, { type: "PENDING", name: "Submitting" });
    const running = await api.propose(first, RUNNING);
    expect(running.body.state.state_details.deployment_concurrency_lease_id).toBe(lease);
    expect(
      (await api.call("POST", `/v2/concurrency_limits/leases/${lease}/renew`, { lease_duration: 60 })).status,
    ).toBe(204);
    await api.propose(first, { type: "COMPLETED" });
    expect((await api.propose(second, PENDING)).body.status).toBe("ACCEPT");
  });

  test("cancels what comes too many, where it is told so", async () => {
    const api = await startApi();
    const deployment = await deploy(api, {
      concurrency_limit: 1,
      concurrency_options: { collision_strategy: "CANCEL_NEW" },
    });
    await api.propose(await run(api, deployment), PENDING);
    const { body } = await api.propose(await run(api, deployment), PENDING);
    expect([body.status, body.state.type]).toEqual(["REJECT", "CANCELLED"]);
  });

  test("gives the slot of a holder back that is gone", async () => {
    const api = await startApi({
      leases: { loopSeconds: 0.02 },
      initialDeploymentLeaseDurationSeconds: 0.01,
    });
    const deployment = await deploy(api, { concurrency_limit: 1 });
    await api.propose(await run(api, deployment), PENDING);
    await expect
      .poll(async () => (await api.get(`/deployments/${deployment}`)).global_concurrency_limit.active_slots)
      .toBe(0);
  });
});

describe("global concurrency limits", () => {
  test("give so many slots and no more", async () => {
    const api = await startApi();
    await api.post("/v2/concurrency_limits/", { name: "db", limit: 2 });
    const take = () =>
      api.call("POST", "/v2/concurrency_limits/increment-with-lease", {
        names: ["db", "unknown"],
        slots: 1,
        mode: "concurrency",
        lease_duration: 60,
      });
    const [first, second, third] = [await take(), await take(), await take()];
    expect([first.status, second.status, third.status]).toEqual([200, 200, 423]);
    expect(Number(third.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect(first.body.limits).toEqual([{ id: expect.any(String), name: "db", limit: 2 }]);
    await api.call("POST", "/v2/concurrency_limits/decrement-with-lease", { lease_id: first.body.lease_id });
    expect((await take()).status).toBe(200);
  });

  test("refuse what never fits", async () => {
    const api = await startApi();
    await api.post("/v2/concurrency_limits/", { name: "db", limit: 1 });
    expect(
      (await api.call("POST", "/v2/concurrency_limits/increment", { names: ["db"], slots: 2 })).status,
    ).toBe(422);
  });
});

describe("limits by tag", () => {
  const [FIRST, SECOND] = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"];

  test("are global limits in another form", async () => {
    const api = await startApi();
    const made = await api.call("POST", "/concurrency_limits/", { tag: "db", concurrency_limit: 2 });
    expect([made.status, made.body]).toMatchObject([
      201,
      { tag: "db", concurrency_limit: 2, active_slots: [] },
    ]);
    expect((await api.call("POST", "/concurrency_limits/", { tag: "db", concurrency_limit: 1 })).status).toBe(
      200,
    );
    expect(await api.get("/v2/concurrency_limits/tag:db")).toMatchObject({ id: made.body.id, limit: 1 });
    await api.post("/v2/concurrency_limits/", { name: "no-tag", limit: 1 });
    expect(await api.post("/concurrency_limits/filter", {})).toMatchObject([
      { tag: "db", concurrency_limit: 1 },
    ]);
    expect((await api.call("DELETE", `/concurrency_limits/${made.body.id}`)).status).toBe(200);
    expect((await api.call("GET", "/concurrency_limits/tag/db")).status).toBe(404);
  });

  test("know which task runs have their slots, by whichever API those took them", async () => {
    const api = await startApi({ tagConcurrencySlotWaitSeconds: 7 });
    await api.post("/concurrency_limits/", { tag: "db", concurrency_limit: 2 });
    await api.post("/concurrency_limits/increment", { names: ["db", "other"], task_run_id: FIRST });
    const { lease_id } = await api.post("/v2/concurrency_limits/increment-with-lease", {
      names: ["tag:db"],
      slots: 1,
      holder: { type: "task_run", id: SECOND },
    });
    expect((await api.get("/concurrency_limits/tag/db")).active_slots).toEqual([FIRST, SECOND]);
    const full = await api.call("POST", "/concurrency_limits/increment", {
      names: ["db"],
      task_run_id: SECOND,
    });
    expect([full.status, full.headers.get("retry-after"), full.body.detail]).toEqual([
      423,
      "7",
      "Concurrency limit for the db tag has been reached",
    ]);
    await api.call("POST", "/v2/concurrency_limits/decrement-with-lease", { lease_id });
    await api.post("/concurrency_limits/decrement", { names: ["db"], task_run_id: FIRST });
    expect(await api.get("/v2/concurrency_limits/tag:db")).toMatchObject({ active_slots: 0 });
    await api.post("/concurrency_limits/tag/db/reset", { slot_override: [SECOND] });
    expect((await api.get("/concurrency_limits/tag/db")).active_slots).toEqual([SECOND]);
    await api.post("/concurrency_limits/tag/db/reset", {});
    expect(await api.get("/v2/concurrency_limits/tag:db")).toMatchObject({ active_slots: 0 });
  });

  test("of nothing, or one of several that is full, take no slot", async () => {
    const api = await startApi();
    await api.post("/concurrency_limits/", { tag: "a", concurrency_limit: 1 });
    await api.post("/concurrency_limits/", { tag: "b", concurrency_limit: 1 });
    await api.post("/concurrency_limits/increment", { names: ["b"], task_run_id: FIRST });
    const take = (names: string[]) =>
      api.call("POST", "/concurrency_limits/increment", { names, task_run_id: SECOND });
    expect((await take(["a", "b"])).status).toBe(423);
    expect(await api.get("/v2/concurrency_limits/tag:a")).toMatchObject({ active_slots: 0 });
    await api.post("/concurrency_limits/", { tag: "a", concurrency_limit: 0 });
    expect((await take(["a"])).body.detail).toContain('The concurrency limit on tag "a" is 0');
  });
});
