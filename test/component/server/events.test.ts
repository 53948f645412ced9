import { randomUUID } from "node:crypto";
import { once } from "node:events";

import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";

import { deploy, run, startApi } from "./api.ts";

import type { Api } from "./api.ts";

interface Connection {
  send(message: unknown): void;
  /** The next message, which may have come already. */
  next(): Promise<{ type: string; event: { id: string; event: string; resource: Record<string, string> } }>;
  /** How many messages wait. */
  count(): number;
  readonly closed: Promise<unknown>;
}

async function connect(api: Api, path: string, token: string | null = null): Promise<Connection> {
  const socket = new WebSocket(`${api.server.apiUrl.replace("http", "ws")}${path}`, "prefect");
  onTestFinished(() => socket.terminate());
  const messages: string[] = [];
  let notify: () => void = () => undefined;
  socket.on("message", (data) => {
    messages.push((data as Buffer).toString());
    notify();
  });
  const closed = once(socket, "close").then(([code]) => code as number);
  await once(socket, "open");
  const connection: Connection = {
    send: (message) => socket.send(JSON.stringify(message)),
    async next() {
      while (messages.length === 0) await new Promise<void>((resolve) => (notify = resolve));
      return JSON.parse(messages.shift() ?? "");
    },
    count: () => messages.length,
    closed,
  };
  connection.send({ type: "auth", token });
  return connection;
}

function eventOf(name: string, fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id: randomUUID(),
    occurred: new Date().toISOString(),
    event: name,
    resource: { "prefect.resource.id": "my.thing" },
    related: [],
    payload: {},
    ...fields,
  };
}

describe("/events/out", () => {
  test("announces a new run before the call that made it has returned, and only to those who ask", async () => {
    const api = await startApi();
    const deployment = await deploy(api);
    const pool = await api.get("/work_pools/pool");
    const out = await connect(api, "/events/out");
    expect((await out.next()).type).toBe("auth_success");
    const any_resource = { id: [`prefect.work-pool.${pool.id}`] };
    out.send({ type: "filter", filter: { event: { name: ["prefect.flow-run.Scheduled"] }, any_resource } });
    const id = await run(api, deployment);
    await api.propose(id, { type: "PENDING", name: "Pending" });
    const second = await run(api, deployment);
    const seen = [await out.next(), await out.next()].map(
      ({ event }) => event.resource["prefect.resource.id"],
    );
    expect(seen).toEqual([`prefect.flow-run.${id}`, `prefect.flow-run.${second}`]);
  });

  test("sends what has been since an instant first", async () => {
    const api = await startApi();
    const id = await run(api, await deploy(api));
    const out = await connect(api, "/events/out");
    await out.next();
    out.send({
      type: "filter",
      filter: {
        occurred: { since: new Date(Date.now() - 60_000).toISOString() },
        event: { prefix: ["prefect.flow-run."] },
      },
    });
    expect((await out.next()).event.event).toBe("prefect.flow-run.Scheduled");
    await api.propose(id, { type: "PENDING", name: "Pending" });
    expect((await out.next()).event.event).toBe("prefect.flow-run.Pending");
  });

  test("sends what was before of the last quarter of an hour only, and nothing to those who do not want it", async () => {
    const api = await startApi();
    const minutesAgo = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();
    await api.call("POST", "/events", [
      eventOf("my.old", { occurred: minutesAgo(20) }),
      eventOf("my.recent", { occurred: minutesAgo(10) }),
    ]);
    const filter = { event: { prefix: ["my."] } };
    const [all, none] = [await connect(api, "/events/out"), await connect(api, "/events/out")];
    await Promise.all([all.next(), none.next()]);
    all.send({ type: "filter", filter });
    none.send({ type: "filter", filter, backfill: false });
    expect((await all.next()).event.event).toBe("my.recent");
    // Both subscriptions stand once they have sent what comes now.
    await expect
      .poll(async () => {
        await api.call("POST", "/events", [eventOf("my.next")]);
        return none.count();
      })
      .toBeGreaterThan(0);
    expect((await none.next()).event.event).toBe("my.next");
  });

  test("wants the password where there is one", async () => {
    const api = await startApi({ authString: "me:secret" });
    const refused = await connect(api, "/events/out", "me:wrong");
    expect(await refused.closed).toBe(1008);
    const accepted = await connect(api, "/events/out", "me:secret");
    expect((await accepted.next()).type).toBe("auth_success");
  });
});

describe("events of clients", () => {
  test("are found by their resource and in both orders, however many others there are", async () => {
    const api = await startApi();
    const start = Date.now() - 60_000;
    const events = Array.from({ length: 1300 }, (_, index) =>
      eventOf("my.event", {
        occurred: new Date(start + index).toISOString(),
        resource: { "prefect.resource.id": index % 500 === 7 ? "my.one" : "my.other" },
        payload: { index },
      }),
    );
    await api.call("POST", "/events", events);
    const find = async (filter: Record<string, unknown>): Promise<number[]> => {
      const answer = await api.post("/events/filter", { filter });
      return answer.events.map((event: { payload: { index: number } }) => event.payload.index);
    };
    const mine = { resource: { id: ["my.one"] } };
    expect(await find(mine)).toEqual([1007, 507, 7]);
    expect(await find({ ...mine, order: "ASC" })).toEqual([7, 507, 1007]);
    expect(await find({ any_resource: { id: ["my.one"] } })).toEqual([1007, 507, 7]);
    expect(await find({ any_resource: { id: ["my.one"] }, order: "ASC" })).toEqual([7, 507, 1007]);
  });

  test("are stored once and found by filters", async () => {
    const api = await startApi();
    const sent = eventOf("my.event", { resource: { "prefect.resource.id": "my.thing", color: "blue" } });
    expect((await api.call("POST", "/events", [sent])).status).toBe(204);
    const socket = await connect(api, "/events/in");
    await socket.next();
    socket.send(sent);
    socket.send(eventOf("my.other"));
    const find = async (filter: Record<string, unknown>) =>
      (await api.post("/events/filter", { filter })).events.map((event: { event: string }) => event.event);
    await expect.poll(() => find({ event: { prefix: ["my."] } })).toEqual(["my.other", "my.event"]);
    expect(await find({ resource: { labels: { color: ["bl*"] } } })).toEqual(["my.event"]);
    expect(await find({ event: { prefix: ["my."], exclude_name: ["my.event"] } })).toEqual(["my.other"]);
    expect((await api.call("POST", "/events", [{ event: "no resource" }])).status).toBe(422);
  });

  test("make task runs, also when they come late or twice", async () => {
    const api = await startApi();
    const flowRunId = await run(api, await deploy(api));
    const id = randomUUID();
    const state = (type: string, name: string, second: number) =>
      eventOf(`prefect.task-run.${name}`, {
        occurred: `2026-01-01T00:00:0${second}Z`,
        resource: {
          "prefect.resource.id": `prefect.task-run.${id}`,
          "prefect.resource.name": "t-1",
          "prefect.orchestration": "client",
        },
        related: [
          { "prefect.resource.id": `prefect.flow-run.${flowRunId}`, "prefect.resource.role": "flow-run" },
        ],
        payload: {
          task_run: { name: "t-1", task_key: "t", dynamic_key: "1", tags: ["x"], run_count: 1 },
          validated_state: { type, name, message: null, state_details: {} },
        },
      });
    const [pending, running, completed] = [
      state("PENDING", "Pending", 1),
      state("RUNNING", "Running", 2),
      state("COMPLETED", "Completed", 4),
    ];
    await api.call("POST", "/events", [pending, completed, running, completed]);
    const found = await api.post("/task_runs/filter", { flow_runs: { id: { any_: [flowRunId] } } });
    expect(found).toMatchObject([
      { id, name: "t-1", state_type: "COMPLETED", tags: ["x"], flow_run_id: flowRunId, run_count: 1 },
    ]);
    const states = await api.get(`/task_run_states/?task_run_id=${id}`);
    expect(states.map((known: { name: string }) => known.name)).toEqual(["Pending", "Running", "Completed"]);
  });
});

describe("/logs/out", () => {
  test("sends the new lines that are asked for, and no others", async () => {
    const api = await startApi();
    const [mine, other] = [randomUUID(), randomUUID()];
    const line = (message: string, flow_run_id: string) => ({
      name: "x",
      level: 20,
      message,
      timestamp: new Date().toISOString(),
      flow_run_id,
    });
    await api.post("/logs/", [line("before", mine)]);
    const out = await connect(api, "/logs/out");
    await out.next();
    out.send({ type: "filter", filter: { flow_run_id: { any_: [mine] } } });
    const messageOf = async () => ((await out.next()) as unknown as { log: { message: string } }).log.message;
    await api.post("/logs/", [line("not mine", other), line("after", mine)]);
    expect(await messageOf()).toBe("after");
  });
});
