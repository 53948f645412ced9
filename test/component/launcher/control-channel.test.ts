import { once } from "node:events";
import { connect } from "node:net";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, it } from "vitest";

import { createControlChannel } from "../../../src/launcher/process/control-channel.ts";

import type { Socket } from "node:net";

import type { ControlChannel, ControlRegistration } from "../../../src/launcher/process/control-channel.ts";

const HELLO = Buffer.from([0, 0x50, 0x46, 2, 1]);

let channel: ControlChannel;
let registration: ControlRegistration;
let sockets: Socket[];

beforeEach(async ({ expect }) => {
  channel = createControlChannel({ authenticationTimeoutMs: 300 });
  const registered = await channel.register();
  if (registered === undefined) return expect.fail("no port");
  registration = registered;
  sockets = [];
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await channel.close();
});

const never = (): AbortSignal => AbortSignal.timeout(5000);

async function open(...first: readonly (string | Buffer)[]): Promise<Socket> {
  const socket = connect(Number(registration.env.PREFECT__CONTROL_PORT), "127.0.0.1");
  sockets.push(socket);
  socket.on("error", () => undefined);
  await once(socket, "connect");
  for (const part of first) socket.write(part);
  return socket;
}

async function read(socket: Socket, length: number): Promise<Buffer> {
  let got = Buffer.alloc(0);
  while (got.length < length) {
    const [chunk] = (await once(socket, "data", { signal: never() })) as [Buffer];
    got = Buffer.concat([got, chunk]);
  }
  return got;
}

/** An engine that has said hello and got its answer, so it is connected for sure. */
async function engine(): Promise<Socket> {
  const socket = await open(`${registration.env.PREFECT__CONTROL_TOKEN}\n`, HELLO);
  await read(socket, 5);
  return socket;
}

function receipt(body: unknown): Buffer {
  const payload = Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
  const head = Buffer.alloc(5);
  head[0] = 1;
  head.writeUInt32BE(payload.length, 1);
  return Buffer.concat([head, payload]);
}

const REPORTED = {
  disposition: "STATE_REPORTED",
  state_id: "0e0e6e65-0000-4000-8000-000000000000",
  state_type: "COMPLETED",
  state_name: "Completed",
};

describe("an engine that knows receipts", () => {
  it("gets its hello back, and its receipt acknowledged, however the bytes are cut", async ({ expect }) => {
    const socket = await open();
    const bytes = Buffer.concat([
      Buffer.from(`${registration.env.PREFECT__CONTROL_TOKEN}\n`),
      HELLO,
      receipt(REPORTED),
    ]);
    socket.setNoDelay(true);
    for (const byte of bytes) {
      socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await read(socket, 6)).toEqual(Buffer.concat([HELLO, Buffer.from([2])]));
    expect(registration.session.receipt).toEqual({
      disposition: "STATE_REPORTED",
      stateType: "COMPLETED",
      stateName: "Completed",
    });
    expect(await registration.session.tell("cancel", never())).toBe(false);
  });

  it("acknowledges an intent, and a receipt after that does not count", async ({ expect }) => {
    const socket = await engine();
    const told = registration.session.tell("reschedule", never());
    expect((await read(socket, 1)).toString()).toBe("r");
    socket.write("a");
    expect(await told).toBe(true);
    socket.write(receipt(REPORTED));
    socket.end();
    await registration.session.disconnected(never());
    expect(registration.session.receipt).toBeUndefined();
  });
});

it("an older engine, without hello, gets the intent too", async ({ expect }) => {
  const socket = await open(`${registration.env.PREFECT__CONTROL_TOKEN}\n`);
  await expect.poll(() => registration.session.isConnected).toBe(true);
  const told = registration.session.tell("cancel", never());
  expect((await read(socket, 1)).toString()).toBe("c");
  socket.write("a");
  expect(await told).toBe(true);
});

it("a newer engine is answered with our version", async ({ expect }) => {
  const socket = await open(
    `${registration.env.PREFECT__CONTROL_TOKEN}\n`,
    Buffer.from([0, 0x50, 0x46, 7, 0xff]),
  );
  expect(await read(socket, 5)).toEqual(HELLO);
});

it("no engine, no acknowledgement", async ({ expect }) => {
  expect(await registration.session.tell("cancel", never())).toBe(false);
});

it("an engine that does not acknowledge is not waited for longer than allowed", async ({ expect }) => {
  await engine();
  expect(await registration.session.tell("cancel", AbortSignal.timeout(50))).toBe(false);
});

it("an engine that ends instead of acknowledging ends the wait", async ({ expect }) => {
  const socket = await engine();
  const told = registration.session.tell("cancel", never());
  await read(socket, 1);
  socket.destroy();
  expect(await told).toBe(false);
});

describe("junk", () => {
  it.for([
    ["a wrong token", "0".repeat(64) + "\n"],
    ["an empty token", "\n"],
    ["no token but much text", "x".repeat(10_000)],
    ["silence", ""],
  ] as const)("%s: the connection is closed", async ([, text], { expect }) => {
    const socket = await open(text);
    await once(socket, "close", { signal: never() });
    expect(registration.session.isConnected).toBe(false);
    await engine(); // the real one still gets in
  });

  it.for([
    ["an unknown byte", Buffer.from("z")],
    ["an acknowledgement of nothing", Buffer.from("a")],
    ["a broken hello", Buffer.from([0, 1, 2, 3, 4])],
    ["a receipt that is too long", Buffer.from([1, 0xff, 0xff, 0xff, 0xff])],
    ["a receipt that is no JSON", receipt("{")],
    ["a receipt of an unknown kind", receipt({ disposition: "MAYBE" })],
  ] as const)("%s after the token: the session ends without a receipt", async ([, bytes], { expect }) => {
    const socket = await engine();
    socket.write(bytes);
    await once(socket, "close", { signal: never() });
    expect(registration.session.receipt).toBeUndefined();
  });

  it("a receipt that was not agreed on does not count", async ({ expect }) => {
    const socket = await open(`${registration.env.PREFECT__CONTROL_TOKEN}\n`, receipt(REPORTED));
    await once(socket, "close", { signal: never() });
    expect(registration.session.receipt).toBeUndefined();
  });
});

// Connects and acknowledges in a thread of its own, for ours stands still meanwhile.
const BUSY_ENGINE = `
  const { workerData } = require("node:worker_threads");
  const socket = require("node:net").connect(workerData.port, "127.0.0.1");
  socket.on("data", () => socket.end("a"));
  socket.write(workerData.token + "\\n", () => {
    Atomics.store(workerData.sent, 0, 1);
    Atomics.notify(workerData.sent, 0);
  });
`;

it("tells an engine whose connection has arrived, but could not be looked at yet", async ({ expect }) => {
  const { PREFECT__CONTROL_PORT: port, PREFECT__CONTROL_TOKEN: token } = registration.env;
  const sent = new Int32Array(new SharedArrayBuffer(4));
  const thread = new Worker(BUSY_ENGINE, { eval: true, workerData: { port: Number(port), token, sent } });
  expect(Atomics.wait(sent, 0, 0, 5000)).not.toBe("timed-out");
  expect(registration.session.isConnected).toBe(false);
  expect(await registration.session.tell("cancel", never())).toBe(true);
  await once(thread, "exit", { signal: never() });
});

it("a token works once, and not after release", async ({ expect }) => {
  await engine();
  const second = await open(`${registration.env.PREFECT__CONTROL_TOKEN}\n`);
  await once(second, "close", { signal: never() });
  expect(registration.session.isConnected).toBe(true);
  registration.release();
  const released = await channel.register();
  released?.release();
  const third = await open(`${released?.env.PREFECT__CONTROL_TOKEN}\n`);
  await once(third, "close", { signal: never() });
  expect(released?.session.isConnected).toBe(false);
});
