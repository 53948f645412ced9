import { describe, it } from "vitest";

import { statusPage } from "./status-page.ts";
import { duration, statusOf, statusText } from "./status.ts";

const RHYTHM = { now: Date.parse("2026-01-02T03:04:05Z"), startedAt: 0, pollIntervalMs: 10_000 };
const FACTS = { version: "1.2.3", pid: 42, apiUrl: "http://127.0.0.1:4200/api" };
const RUN = {
  id: "11111111-2222-3333-4444-555555555555",
  name: '<b>proud</b> & "otter"',
  deploymentId: "d",
  deploymentName: "nightly",
  flowName: "etl",
  phase: "pull" as const,
  takenAt: RHYTHM.now - 70_000,
  phaseSince: RHYTHM.now - 65_400,
  waitingFor: "pull step 2 of 3 (git_clone)",
  pullStep: { number: 2, count: 3, name: "git_clone" },
  stopping: null,
};
const STATUS = statusOf(
  {
    state: "draining",
    name: "w",
    workPool: { name: "p", type: "process", isPaused: true, concurrencyLimit: 3 },
    workQueues: ["high"],
    slots: { limit: 4, inUse: 2 },
    startSlots: { limit: 2, inUse: 1 },
    lastPollAt: RHYTHM.now - 1000,
    isEventStreamConnected: true,
    launchObstacle: null,
    drainsUntil: RHYTHM.now + 30_000,
    lateLoops: [],
    runs: [RUN, { ...RUN, id: "2", name: "calm-fox", deploymentName: null, phase: "run" as const }],
  },
  RHYTHM,
  FACTS,
);

describe("status", () => {
  it("tells of every run in which phase it is, since when, and what it waits for", ({ expect }) => {
    expect(STATUS.flow_runs[0]).toEqual({
      id: RUN.id,
      name: RUN.name,
      deployment_id: "d",
      deployment: "nightly",
      flow: "etl",
      phase: "pull",
      phase_since: "2026-01-02T03:02:59.600Z",
      phase_seconds: 65.4,
      taken: "2026-01-02T03:02:55.000Z",
      waiting_for: "pull step 2 of 3 (git_clone)",
      pull_step: { number: 2, count: 3, name: "git_clone" },
      stopping: null,
    });
    expect(STATUS).toMatchObject({
      is_draining: true,
      drains_until: "2026-01-02T03:04:35.000Z",
      is_live: true,
      is_ready: false,
      slots: { limit: 4, in_use: 2 },
    });
  });

  it("as text: a summary, the worker, a line for each run", ({ expect }) => {
    expect(statusText(STATUS).split("\n")).toEqual([
      "Worker 'w' drains, for pool 'p': 2 flow runs (1 pull, 1 run), 2 of 4 slots. The worker is stopping and takes no more flow runs",
      "  up 20455d 3h, version 1.2.3, pid 42, API http://127.0.0.1:4200/api, last poll 2026-01-02T03:04:04.000Z, event stream connected",
      `  ${RUN.name} (${RUN.id}, etl/nightly): pull for 1m 05s, waiting for pull step 2 of 3 (git_clone)`,
      "  calm-fox (2, d): run for 1m 05s, waiting for pull step 2 of 3 (git_clone)",
    ]);
  });

  it("as a page: names cannot become markup, and nothing is asked of anywhere", ({ expect }) => {
    const page = statusPage(STATUS);
    expect(page).toContain("&lt;b&gt;proud&lt;/b&gt; &amp; &quot;otter&quot;");
    expect(page).toContain("etl/nightly");
    expect(page).toContain("<td>pull step 2 of 3 (git_clone)</td>");
    expect(page).not.toContain("<b>");
    expect(page).not.toMatch(/src=|href=|url\(|<script/);
  });

  it.for<[number, string]>([
    [0, "0s"],
    [59.9, "59s"],
    [60, "1m 00s"],
    [3725, "1h 2m"],
    [90_000, "1d 1h"],
  ])("%d seconds are %s", ([seconds, text], { expect }) => {
    expect(duration(seconds)).toBe(text);
  });
});
