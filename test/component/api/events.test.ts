import { once } from "node:events";
import { createServer } from "node:net";
import { describe, it } from "vitest";

import { subscribeToEvents } from "../../../src/api/events.ts";
import { systemClock } from "../../../src/lifecycle/clock.ts";
import { until } from "../../support/deadline.ts";
import { startFakePrefectServer } from "../../support/fake-prefect-server.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { testClient } from "./client.ts";

import type { AddressInfo } from "node:net";
import type { PrefectClient } from "../../../src/api/client.ts";
import type { EventSubscriptionOptions } from "../../../src/api/events.ts";
import type { Subscription } from "../../../src/api/stream.ts";
import type { FakePrefectServer } from "../../support/fake-prefect-server.ts";

const SCHEDULED = { event: { name: ["prefect.flow-run.Scheduled"] } };

interface Watch extends AsyncDisposable {
  readonly subscription: Subscription;
  /** Names of runs, in the order of their events. */
  readonly runs: string[];
  readonly outages: Error[];
  readonly problems: Error[];
  readonly connections: number;
}

/** Subscribes until the end of the test. */
function watch(client: PrefectClient, options: Partial<EventSubscriptionOptions> = {}): Watch {
  const end = new AbortController();
  const seen = { runs: [] as string[], outages: [] as Error[], problems: [] as Error[], connections: 0 };
  const subscription = subscribeToEvents({
    transport: client.transport,
    filter: () => SCHEDULED,
    clock: systemClock,
    signal: end.signal,
    random: () => 0.5,
    onEvent: (event) => seen.runs.push(event.resource["prefect.resource.name"] ?? ""),
    onConnected: () => (seen.connections += 1),
    onDisconnected: (error) => seen.outages.push(error),
    onProblem: (error) => seen.problems.push(error),
    ...options,
  });
  return {
    ...seen,
    get connections() {
      return seen.connections;
    },
    subscription,
    async [Symbol.asyncDispose]() {
      end.abort();
      await subscription.done;
    },
  };
}

function subscribed(server: FakePrefectServer): Promise<unknown> {
  return server.waitFor("a subscription", () => server.eventSockets.filters[0]);
}

/** Waits for something on the client's side. */
function reached(what: string, probe: () => boolean): Promise<boolean> {
  return until(what, probe, { timeoutMs: 5000, everyMs: 5 });
}

function seen(watcher: Watch, count: number): Promise<boolean> {
  return reached(`${count} events`, () => watcher.runs.length >= count);
}

describe("events socket", () => {
  it("authenticates, asks for the last minute, and hands over matching events", async ({ expect }) => {
    await using server = await startFakePrefectServer({ authString: "admin:pass" });
    const pool = server.addWorkPool({ name: "mine" });
    server.addWorkPool({ name: "other" });
    server.addFlowRun({ work_pool_name: "mine", name: "earlier" });
    await using client = testClient({ apiUrl: server.apiUrl, authString: "admin:pass" });
    await using watcher = watch(client, {
      filter: () => ({ ...SCHEDULED, any_resource: { id: [`prefect.work-pool.${pool.id}`] } }),
    });
    await subscribed(server);
    expect(server.eventSockets.filters[0]).toMatchObject({
      event: { name: ["prefect.flow-run.Scheduled"] },
      occurred: { since: expect.any(String), until: expect.any(String) },
    });
    server.addFlowRun({ work_pool_name: "other", name: "not mine" });
    const run = server.addFlowRun({ work_pool_name: "mine", name: "later" });
    server.setState(run.id, "RUNNING");
    server.addFlowRun({ work_pool_name: "mine", name: "last" });
    await seen(watcher, 3);
    expect(watcher.runs).toEqual(["earlier", "later", "last"]);
    expect(watcher.subscription.isConnected).toBe(true);
    expect(watcher.problems).toEqual([]);
  });

  it("comes back after a break and leaves out what it has seen", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    await using client = testClient({ apiUrl: server.apiUrl });
    const clock = new FakeClock(Date.now());
    await using watcher = watch(client, { clock });
    await subscribed(server);
    server.addFlowRun({ name: "one" });
    await seen(watcher, 1);
    for (const [index, name] of ["two", "three"].entries()) {
      server.eventSockets.drop();
      await clock.sleeping();
      expect(clock.nextWakeMs).toBe(1000); // it had worked, so the first retry is near again
      server.addFlowRun({ name });
      await clock.advance(1000);
      await subscribed(server);
      await seen(watcher, index + 2);
    }
    expect(watcher.runs).toEqual(["one", "two", "three"]);
    expect(watcher.connections).toBe(3);
    expect(watcher.outages).toHaveLength(2);
  });

  it("backs off while the server is away, and tells of the outage once", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    await using client = testClient({ apiUrl: server.apiUrl });
    const clock = new FakeClock(Date.now());
    await using watcher = watch(client, { clock });
    await subscribed(server);
    await server.goDown();
    const waits: (number | undefined)[] = [];
    for (let round = 0; round < 7; round += 1) {
      await clock.sleeping();
      waits.push(clock.nextWakeMs);
      await clock.advance(clock.nextWakeMs ?? 0);
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    expect(watcher.outages).toHaveLength(1);
    expect(watcher.subscription.isConnected).toBe(false);

    await server.listen();
    await clock.sleeping();
    await clock.advance(30_000);
    await subscribed(server);
    await reached("the connection", () => watcher.connections === 2);
  });

  it.for([404, 403, 401])("asks seldom after a %i to the handshake", async (status, { expect }) => {
    await using server = await startFakePrefectServer();
    await using client = testClient({ apiUrl: server.apiUrl });
    const clock = new FakeClock(Date.now());
    server.eventSockets.refuseWith = status;
    await using watcher = watch(client, { clock });
    await clock.sleeping();
    expect(clock.nextWakeMs).toBe(60_000);
    expect(watcher.outages).toEqual([expect.objectContaining({ status, path: "/events/out" })]);
    await clock.advance(60_000);
    await clock.sleeping();
    expect(watcher.outages).toHaveLength(1);
    server.eventSockets.refuseWith = undefined;
    await clock.advance(60_000);
    await subscribed(server);
  });

  it("takes a refused login for a refusal", async ({ expect }) => {
    await using server = await startFakePrefectServer({ authString: "admin:pass" });
    await using client = testClient({ apiUrl: server.apiUrl, authString: "admin:wrong" });
    const clock = new FakeClock(Date.now());
    await using watcher = watch(client, { clock });
    await clock.sleeping();
    expect(clock.nextWakeMs).toBe(60_000);
    expect(watcher.outages).toEqual([expect.objectContaining({ closeCode: 1008 })]);
  });

  it("replaces a connection whose other side has fallen silent", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    await using client = testClient({ apiUrl: server.apiUrl });
    const clock = new FakeClock(Date.now());
    await using watcher = watch(client, { clock, pingIntervalMs: 100 });
    await subscribed(server);
    server.eventSockets.fallSilent();
    await clock.sleeping();
    expect(watcher.outages.map(String)).toEqual([expect.stringContaining("fell silent")]);
    await clock.advance(1000);
    await subscribed(server);
  });

  it("stays on an idle connection whose other side answers pings", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    await using client = testClient({ apiUrl: server.apiUrl });
    await using watcher = watch(client, { pingIntervalMs: 40 });
    await subscribed(server);
    await server.waitFor("six pings", () => server.eventSockets.pingCount >= 6 || undefined);
    expect(watcher.outages).toEqual([]);
    expect(watcher.connections).toBe(1);
  });

  it("gives up a handshake that is never answered", async ({ expect }) => {
    const silent = createServer((socket) => socket.on("error", () => undefined).resume());
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    await using client = testClient({
      apiUrl: `http://127.0.0.1:${(silent.address() as AddressInfo).port}/api`,
    });
    const clock = new FakeClock();
    await using watcher = watch(client, { clock, connectTimeoutMs: 100 });
    await clock.sleeping();
    expect(watcher.outages.map(String)).toEqual([
      expect.stringContaining("No socket /events/out within 0.1 s"),
    ]);
    await new Promise((resolve) => silent.close(resolve));
  });

  it("survives whatever its callbacks throw and frames that it does not know", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    await using client = testClient({ apiUrl: server.apiUrl });
    const names: string[] = [];
    await using watcher = watch(client, {
      onEvent(event) {
        names.push(event.event);
        throw new Error("from onEvent");
      },
      onConnected() {
        throw new Error("from onConnected");
      },
    });
    await subscribed(server);
    server.eventSockets.sendText("no JSON");
    server.eventSockets.sendText('{"type":"event","event":{"odd":true}}');
    server.addFlowRun();
    server.addFlowRun();
    await reached("four problems", () => watcher.problems.length >= 4);
    expect(watcher.problems.map((problem) => problem.message)).toEqual([
      "from onConnected",
      "has no id",
      "from onEvent",
      "from onEvent",
    ]);
    expect(names).toHaveLength(2);
    expect(watcher.outages).toEqual([]);
  });
});
