import { describe, expect, test } from "vitest";

import { DEFAULT_SERVER_SETTINGS } from "../../../src/server/settings.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { deploy, run, startApi, storeDirectory } from "./api.ts";
import { instant, send } from "./automation-events.ts";

import type { Api } from "./api.ts";

const SECOND = 1000;

/** A clock and a server that goes by it. */
async function start(settings: Partial<typeof DEFAULT_SERVER_SETTINGS.zombies> = {}) {
  const clock = new FakeClock(Date.parse(instant(0)));
  const directory = await storeDirectory();
  const zombies = { ...DEFAULT_SERVER_SETTINGS.zombies, ...settings };
  const serve = () => startApi({ zombies }, { clock, directory });
  return { clock, serve, api: await serve() };
}

async function running(api: Api, clock: FakeClock, fields: Record<string, unknown> = {}): Promise<string> {
  const id = await run(api, await deploy(api, { name: `dep ${Math.random()}`, ...fields }));
  await api.propose(id, { type: "PENDING" });
  await api.propose(id, { type: "RUNNING" });
  await clock.advance(SECOND);
  return id;
}

/** Moves the clock on in steps, so that the services tick as they would. */
async function pass(clock: FakeClock, seconds: number): Promise<void> {
  for (let left = seconds; left > 0; left -= 10) {
    await clock.advance(Math.min(10, left) * SECOND);
    // What is written is written in a turn of the event loop of its own.
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}

async function beat(api: Api, clock: FakeClock, id: string): Promise<void> {
  const at = (clock.now() - Date.parse(instant(0))) / SECOND;
  await send(api, { name: "prefect.flow-run.heartbeat", about: `prefect.flow-run.${id}`, at });
}

/** Resolves when the run is taken for crashed. */
function crashed(api: Api, id: string): Promise<void> {
  return expect.poll(async () => (await stateOf(api, id)).type).toBe("CRASHED");
}

async function stateOf(api: Api, id: string): Promise<{ type: string; message: string }> {
  return (await api.get(`/flow_runs/${id}`)).state;
}

describe("a running flow run", () => {
  test("that falls silent is crashed after three missed heartbeats, with the reason", async () => {
    const { api, clock } = await start();
    const id = await running(api, clock);
    for (let count = 0; count < 3; count += 1) {
      await beat(api, clock, id);
      await pass(clock, 60);
    }
    await pass(clock, 120);
    expect((await stateOf(api, id)).type).toBe("RUNNING");
    await pass(clock, 20);
    await crashed(api, id);
    expect((await stateOf(api, id)).message).toMatch(
      /^No heartbeat for 1[89]\d s, where one was due every 60 s/,
    );
    const { events } = await api.post("/events/filter", {
      filter: {
        event: { name: ["prefect.flow-run.Crashed"] },
        occurred: { since: instant(0), until: instant(9999) },
      },
    });
    expect(events).toHaveLength(1);
  });

  test("has the time of the setting, or of its environment, before its second heartbeat tells its rhythm", async () => {
    const { api, clock } = await start({ heartbeatSeconds: 100 });
    const usual = await running(api, clock);
    const slow = await running(api, clock, {
      job_variables: { env: { PREFECT_FLOWS_HEARTBEAT_FREQUENCY: "200" } },
    });
    await beat(api, clock, usual);
    await beat(api, clock, slow);
    await pass(clock, 290);
    expect((await stateOf(api, usual)).type).toBe("RUNNING");
    await pass(clock, 30);
    await crashed(api, usual);
    await pass(clock, 270);
    expect((await stateOf(api, slow)).type).toBe("RUNNING");
    await pass(clock, 30);
    await crashed(api, slow);
  });

  test("is not judged by heartbeats that came close together because it was tried again", async () => {
    const { api, clock } = await start();
    const id = await running(api, clock);
    for (let attempt = 0; attempt < 4; attempt += 1) {
      await beat(api, clock, id);
      await pass(clock, 5);
      const retry = {
        type: "SCHEDULED",
        name: "AwaitingRetry",
        state_details: { scheduled_time: instant(0) },
      };
      await api.propose(id, retry, true);
      await api.propose(id, { type: "RUNNING" }, true);
      await clock.advance(SECOND);
    }
    await beat(api, clock, id);
    await pass(clock, 500);
    expect((await stateOf(api, id)).type).toBe("RUNNING");
    await pass(clock, 60);
    await crashed(api, id);
  });

  test("is left alone when it has never sent a heartbeat, or only before it was claimed anew", async () => {
    const { api, clock } = await start();
    const mute = await running(api, clock);
    const again = await running(api, clock);
    await beat(api, clock, again);
    await pass(clock, 10);
    await api.propose(again, { type: "SCHEDULED", name: "AwaitingRetry" }, true);
    await pass(clock, 10);
    await api.propose(again, { type: "PENDING" }, true);
    await api.propose(again, { type: "RUNNING" }, true);
    await pass(clock, 2000);
    expect((await stateOf(api, mute)).type).toBe("RUNNING");
    expect((await stateOf(api, again)).type).toBe("RUNNING");
  });

  test("has its whole time anew after a restart, and after the machine has slept", async () => {
    const { api, clock, serve } = await start({ heartbeatSeconds: 60 });
    const id = await running(api, clock);
    await beat(api, clock, id);
    await pass(clock, 100);
    await api.server.close();
    await clock.advance(3600 * SECOND);
    const second = await serve();
    await pass(clock, 100);
    expect((await stateOf(second, id)).type).toBe("RUNNING");
    // Timers stand still while a machine sleeps, and its clock does not.
    clock.jump(8 * 3600 * SECOND);
    await pass(clock, 170);
    expect((await stateOf(second, id)).type).toBe("RUNNING");
    await pass(clock, 30);
    await crashed(second, id);
  });

  test("is never crashed when missed heartbeats do not count", async () => {
    const { api, clock } = await start({ missedHeartbeats: 0 });
    const id = await running(api, clock);
    await beat(api, clock, id);
    await pass(clock, 3000);
    expect((await stateOf(api, id)).type).toBe("RUNNING");
  });
});

test("runs that are paused, pending or scheduled are left alone", async () => {
  const { api, clock } = await start();
  const paused = await running(api, clock);
  await beat(api, clock, paused);
  await api.propose(paused, { type: "PAUSED" });
  const pending = await run(api, await deploy(api));
  await api.propose(pending, { type: "PENDING" });
  await beat(api, clock, pending);
  await pass(clock, 2000);
  expect((await stateOf(api, paused)).type).toBe("PAUSED");
  expect((await stateOf(api, pending)).type).toBe("PENDING");
});
