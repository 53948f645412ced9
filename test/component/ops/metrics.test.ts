import { describe, it } from "vitest";

import { version } from "../../../src/cli/version.ts";
import { openScene } from "../worker/scene.ts";
import { watchedWorker } from "./watched-worker.ts";

/** The value of one series, undefined when it is not there. */
function valueOf(page: string, series: string): number | undefined {
  const line = page.split("\n").find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

describe("the metrics of a running worker", () => {
  it("tell of polls, claims, runs and API calls", async ({ expect }) => {
    await using scene = await openScene();
    const worker = await watchedWorker(scene, {
      args: ["--limit", "5"],
      env: { PREFECT_CLIENT_MAX_RETRIES: "3", LIGHTERMAN_CANCELLATION_POLL: "0.1s" },
    });
    const good = scene.script("exit 0");
    const bad = scene.script("exit 3");
    const endless = scene.script('echo here > "$HOME/started"; sleep 300');
    await scene.server.waitForEnd(good.id);
    await scene.server.waitForEnd(bad.id);
    await scene.written("started");
    // The others have ended on the server before they give up their slots.
    const { text: busy } = await worker.until(
      "/metrics",
      ({ text }) =>
        valueOf(text, 'lighterman_flow_runs{phase="run"}') === 1 &&
        valueOf(text, "lighterman_slots_in_use") === 1,
    );
    expect(valueOf(busy, "lighterman_slots")).toBe(5);

    scene.server.cancel(endless.id);
    await scene.server.waitForEnd(endless.id);
    const { text, contentType } = await worker.until(
      "/metrics",
      (page) => valueOf(page.text, 'lighterman_flow_runs_ended_total{result="cancelled"}') === 1,
    );
    expect(contentType).toBe("text/plain; version=0.0.4; charset=utf-8");
    const expected = {
      'lighterman_flow_runs_ended_total{result="completed"}': 1,
      'lighterman_flow_runs_ended_total{result="failed"}': 1,
      'lighterman_flow_runs_ended_total{result="crashed"}': 0,
      'lighterman_claims_total{outcome="claimed"}': 3,
      lighterman_cancellations_total: 1,
      'lighterman_flow_run_phase_duration_seconds_count{phase="launch"}': 3,
      'lighterman_flow_run_phase_duration_seconds_count{phase="report"}': 3,
      [`lighterman_build_info{version="${version}",node_version="${process.versions.node}"}`]: 1,
      lighterman_live: 1,
      lighterman_ready: 1,
      'lighterman_worker_state{state="running"}': 1,
    };
    for (const [series, value] of Object.entries(expected))
      expect([series, valueOf(text, series)]).toEqual([series, value]);
    expect(valueOf(text, 'lighterman_polls_total{outcome="answered"}')).toBeGreaterThan(0);
    expect(valueOf(text, 'lighterman_api_requests_total{resource="flow_runs",status="2xx"}')).toBeGreaterThan(
      5,
    );
    await worker.until(
      "/metrics",
      (page) => (valueOf(page.text, "lighterman_event_loop_lag_seconds_count") ?? 0) > 0,
    );
    expect(valueOf(text, "process_resident_memory_bytes")).toBeGreaterThan(20e6);
    expect(text).not.toMatch(
      new RegExp([good, bad, endless].map(({ id, name }) => `${id}|${name}`).join("|")),
    );
  });

  it("tell of errors, retries and failed polls", async ({ expect }) => {
    await using scene = await openScene();
    const worker = await watchedWorker(scene, {
      env: { PREFECT_WORKER_QUERY_SECONDS: "0.1", PREFECT_CLIENT_MAX_RETRIES: "1" },
    });
    const fault = scene.server.fault({
      method: "POST",
      path: /get_scheduled_flow_runs/,
      kind: "status",
      status: 503,
      headers: { "retry-after": "0" },
    });
    await worker.until(
      "/metrics",
      ({ text }) =>
        (valueOf(text, 'lighterman_polls_total{outcome="failed"}') ?? 0) > 0 &&
        (valueOf(text, 'lighterman_api_requests_total{resource="work_pools",status="5xx"}') ?? 0) > 1 &&
        (valueOf(text, "lighterman_api_retries_total") ?? 0) > 0,
    );
    fault.clear();
    await scene.server.goDown();
    await worker.until(
      "/metrics",
      ({ text }) =>
        (valueOf(text, 'lighterman_api_requests_total{resource="work_pools",status="none"}') ?? 0) > 0,
    );
    expect((await worker.get("/livez")).status).toBe(200);
  });

  it("tell whether the server's events come, and how often they stopped", async ({ expect }) => {
    await using scene = await openScene();
    const worker = await watchedWorker(scene);
    const isAt = (connected: number, opened: number, lost: number) => (page: { readonly text: string }) =>
      valueOf(page.text, "lighterman_event_stream_connected") === connected &&
      valueOf(page.text, 'lighterman_event_stream_changes_total{to="connected"}') === opened &&
      valueOf(page.text, 'lighterman_event_stream_changes_total{to="disconnected"}') === lost;
    await worker.until("/metrics", isAt(1, 1, 0));
    expect((await worker.get("/status")).json()["is_event_stream_connected"]).toBe(true);
    scene.server.eventSockets.drop();
    await worker.until("/metrics", isAt(1, 2, 1));
    scene.server.eventSockets.refuseWith = 403;
    scene.server.eventSockets.drop();
    await worker.until("/metrics", isAt(0, 2, 2));
    expect((await worker.get("/status")).json()["is_event_stream_connected"]).toBe(false);
    expect((await worker.get("/status", { accept: "text/html" })).text).toContain("not connected");
    // Polling does the work: that is no reason to call it ill.
    expect((await worker.get("/readyz")).status).toBe(200);
  });

  it("tell of claims that were refused, and of runs that crashed or were handed back", async ({ expect }) => {
    await using scene = await openScene();
    const body = { status: "ABORT", state: null, details: { type: "abort_details", reason: "not today" } };
    scene.server.fault({ method: "POST", path: /set_state$/, times: 1, kind: "status", status: 200, body });
    const worker = await watchedWorker(scene, { args: ["--drain-timeout", "0.1s"] });
    scene.script("exit 0");
    const isAt = (series: string) => (page: { readonly text: string }) => valueOf(page.text, series) === 1;
    await worker.until("/metrics", isAt('lighterman_claims_total{outcome="refused"}'));
    await scene.server.waitForEnd(scene.script("kill -KILL $$").id);
    await worker.until("/metrics", isAt('lighterman_flow_runs_ended_total{result="crashed"}'));

    const back = scene.engine("wait");
    const slow = scene.engine("deaf");
    for (const { id } of [back, slow]) await scene.server.waitForState(id, "RUNNING");
    // One that can't be reported keeps the worker, and its page, for a while.
    const held = scene.server.fault({
      method: "POST",
      path: new RegExp(`${slow.id}/set_state`),
      kind: "hold",
    });
    worker.process.signal("SIGTERM");
    await worker.until("/metrics", isAt('lighterman_flow_runs_ended_total{result="handed_back"}'));
    expect(scene.server.stateOf(back.id).name).toBe("AwaitingRetry");
    held.clear();
    expect((await worker.process.end()).code).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });

  it("tell of what an earlier worker left behind", async ({ expect }) => {
    await using scene = await openScene();
    const first = await scene.worker();
    const run = scene.script('echo here > "$HOME/started"; while [ ! -e "$HOME/go" ]; do sleep 0.02; done');
    await scene.written("started");
    first.signal("SIGKILL");
    await first.end();
    const worker = await watchedWorker(scene);
    const { text } = await worker.until(
      "/metrics",
      (page) => valueOf(page.text, 'lighterman_flow_runs{phase="adopted"}') === 1,
    );
    expect(valueOf(text, "lighterman_flow_runs_adopted_total")).toBe(1);
    await worker.until("/status", (page) => page.text.includes("the end of process"));
    scene.server.cancel(run.id);
    await scene.server.waitForEnd(run.id);
  });
});
