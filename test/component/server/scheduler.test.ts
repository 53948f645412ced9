import { describe, expect, test } from "vitest";

import { deploy, startApi } from "./api.ts";

import type { Api } from "./api.ts";

const SCHEDULER = {
  loopSeconds: 60,
  changesLoopSeconds: 0.02,
  minRuns: 3,
  maxRuns: 5,
  minScheduledTimeSeconds: 3600,
  maxScheduledTimeSeconds: 100 * 86_400,
};

interface ScheduledRun {
  readonly id: string;
  readonly next_scheduled_start_time: string;
  readonly parameters: Record<string, unknown>;
  readonly tags: readonly string[];
  readonly auto_scheduled: boolean;
  readonly created_by: { readonly type: string };
}

function scheduled(api: Api): Promise<ScheduledRun[]> {
  return api.post("/flow_runs/filter", {
    flow_runs: { state: { type: { any_: ["SCHEDULED"] } } },
    sort: "NEXT_SCHEDULED_START_TIME_ASC",
  });
}

describe("the scheduler", () => {
  test("makes runs ahead, once, with the schedule's parameters", async () => {
    const api = await startApi({ scheduler: SCHEDULER });
    const schedules = [
      { schedule: { cron: "0 9 * * *", timezone: "Europe/Berlin" }, parameters: { n: 2 }, slug: "daily" },
    ];
    await deploy(api, { schedules, parameters: { n: 1, m: 1 }, tags: ["x"] });
    await expect.poll(async () => (await scheduled(api)).length).toBe(3);
    const [first, second, third] = await scheduled(api);
    expect(first).toMatchObject({
      parameters: { n: 2, m: 1 },
      tags: ["auto-scheduled", "x"],
      auto_scheduled: true,
      created_by: { type: "SCHEDULE" },
    });
    const hours = [first, second, third].map((run) =>
      new Intl.DateTimeFormat("en-GB", {
        timeZone: "Europe/Berlin",
        hour: "2-digit",
        minute: "2-digit",
      }).format(new Date(run?.next_scheduled_start_time ?? "")),
    );
    expect(hours).toEqual(["09:00", "09:00", "09:00"]);
    // Looked at again, they are the same runs.
    await api.call("PATCH", `/flow_runs/${first?.id ?? ""}`, { name: "kept" });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await scheduled(api)).map(({ id }) => id)).toEqual([first?.id, second?.id, third?.id]);
  });

  test("covers an hour, but makes no more than the most", async () => {
    const api = await startApi({ scheduler: SCHEDULER });
    await deploy(api, { schedules: [{ schedule: { interval: 60, timezone: "UTC" } }] });
    await expect.poll(async () => (await scheduled(api)).length).toBe(5);
  });

  test("makes the runs anew when a schedule changes, and none while the deployment is paused", async () => {
    const api = await startApi({ scheduler: SCHEDULER });
    const id = await deploy(api, {
      schedules: [{ schedule: { interval: 86_400, anchor_date: "2026-01-01T01:00:00Z" } }],
    });
    await expect.poll(async () => (await scheduled(api)).length).toBe(3);
    const [schedule] = await api.get(`/deployments/${id}/schedules`);
    await api.call("PATCH", `/deployments/${id}/schedules/${schedule.id}`, {
      schedule: { interval: 86_400, anchor_date: "2026-01-01T02:00:00Z" },
    });
    await expect
      .poll(async () => (await scheduled(api)).map((run) => run.next_scheduled_start_time.slice(11, 16)))
      .toEqual(["02:00", "02:00", "02:00"]);
    await api.post(`/deployments/${id}/pause_deployment`, {});
    expect(await scheduled(api)).toEqual([]);
    await api.post(`/deployments/${id}/resume_deployment`, {});
    await expect.poll(async () => (await scheduled(api)).length).toBe(3);
    await api.call("DELETE", `/deployments/${id}/schedules/${schedule.id}`);
    expect(await scheduled(api)).toEqual([]);
  });

  test("makes runs of rules, and says whose they are", async () => {
    const api = await startApi({ scheduler: SCHEDULER });
    const rrule = { rrule: "FREQ=DAILY;BYHOUR=9", timezone: "Europe/Berlin" };
    await deploy(api, { schedules: [{ schedule: rrule }] });
    await expect.poll(async () => (await scheduled(api)).length).toBe(3);
    const [run] = await scheduled(api);
    expect(run?.created_by).toMatchObject({ type: "SCHEDULE", display_value: "RRuleSchedule" });
  });

  test("leaves the runs that are due, waiting or made by hand when a schedule changes; with the deployment they go", async () => {
    const api = await startApi({ scheduler: { ...SCHEDULER, changesLoopSeconds: 3600 } });
    const id = await deploy(api, { schedules: [{ schedule: { cron: "0 * * * *" }, parameters: { n: 1 } }] });
    await api.post(`/deployments/${id}/schedule`, {});
    await api.post(`/deployments/${id}/schedule`, {
      start_time: "2026-01-01T00:00:00Z",
      end_time: "2026-01-01T01:30:00Z",
    });
    const byHand = await api.post(`/deployments/${id}/create_flow_run`, {});
    expect(await scheduled(api)).toHaveLength(6);
    const [schedule] = await api.get(`/deployments/${id}/schedules`);
    await api.call("PATCH", `/deployments/${id}/schedules/${schedule.id}`, {
      active: false,
      max_scheduled_runs: 7,
      slug: "hourly",
    });
    expect(await api.get(`/deployments/${id}/schedules`)).toMatchObject([
      { active: false, max_scheduled_runs: 7, slug: "hourly", parameters: { n: 1 } },
    ]);
    expect(
      (await scheduled(api)).map((run) => run.next_scheduled_start_time.slice(0, 13)).slice(0, 2),
    ).toEqual(["2026-01-01T00", "2026-01-01T01"]);
    expect(await scheduled(api)).toHaveLength(3);
    await api.post(`/deployments/${id}/pause_deployment`, {});
    expect((await scheduled(api)).map((run) => run.id)).toEqual([byHand.id]);
    await api.call("DELETE", `/deployments/${id}`);
    expect(await scheduled(api)).toEqual([]);
  });
});

describe("runs of schedules on demand", () => {
  const schedules = [
    { schedule: { cron: "0 9 * * *", timezone: "UTC" }, slug: "nine" },
    { schedule: { cron: "0 10 * * *", timezone: "UTC" }, active: false },
  ];

  test("are made once for a span, also in the past and of a paused deployment", async () => {
    const api = await startApi({ scheduler: SCHEDULER });
    const id = await deploy(api, { schedules, paused: true });
    const span = { start_time: "2026-01-01T00:00:00Z", end_time: "2026-01-09T12:00:00Z", min_runs: 4 };
    for (const body of [span, span, { ...span, min_runs: 1, min_time: 86_400.5 }]) {
      const answer = await api.call("POST", `/deployments/${id}/schedule`, body);
      expect(answer).toMatchObject({ status: 200, body: null });
    }
    const runs = await scheduled(api);
    expect(runs.map((run) => run.next_scheduled_start_time.slice(0, 13))).toEqual(
      ["01", "02", "03", "04"].map((day) => `2026-01-${day}T09`),
    );
    expect(runs[0]).toMatchObject({ auto_scheduled: true, created_by: { display_value: "nine" } });
    // The usual bounds: three runs and an hour, five at most.
    await api.post(`/deployments/${id}/schedule`, {});
    expect(await scheduled(api)).toHaveLength(7);
    await api.post(`/deployments/${id}/schedule`, { min_runs: 100 });
    expect(await scheduled(api)).toHaveLength(9);
    const unknown = "0b9b51b0-0000-4000-8000-000000000000";
    expect((await api.call("POST", `/deployments/${unknown}/schedule`, {})).status).toBe(200);
    const wrong = await api.call("POST", `/deployments/${id}/schedule`, { start_time: "x" });
    expect(wrong.status).toBe(422);
  });

  test("are found by the deployments' ids, which makes those ready", async () => {
    const api = await startApi({ scheduler: SCHEDULER });
    const id = await deploy(api, { schedules, paused: true });
    await api.post(`/deployments/${id}/schedule`, { start_time: "2026-01-01T00:00:00Z", min_runs: 4 });
    const find = (body: Record<string, unknown>): Promise<{ status: number; body: ScheduledRun[] }> =>
      api.call("POST", "/deployments/get_scheduled_flow_runs", { deployment_ids: [id], ...body });
    const days = async (body: Record<string, unknown>): Promise<string[]> =>
      (await find(body)).body.map((run) => run.next_scheduled_start_time.slice(8, 10));
    expect(await days({})).toEqual(["01", "02", "03", "04"]);
    expect(await days({ limit: 1 })).toEqual(["01"]);
    expect(await days({ scheduled_before: "2026-01-02T09:00:00Z" })).toEqual(["01", "02"]);
    expect(await days({ deployment_ids: [] })).toEqual([]);
    const { status, last_polled } = await api.get(`/deployments/${id}`);
    expect([status, typeof last_polled]).toEqual(["READY", "string"]);
    expect((await find({ deployment_ids: undefined })).status).toBe(422);
    expect((await find({ deployment_ids: ["x"] })).status).toBe(422);
    expect((await find({ limit: 201 })).status).toBe(422);
  });
});

describe("schedules of a deployment", () => {
  test("are answered whole, as they are kept", async () => {
    const api = await startApi({ scheduler: SCHEDULER });
    const id = await deploy(api, { paused: true });
    const [cron, interval, rule] = await api.post(`/deployments/${id}/schedules`, [
      { schedule: { cron: "0 9 * * *" } },
      { schedule: { interval: "PT1H" }, max_scheduled_runs: 50 },
      { schedule: { rrule: "FREQ=DAILY" } },
    ]);
    expect(cron).toMatchObject({
      schedule: { cron: "0 9 * * *", timezone: null, day_or: true },
      active: true,
    });
    expect(interval).toMatchObject({ schedule: { interval: 3600, timezone: "UTC" }, max_scheduled_runs: 50 });
    expect(Date.now() - Date.parse(interval.schedule.anchor_date)).toBeLessThan(60_000);
    expect(rule.schedule).toEqual({ rrule: "DTSTART:20200101T000000\nFREQ=DAILY", timezone: "UTC" });
  });

  test.each([
    [
      { schedule: { cron: "60 * * * *" } },
      ["schedule", "CronSchedule", "cron"],
      /minute: 60 is outside 0-59/,
    ],
    [{ schedule: { interval: 0 } }, ["schedule", "IntervalSchedule", "interval"], /must be positive/],
    [{ schedule: { rrule: "FREQ=DAILY;INTERVAL=0" } }, ["schedule", "RRuleSchedule", "rrule"], /INTERVAL=0/],
    [{ schedule: { cron: "R/5 * * * *" } }, ["schedule", "CronSchedule", "cron"], /random/],
    [
      { schedule: { interval: 60, timezone: "Mars/Base" } },
      ["schedule", "IntervalSchedule", "timezone"],
      /IANA/,
    ],
    [{ schedule: {} }, ["schedule"], /one of cron, interval and rrule/],
    [{}, ["schedule"], /Field required/],
    [{ schedule: { interval: 60 }, max_scheduled_runs: 51 }, ["max_scheduled_runs"], /equal to 50/],
    [{ schedule: { interval: 60 }, max_scheduled_runs: 0 }, ["max_scheduled_runs"], /greater than 0/],
  ])("%o is refused, and nothing is changed", async (schedule, loc, message) => {
    const api = await startApi({ scheduler: SCHEDULER });
    const id = await deploy(api, { paused: true, schedules: [{ schedule: { cron: "0 9 * * *" } }] });
    const before = await api.get(`/deployments/${id}`);
    const body = { schedules: [schedule] };
    const [{ id: scheduleId }] = before.schedules;
    const requests: [method: string, path: string, body: unknown, at: (string | number)[]][] = [
      ["POST", `/deployments/${id}/schedules`, [schedule], ["body", 0]],
      ["POST", "/deployments/", { name: "dep", flow_id: before.flow_id, ...body }, ["body", "schedules", 0]],
    ];
    if ("schedule" in schedule) {
      requests.push(["PATCH", `/deployments/${id}`, body, ["body", "schedules", 0]]);
      requests.push(["PATCH", `/deployments/${id}/schedules/${scheduleId}`, schedule, ["body"]]);
    }
    for (const [method, path, request, at] of requests) {
      const { status, body: answer } = await api.call(method, path, request);
      expect([path, status]).toEqual([path, 422]);
      const msg = expect.stringMatching(message) as unknown;
      expect(answer.exception_detail[0]).toMatchObject({ loc: [...at, ...loc], msg });
    }
    expect(await api.get(`/deployments/${id}`)).toEqual(before);
  });
});
