import { describe, expect, test } from "vitest";

import { deploy, poll, run, startApi } from "./api.ts";

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
    expect(await api.get(`/flow_runs/${id}`)).toMatchObject({ run_count: 1 });
    await api.propose(id, {
      type: "PAUSED",
      state_details: { pause_key: "b", pause_timeout: new Date(Date.now() - 1).toISOString() },
    });
    await expect.poll(async () => (await api.get(`/flow_runs/${id}`)).state_type).toBe("FAILED");
  });

  test("is named Late when nobody takes it", async () => {
    const api = await startApi({ lateRuns: { loopSeconds: 0.02, afterSeconds: 0 } });
    const id = await run(api, await deploy(api));
    await expect.poll(async () => (await api.get(`/flow_runs/${id}`)).state_name).toBe("Late");
    expect(await poll(api)).toEqual([id]);
  });
});

describe("the concurrency limit of a deployment", () => {
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
    const api = await startApi({ leases: { loopSeconds: 0.02 } });
    const deployment = await deploy(api, {
      concurrency_limit: 1,
      concurrency_options: { grace_period_seconds: 0.01 },
    });
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
