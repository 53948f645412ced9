import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";

import { FakeClock } from "../../support/fake-clock.ts";
import { startApi, storeDirectory } from "./api.ts";
import { automate, firings, instant, send, settle } from "./automation-events.ts";

import type { GivenEvent } from "./automation-events.ts";

const SECOND = 1000;

/** Events of that name, one at each of these seconds. */
function ticks(name: string, ...seconds: readonly number[]): GivenEvent[] {
  return seconds.map((at) => ({ name, at }));
}

describe("a reactive trigger", () => {
  test("fires for every event when nothing else is said, with the event and its labels", async () => {
    const api = await startApi();
    const id = await automate(api, {
      expect: ["door.*"],
      match: { "prefect.resource.id": "door.*", color: ["red", "!green"] },
      match_related: [{ "prefect.resource.role": "house" }, { "prefect.resource.id": "owner.1" }],
      for_each: ["color", "related:house:prefect.resource.id"],
    });
    const related = [
      { "prefect.resource.id": "house.7", "prefect.resource.role": "house" },
      { "prefect.resource.id": "owner.1", "prefect.resource.role": "owner" },
    ];
    const event = randomUUID();
    await send(
      api,
      { name: "door.opened", about: "door.1", labels: { color: "blue" }, related, id: event },
      { name: "window.opened", about: "door.1", labels: { color: "blue" }, related },
      { name: "door.opened", about: "gate.1", labels: { color: "blue" }, related },
      { name: "door.opened", about: "door.1", labels: { color: "green" }, related },
      { name: "door.opened", about: "door.1", related },
      { name: "door.opened", about: "door.1", labels: { color: "blue" }, related: related.slice(0, 1) },
    );
    const fired = await firings(api, id);
    expect(fired).toHaveLength(1);
    expect(fired[0]).toMatchObject({
      resource: { "prefect.posture": "Reactive" },
      related: [
        { "prefect.resource.id": `prefect.event.${event}`, "prefect.resource.role": "triggering-event" },
      ],
      payload: {
        triggering_labels: { color: "blue", "related:house:prefect.resource.id": "house.7" },
        triggering_event: { id: event, event: "door.opened" },
      },
    });
  });

  test("fires once in a period when it has seen enough, and again in the next one", async () => {
    const api = await startApi();
    const id = await automate(api, { expect: ["tick"], threshold: 3, within: 60 });
    await send(api, ...ticks("tick", 0, 10));
    expect(await firings(api, id)).toHaveLength(0);
    await send(api, ...ticks("tick", 20));
    expect(await firings(api, id)).toHaveLength(1);
    // The period goes on until the 60th second: what happens in it counts no more.
    await send(api, ...ticks("tick", 30, 40, 50));
    expect(await firings(api, id)).toHaveLength(1);
    await send(api, ...ticks("tick", 61, 62, 63));
    expect(await firings(api, id)).toHaveLength(2);
    // Too far apart, and one that comes late.
    await send(api, ...ticks("tick", 200, 300, 400, 100));
    expect(await firings(api, id)).toHaveLength(2);
  });

  test("counts apart for each value of its labels", async () => {
    const api = await startApi();
    const id = await automate(api, {
      expect: ["tick"],
      for_each: ["prefect.resource.id"],
      threshold: 2,
      within: 60,
    });
    await send(api, { name: "tick", about: "a", at: 0 }, { name: "tick", about: "b", at: 1 });
    expect(await firings(api, id)).toHaveLength(0);
    await send(api, { name: "tick", about: "b", at: 2 });
    expect((await firings(api, id)).map(({ payload }) => payload.triggering_labels)).toEqual([
      { "prefect.resource.id": "b" },
    ]);
  });

  test("counts only after the event that it waits for", async () => {
    const api = await startApi();
    const id = await automate(api, { after: ["begin"], expect: ["tick"], threshold: 2, within: 60 });
    await send(api, ...ticks("tick", 0, 1, 2));
    await send(api, ...ticks("begin", 10), ...ticks("tick", 20, 30));
    expect(await firings(api, id)).toHaveLength(1);
    await send(api, ...ticks("tick", 40, 41));
    expect(await firings(api, id)).toHaveLength(1);
  });

  test("does nothing while it is disabled, nor for what was before it was made", async () => {
    const api = await startApi();
    await send(api, ...ticks("tick", 0));
    const id = await automate(api, { expect: ["tick"] });
    expect(await firings(api, id)).toHaveLength(0);
    await api.call("PATCH", `/automations/${id}`, { enabled: false });
    await send(api, ...ticks("tick", 1));
    expect(await firings(api, id)).toHaveLength(0);
    await api.call("PATCH", `/automations/${id}`, { enabled: true });
    await send(api, ...ticks("tick", 2));
    expect(await firings(api, id)).toHaveLength(1);
  });

  test("reacts to events of automations only where it names them, and never to those of its own", async () => {
    const api = await startApi();
    const any = await automate(api, { expect: [] });
    const all = await automate(api, { expect: ["*", "prefect.*"] });
    const watcher = await automate(api, { expect: ["prefect.automation.action.*"] });
    await send(api, ...ticks("tick", 0));
    const about = async (id: string) =>
      (await firings(api, id)).map(({ payload }) => payload.triggering_event.event as string);
    const watched = await firings(api, watcher);
    const resources = watched.map(({ payload }) => payload.triggering_event.resource["prefect.resource.id"]);
    for (const id of [any, all]) {
      const names = (await about(id)).filter((name) => !name.startsWith("settled."));
      expect(names).toEqual(["tick"]);
      expect(resources).toContain(`prefect.automation.${id}`);
    }
    expect(resources).not.toContain(`prefect.automation.${watcher}`);
  });

  test("takes an event after the one that it follows, although it came before", async () => {
    const api = await startApi();
    const id = await automate(api, { after: ["begin"], expect: ["end"], within: 60 });
    const leader = randomUUID();
    const now = new Date();
    const at = (seconds: number) => (now.getTime() - Date.parse(instant(0))) / 1000 + seconds;
    await send(api, { name: "end", follows: leader, at: at(1) });
    expect(await firings(api, id)).toHaveLength(0);
    await send(api, { name: "begin", id: leader, at: at(0) });
    expect(await firings(api, id)).toHaveLength(1);
  });
});

describe("a proactive trigger", () => {
  const AFTER_BEAT = {
    type: "event",
    posture: "Proactive",
    after: ["beat"],
    expect: ["beat", "end"],
    for_each: ["prefect.resource.id"],
    within: 30,
  };

  test("fires when what it expects does not come in time, for each thing by itself", async () => {
    const clock = new FakeClock(Date.parse(instant(0)));
    const api = await startApi({}, { clock });
    const id = await automate(api, AFTER_BEAT);
    await send(
      api,
      { name: "beat", about: "a", at: 0 },
      { name: "beat", about: "b", at: 0 },
      { name: "beat", about: "c", at: 0 },
    );
    await settle(api);
    await clock.advance(20 * SECOND);
    await send(api, { name: "beat", about: "b", at: 20 }, { name: "end", about: "c", at: 20 });
    expect(await firings(api, id)).toHaveLength(0);
    await clock.advance(15 * SECOND);
    await expect.poll(async () => (await firings(api, id)).length).toBe(1);
    const [first] = await firings(api, id);
    expect(first).toMatchObject({
      resource: { "prefect.posture": "Proactive" },
      payload: { triggering_labels: { "prefect.resource.id": "a" }, triggering_event: { event: "beat" } },
    });
    await clock.advance(30 * SECOND);
    await expect.poll(async () => (await firings(api, id)).length).toBe(2);
    await clock.advance(300 * SECOND);
    expect((await firings(api, id)).map(({ payload }) => payload.triggering_labels)).toEqual([
      { "prefect.resource.id": "a" },
      { "prefect.resource.id": "b" },
    ]);
  });

  test("fires in every period in which too little has happened", async () => {
    const clock = new FakeClock(Date.parse(instant(0)));
    const api = await startApi({}, { clock });
    const id = await automate(api, { type: "event", posture: "Proactive", expect: ["sale"], within: 60 });
    await clock.advance(30 * SECOND);
    expect(await firings(api, id)).toHaveLength(0);
    await clock.advance(40 * SECOND);
    await expect.poll(async () => (await firings(api, id)).length).toBe(1);
    await clock.advance(60 * SECOND);
    await expect.poll(async () => (await firings(api, id)).length).toBe(2);
  });

  test("goes on after a restart, and fires once for what ran out meanwhile", async () => {
    const clock = new FakeClock(Date.parse(instant(0)));
    const directory = await storeDirectory();
    const first = await startApi({}, { clock, directory });
    const id = await automate(first, AFTER_BEAT);
    await send(first, { name: "beat", about: "a", at: 0 }, { name: "beat", about: "b", at: 0 });
    await settle(first);
    await first.server.close();
    await clock.advance(20 * SECOND);
    const second = await startApi({}, { clock, directory });
    await send(second, { name: "beat", about: "b", at: 20 });
    await settle(second);
    await second.server.close();
    await clock.advance(20 * SECOND);
    const third = await startApi({}, { clock, directory });
    await expect.poll(async () => (await firings(third, id)).length).toBe(1);
    await clock.advance(5 * SECOND);
    expect((await firings(third, id)).map(({ payload }) => payload.triggering_labels)).toEqual([
      { "prefect.resource.id": "a" },
    ]);
  });
});

describe("composite triggers", () => {
  const on = (name: string) => ({ type: "event", posture: "Reactive", expect: [name] });

  test.each([
    ["all", ["a", "c"], 0],
    ["all", ["a", "c", "b"], 1],
    ["any", ["b"], 1],
    [2, ["c", "c"], 0],
    [2, ["c", "a"], 1],
  ] as const)("compound, %s: %j fires %i times", async (require, names, count) => {
    const api = await startApi();
    const id = await automate(api, {
      type: "compound",
      require,
      within: 3600,
      triggers: [on("a"), on("b"), on("c")],
    });
    await send(api, ...names.map((name) => ({ name })));
    const fired = await firings(api, id);
    expect(fired).toHaveLength(count);
    for (const { resource, payload } of fired) {
      expect(resource).not.toHaveProperty("prefect.posture");
      expect(payload.triggering_event.event).toBe(names.at(-1));
    }
  });

  test("compound: parts that are too far apart do not count together", async () => {
    const clock = new FakeClock(Date.parse(instant(0)));
    const api = await startApi({}, { clock });
    const id = await automate(api, {
      type: "compound",
      require: "all",
      within: 60,
      triggers: [on("a"), on("b")],
    });
    await send(api, { name: "a", at: 0 });
    await settle(api);
    await clock.advance(61 * SECOND);
    await send(api, { name: "b", at: 61 });
    expect(await firings(api, id)).toHaveLength(0);
    await send(api, { name: "a", at: 61 });
    expect(await firings(api, id)).toHaveLength(1);
  });

  test.each([
    [["a", "b", "c"], 1],
    [["b", "a", "c"], 0],
    [["a", "b", "a", "c"], 0],
  ] as const)("sequence: %j fires %i times", async (names, count) => {
    const api = await startApi();
    const id = await automate(api, {
      type: "sequence",
      within: null,
      triggers: [
        on("a"),
        { type: "compound", require: "any", within: null, triggers: [on("b"), on("x")] },
        on("c"),
      ],
    });
    await send(api, ...names.map((name) => ({ name })));
    expect(await firings(api, id)).toHaveLength(count);
  });

  test("parts that have fired are remembered over a restart, and forgotten when the trigger is replaced", async () => {
    const directory = await storeDirectory();
    const trigger = { type: "compound", require: "all", within: null, triggers: [on("a"), on("b")] };
    const first = await startApi({}, { directory });
    const id = await automate(first, trigger);
    const other = await automate(first, trigger);
    await send(first, { name: "a" });
    await settle(first);
    await first.server.close();
    const second = await startApi({}, { directory });
    await second.call("PUT", `/automations/${other}`, { name: "other", trigger, actions: [] });
    await send(second, { name: "b" });
    expect(await firings(second, id)).toHaveLength(1);
    expect(await firings(second, other)).toHaveLength(0);
  });
});

test("counts survive a restart, and nothing is counted twice", async () => {
  const directory = await storeDirectory();
  const first = await startApi({}, { directory });
  const id = await automate(first, { expect: ["tick"], threshold: 3, within: 3600 });
  await send(first, { name: "tick" }, { name: "tick" });
  await settle(first);
  await first.server.close();
  const second = await startApi({}, { directory });
  expect(await firings(second, id)).toHaveLength(0);
  await send(second, { name: "tick" });
  expect(await firings(second, id)).toHaveLength(1);
});
