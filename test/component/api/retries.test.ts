import { describe, it } from "vitest";

import { ApiError, UndecodableResponseError } from "../../../src/api/errors.ts";
import { startFakePrefectServer } from "../../support/fake-prefect-server.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { failureOf, testClient } from "./client.ts";

import type { RetryNotice } from "../../../src/api/http.ts";

const POLL = { workQueueNames: [], scheduledBefore: new Date(0) };

describe("retries of the API client", () => {
  it("waits 2, 4, 8, 16, 32 s and then gives the last answer", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    const clock = new FakeClock();
    const notices: RetryNotice[] = [];
    await using client = testClient({
      apiUrl: server.apiUrl,
      clock,
      random: () => 0.5,
      onRetry: (notice) => notices.push(notice),
    });
    const fault = server.fault({ path: "/work_pools/p", kind: "status", status: 503 });
    const failure = failureOf(client.readWorkPool("p"));
    for (let wait = 0; wait < 5; wait += 1) {
      await clock.sleeping();
      await clock.advance(clock.nextWakeMs ?? 0);
    }
    expect(await failure).toMatchObject({ status: 503, retryable: true, detail: "scripted 503" });
    expect(notices.map(({ attempt, delayMs }) => [attempt, delayMs])).toEqual([
      [1, 2000],
      [2, 4000],
      [3, 8000],
      [4, 16_000],
      [5, 32_000],
    ]);
    expect(fault.hits).toBe(6);
  });

  it("takes Retry-After for a minimum, in seconds or as a date", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    const clock = new FakeClock(Date.parse("2026-11-23T12:00:00Z"));
    const delays: number[] = [];
    await using client = testClient({
      apiUrl: server.apiUrl,
      clock,
      random: () => 1,
      onRetry: ({ delayMs }) => delays.push(delayMs),
    });
    for (const value of ["7", "Mon, 23 Nov 2026 12:01:07 GMT"]) {
      server.fault({ kind: "status", status: 429, times: 1, headers: { "retry-after": value } });
    }
    server.addWorkPool({ name: "p" });
    const pool = client.readWorkPool("p");
    await clock.sleeping();
    await clock.advance(8400);
    await clock.sleeping();
    await clock.advance(clock.nextWakeMs ?? 0);
    expect(await pool).toMatchObject({ name: "p" });
    expect(delays).toEqual([8400, 70_320]);
  });

  it("tries a registration again at once that the server's database refused", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    const clock = new FakeClock();
    const delays: number[] = [];
    const onRetry = ({ delayMs }: RetryNotice): void => void delays.push(delayMs);
    await using client = testClient({ apiUrl: server.apiUrl, clock, onRetry });
    server.fault({ path: "/flows/", kind: "status", status: 503, times: 2 });
    const failure = failureOf(client.createFlow("f"));
    for (let wait = 0; wait < 2; wait += 1) {
      await clock.sleeping();
      await clock.advance(clock.nextWakeMs ?? 0);
    }
    expect(await failure).toMatchObject({ status: 404 }); // the third answer: this server knows no flows
    expect(delays).toEqual([25, 50]);
  });

  it("does not count answers under maintenance", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    const clock = new FakeClock();
    await using client = testClient({ apiUrl: server.apiUrl, clock, maxRetries: 1 });
    const headers = { "prefect-maintenance": "true" };
    server.fault({ kind: "status", status: 503, times: 4, headers });
    const pool = client.readWorkPool("p");
    for (let wait = 0; wait < 4; wait += 1) {
      await clock.sleeping();
      await clock.advance(1200);
    }
    expect(await pool).toBeNull();
  });

  it("retries extra codes only where they are set, and other statuses never", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    const clock = new FakeClock();
    await using client = testClient({ apiUrl: server.apiUrl, clock, retryExtraCodes: [500] });
    server.fault({ kind: "status", status: 500, times: 1 });
    server.fault({ kind: "status", status: 504, times: 1 });
    const failure = failureOf(client.readWorkPool("p"));
    await clock.sleeping();
    await clock.advance(2400);
    expect(await failure).toMatchObject({ status: 504 });
  });

  it("fails at once when nothing listens, but keeps trying where it was connected before", async ({
    expect,
  }) => {
    const server = await startFakePrefectServer();
    const clock = new FakeClock();
    await using client = testClient({ apiUrl: server.apiUrl, clock });
    await server.goDown();
    const failure = await failureOf(client.health());
    expect(failure).toMatchObject({ code: "API_UNREACHABLE", failure: "connect" });
    expect(String(failure)).toContain(`No answer to GET /health: connection refused at ${server.apiUrl}`);

    await server.listen();
    await client.health();
    await server.goDown();
    const later = client.health();
    await clock.sleeping();
    await server.listen();
    await clock.advance(2400);
    await later;
    await server[Symbol.asyncDispose]();
  });

  it("ends a wait, and a request, at once with the caller's signal", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    const clock = new FakeClock();
    await using client = testClient({ apiUrl: server.apiUrl, clock });
    server.fault({ kind: "status", status: 503 });
    const waiting = new AbortController();
    const first = failureOf(client.health({ signal: waiting.signal }));
    await clock.sleeping();
    waiting.abort(new Error("enough"));
    expect(await first).toMatchObject({ message: "enough" });

    await using hanging = await startFakePrefectServer();
    await using other = testClient({ apiUrl: hanging.apiUrl });
    hanging.fault({ kind: "hang" });
    const inFlight = new AbortController();
    const second = failureOf(other.health({ signal: inFlight.signal }));
    await hanging.waitForRequest({ path: "/health" });
    inFlight.abort(new Error("enough"));
    expect(await second).toMatchObject({ message: "enough" });
    await hanging.waitFor("no connection", () => hanging.connectionCount === 0 || undefined);
  });

  it("keeps one transition id over all attempts of a proposal", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    const clock = new FakeClock();
    await using client = testClient({ apiUrl: server.apiUrl, clock });
    const run = server.addFlowRun();
    // The server writes the state, but its answer is lost.
    server.fault({ path: /set_state$/, kind: "reset", times: 1, when: "after" });
    const result = client.setFlowRunState(run.id, { type: "PENDING", name: "Pending" });
    await clock.sleeping();
    await clock.advance(2400);
    const { state, status } = (await result)!;
    expect(status).toBe("REJECT");
    const [first, second] = server.requestsMatching({ path: /set_state$/ });
    expect(second?.body).toEqual(first?.body);
    expect(state?.state_details).toMatchObject({ transition_id: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    expect(server.historyOf(run.id)).toEqual(["SCHEDULED", "PENDING"]);
  });
});

describe("answers that are none", () => {
  it("quotes a page that came instead of JSON, and tries again only where JSON has come before", async ({
    expect,
  }) => {
    await using server = await startFakePrefectServer();
    const clock = new FakeClock();
    await using client = testClient({ apiUrl: server.apiUrl, clock });
    server.addWorkPool({ name: "p" });
    server.fault({ kind: "html", times: 1 });
    const failure = await failureOf(client.readWorkPool("p"));
    expect(failure).toBeInstanceOf(UndecodableResponseError);
    expect(failure).toMatchObject({ status: 200, contentType: "text/html", retryable: true });
    expect(String(failure)).toContain("Sign in");

    await client.readWorkPool("p");
    server.fault({ kind: "html", times: 1 });
    const second = client.readWorkPool("p");
    await clock.sleeping();
    await clock.advance(2400);
    expect(await second).toMatchObject({ name: "p" });
  });

  it("takes no page for the success of a call that returns nothing", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    await using client = testClient({ apiUrl: server.apiUrl });
    server.fault({ path: "/logs/", kind: "html" });
    expect(await failureOf(client.createLogs([], { retries: 0 }))).toBeInstanceOf(UndecodableResponseError);
  });

  it("takes no proxy's 404 for a missing object", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    await using client = testClient({ apiUrl: server.apiUrl });
    const page = { kind: "status", status: 404, times: 1, body: "default backend - 404" } as const;
    server.fault(page);
    expect(await failureOf(client.readDeployment("x"))).toMatchObject({ status: 404, retryable: true });
    expect(await client.readDeployment("x")).toBeNull();
  });

  it("takes the 404 of another address for what it is", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    await using client = testClient({ apiUrl: `${server.apiUrl}/nowhere` });
    const failure = await failureOf(client.readWorkPool("p"));
    expect(failure).toMatchObject({ status: 404, hint: expect.stringContaining("usually ends in /api") });
  });

  it("drops a run that it cannot understand and keeps the rest of the page", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    const dropped: Error[] = [];
    await using client = testClient({
      apiUrl: server.apiUrl,
      onUndecodable: (error) => dropped.push(error),
    });
    server.addWorkPool({ name: "p" });
    const odd = server.addFlowRun({ work_pool_name: "p" });
    const good = server.addFlowRun({ work_pool_name: "p" });
    Object.assign(odd.state!, { type: "SCHEDULED", name: "x" });
    Object.defineProperty(odd, "flow_id", { value: 7, enumerable: true });
    const page = await client.getScheduledFlowRuns("p", { ...POLL, scheduledBefore: new Date() });
    expect(page.map(({ flow_run }) => flow_run.id)).toEqual([good.id]);
    expect(dropped.map((error) => error.message)).toEqual([expect.stringContaining("has no flow_id")]);
  });

  it("quotes nothing of a broken block document", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    await using client = testClient({ apiUrl: server.apiUrl });
    const body = '{"id": "b", "data": {"token": "canary-7f3a"';
    server.fault({ path: /block_documents/, kind: "status", status: 200, times: 1, body });
    const failure = await failureOf(client.readBlockDocument("b"));
    expect(failure).toBeInstanceOf(UndecodableResponseError);
    expect(JSON.stringify([String(failure), (failure as Error).cause])).not.toContain("canary");
  });
});

describe("errors of the API client", () => {
  it("never show what it authenticates with, even when the server echoes it", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    const url = server.apiUrl.replace("://", "://me:door-canary@");
    await using client = testClient({
      apiUrl: url,
      authString: "admin:auth-canary",
      apiKey: "key-canary",
      customHeaders: { "X-Gate": "header-canary" },
    });
    const echo = ["door-canary", "auth-canary", "key-canary", "header-canary", btoa("me:door-canary")];
    server.fault({ kind: "status", status: 400, times: 1, body: { detail: echo.join(" ") } });
    const failure = await failureOf(client.health());
    expect(failure).toBeInstanceOf(ApiError);
    expect(String(failure)).toContain("*** *** *** *** ***");
    expect(client.apiUrl).toBe(server.apiUrl);
  });

  it("say what to do about a wrong key", async ({ expect }) => {
    await using server = await startFakePrefectServer({ apiKey: "right" });
    await using client = testClient({ apiUrl: server.apiUrl, apiKey: "wrong" });
    expect(await failureOf(client.readWorkPool("p"))).toMatchObject({
      status: 401,
      retryable: false,
      message: "The Prefect API answered 401 to GET /work_pools/p: Unauthorized",
      hint: expect.stringContaining("PREFECT_API_KEY"),
    });
  });
});

describe("CSRF", () => {
  it("fetches a token before the first change, and another when that one is refused", async ({ expect }) => {
    await using server = await startFakePrefectServer({ csrf: true });
    await using client = testClient({ apiUrl: server.apiUrl });
    server.addWorkPool({ name: "p" });
    await client.readWorkPool("p");
    expect(server.requestsMatching({ path: "/csrf-token" })).toHaveLength(0);
    await client.updateWorkPool("p", { is_paused: true });
    await client.updateWorkPool("p", { is_paused: false });
    expect(server.requestsMatching({ path: "/csrf-token" })).toHaveLength(1);

    server.csrfToken = "another";
    await client.updateWorkPool("p", { is_paused: true });
    expect(server.requestsMatching({ path: "/csrf-token" })).toHaveLength(2);
    expect(server.store.workPools.get("p")?.is_paused).toBe(true);
  });

  it("asks a server without CSRF once, and Cloud-like set-ups never", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    await using client = testClient({ apiUrl: server.apiUrl });
    await using cloud = testClient({ apiUrl: server.apiUrl, csrfEnabled: false });
    await cloud.createLogs([]);
    await client.createLogs([]);
    await client.createLogs([]);
    expect(server.requestsMatching({ path: "/csrf-token" })).toHaveLength(1);
    expect(server.requestsMatching({ path: "/logs/" })).toHaveLength(3);
  });
});
