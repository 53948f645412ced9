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
});
