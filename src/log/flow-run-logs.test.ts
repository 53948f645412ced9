import { pino } from "pino";
import { it } from "vitest";

import { FakeClock } from "../../test/support/fake-clock.ts";
import { WorkerError } from "../errors.ts";
import { FlowRunLogShipper } from "./flow-run-logs.ts";
import { MASK, Redactor } from "./redactor.ts";

import type { FlowRunLogShipperOptions } from "./flow-run-logs.ts";
import type { LogEntry } from "./types.ts";

const START = Date.parse("2026-11-24T03:00:00.000Z");

function set(options: Partial<FlowRunLogShipperOptions> = {}) {
  const clock = new FakeClock(START);
  const redactor = new Redactor();
  redactor.add("t0psecret");
  const batches: (readonly LogEntry[])[] = [];
  const shipper = new FlowRunLogShipper({
    send: async (batch) => void batches.push(batch),
    redactor,
    clock,
    logger: pino({ level: "silent" }),
    ...options,
  });
  const messages = (): string[] => batches.flat().map((entry) => entry.message);
  return { clock, shipper, batches, messages };
}

it("collects lines for one interval, in order, with increasing times and masked", async ({ expect }) => {
  const { clock, shipper, batches } = set();
  const log = shipper.forRun("run-1", "prefect.flow_runs");
  log.info("one t0psecret");
  log.debug("two");
  log.warn("three");
  log.error("four");
  await clock.advance(1999);
  expect(batches).toEqual([]);
  await clock.advance(1);
  expect(batches).toHaveLength(1);
  expect(batches[0]).toEqual([
    {
      name: "prefect.flow_runs",
      level: 20,
      message: `one ${MASK}`,
      flow_run_id: "run-1",
      timestamp: "2026-11-24T03:00:00.000000+00:00",
    },
    {
      name: "prefect.flow_runs",
      level: 10,
      message: "two",
      flow_run_id: "run-1",
      timestamp: "2026-11-24T03:00:00.000001+00:00",
    },
    {
      name: "prefect.flow_runs",
      level: 30,
      message: "three",
      flow_run_id: "run-1",
      timestamp: "2026-11-24T03:00:00.000002+00:00",
    },
    {
      name: "prefect.flow_runs",
      level: 40,
      message: "four",
      flow_run_id: "run-1",
      timestamp: "2026-11-24T03:00:00.000003+00:00",
    },
  ]);
  log.info("five");
  await clock.advance(2000);
  expect(batches).toHaveLength(2);
});

it("sends by bytes, at once when a batch is full", async ({ expect }) => {
  const { clock, shipper, batches, messages } = set({ maxBatchBytes: 1000 });
  const log = shipper.forRun("run-1");
  const lines = Array.from({ length: 20 }, (_, n) => `${n} ${"x".repeat(200)}`);
  for (const line of lines.slice(0, 8)) log.info(line);
  await clock.advance(0);
  await clock.advance(2000);
  for (const line of lines.slice(8)) log.info(line);
  expect(await shipper.flush(1000)).toBe(true);
  expect(messages()).toEqual(lines);
  for (const batch of batches) expect(Buffer.byteLength(JSON.stringify(batch))).toBeLessThanOrEqual(1001);
});

it("cuts long messages between characters and replaces what servers refuse", async ({ expect }) => {
  const { shipper, messages } = set({ maxLogBytes: 10 });
  const log = shipper.forRun("run-1");
  log.info("äöüäöüäöü");
  log.info("123456789ä");
  log.info("a\0b\ud800c😀");
  await shipper.flush(1000);
  expect(messages()).toEqual([
    "äöüäö… [cut: 18 bytes]",
    "123456789… [cut: 11 bytes]",
    "a\uFFFDb\uFFFDc… [cut: 13 bytes]",
  ]);
});

it("drops the oldest lines when the buffer is full, and says how many", async ({ expect }) => {
  const { shipper, messages } = set({ maxBatchBytes: 10_000, maxBufferedBytes: 2000 });
  const log = shipper.forRun("run-1");
  for (let n = 0; n < 50; n += 1) log.info(`line ${n} ${"x".repeat(100)}`);
  expect(await shipper.flush(1000)).toBe(true);
  const kept = messages().filter((message) => message.startsWith("line"));
  expect(kept.at(-1)).toMatch(/^line 49 /);
  expect(messages()[0]).toBe(
    `Log lines of this flow run that could not be delivered and are missing here: ${50 - kept.length}`,
  );
  expect(kept.length).toBeGreaterThan(3);
});

it("retries a failed upload, then drops it, goes on and reports the count once the API is back", async ({
  expect,
}) => {
  let isDown = true;
  let calls = 0;
  const sent: (readonly LogEntry[])[] = [];
  const { clock, shipper } = set({
    send: async (batch) => {
      calls += 1;
      if (isDown) throw new Error("down");
      sent.push(batch);
    },
  });
  shipper.forRun("run-1").info("lost 1");
  shipper.forRun("run-1").info("lost 2");
  await clock.advance(2000);
  await clock.advance(3000);
  expect(calls).toBe(3);
  shipper.forRun("run-2").info("kept");
  isDown = false;
  await clock.advance(2000);
  expect(sent.flat().map((entry) => [entry.flow_run_id, entry.message])).toEqual([
    ["run-1", "Log lines of this flow run that could not be delivered and are missing here: 2"],
    ["run-2", "kept"],
  ]);
});

it("does not repeat what the server refuses for good", async ({ expect }) => {
  let calls = 0;
  const { shipper } = set({
    send: async () => {
      calls += 1;
      throw new WorkerError("API_STATUS", "404");
    },
  });
  shipper.forRun("run-1").info("x");
  expect(await shipper.flush(60_000)).toBe(true);
  expect(calls).toBe(2); // the line, then the notice about it
});

it("gives up a flush and a close at their deadline, and then takes nothing more", async ({ expect }) => {
  const { clock, shipper } = set({ send: () => new Promise(() => undefined) });
  shipper.forRun("run-1").info("x");
  const flushed = shipper.flush(500);
  await clock.advance(500);
  expect(await flushed).toBe(false);
  const closed = shipper.close(500);
  await clock.advance(500);
  await closed;
  shipper.forRun("run-1").info("ignored");
  expect(clock.nextWakeMs).toBeUndefined();
});
