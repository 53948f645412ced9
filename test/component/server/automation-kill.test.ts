import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { DatabaseSync } from "@photostructure/sqlite";
import { expect, onTestFinished, test } from "vitest";

import { EmbeddedServer } from "../../support/embedded-server.ts";

const KILLS = 15;
const CLIENTS = 4;
const BATCH = 5;
const LONGEST_LIFE_MS = 250;

async function post(url: string, path: string, body: unknown): Promise<{ id: string }> {
  const response = await fetch(url + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (response.status >= 500) throw new TypeError(`The server answered ${response.status}`);
  if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${text}`);
  return text === "" ? { id: "" } : (JSON.parse(text) as { id: string });
}

function event(name: string): {
  id: string;
  event: string;
  occurred: string;
  resource: object;
  payload: object;
} {
  const id = randomUUID();
  return {
    id,
    event: name,
    occurred: new Date().toISOString(),
    resource: { "prefect.resource.id": "job" },
    payload: { id },
  };
}

/** One client until the server is gone: sends events in batches, and notes those that were acknowledged. */
async function useServer(url: string, acknowledged: Set<string>): Promise<void> {
  try {
    for (;;) {
      const events = Array.from({ length: BATCH }, () => event("job.done"));
      await post(url, "/events", events);
      for (const { id } of events) acknowledged.add(id);
    }
  } catch (thrown) {
    if (!(thrown instanceof TypeError)) throw thrown; // else the connection is gone
  }
}

test(
  "kill -9: every event is counted once, and every action is done once",
  { timeout: 120_000 },
  async () => {
    await using server = await EmbeddedServer.start();
    const flow = await post(server.url, "/flows/", { name: "killed" });
    const deployment = await post(server.url, "/deployments/", { name: "killed", flow_id: flow.id });
    const trigger = { type: "event", posture: "Reactive", expect: ["job.*"] };
    const acting = await post(server.url, "/automations/", {
      name: "acting",
      trigger,
      actions: [
        {
          type: "run-deployment",
          deployment_id: deployment.id,
          parameters: { id: "{{ event.payload.id }}" },
        },
      ],
    });
    const counting = await post(server.url, "/automations/", {
      name: "counting",
      trigger: { ...trigger, threshold: 1_000_000, within: 86_400 },
      actions: [],
    });
    const acknowledged = new Set<string>();
    for (let kill = 0; kill < KILLS; kill += 1) {
      const clients = Array.from({ length: CLIENTS }, () => useServer(server.url, acknowledged));
      await sleep(Math.random() * LONGEST_LIFE_MS);
      await server.stop("SIGKILL");
      await Promise.all(clients);
      await server.resume();
      expect(server.output).not.toMatch(/error/i);
    }
    // Events are evaluated, and actions done, in their order: this is the last.
    const last = event("job.last");
    await post(server.url, "/events", [last]);
    await expect
      .poll(
        async () => {
          const [run] = (await post(server.url, "/flow_runs/filter", {
            sort: "ID_DESC",
            limit: 1,
          })) as unknown as {
            parameters: { id: string };
          }[];
          return run?.parameters.id;
        },
        { timeout: 60_000 },
      )
      .toBe(last.id);
    await server.stop();

    const store = new DatabaseSync(join(server.directory, "data", "server.db"));
    onTestFinished(() => store.close());
    const column = (sql: string, ...values: readonly string[]): string[] =>
      (store.prepare(sql).all(...values) as { value: string }[]).map(({ value }) => value);
    const stored = column("SELECT id AS value FROM event WHERE event LIKE 'job.%' ORDER BY id");
    expect(acknowledged.size).toBeGreaterThan(KILLS);
    expect([...acknowledged].filter((id) => !stored.includes(id))).toEqual([]);
    const runs = column("SELECT parameters ->> '$.id' AS value FROM flow_run ORDER BY value");
    expect(runs).toEqual(stored);
    expect(
      column("SELECT count AS value FROM automation_bucket WHERE automation_id = ?", counting.id),
    ).toEqual([stored.length]);
    for (const name of ["triggered", "action.triggered", "action.executed"]) {
      const said = column(
        "SELECT id AS value FROM event WHERE event = ? AND resource_id = ?",
        `prefect.automation.${name}`,
        `prefect.automation.${acting.id}`,
      );
      expect(said).toHaveLength(stored.length);
    }
    expect(column("SELECT id AS value FROM automation_action")).toEqual([]);
  },
);
