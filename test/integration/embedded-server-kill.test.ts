import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { DatabaseSync } from "@photostructure/sqlite";
import { expect, onTestFinished, test } from "vitest";

import { EmbeddedServer } from "../support/embedded-server.ts";

const KILLS = 200;
const CLIENTS = 8;
const LONGEST_LIFE_MS = 400;

interface Answer {
  readonly id: string;
  readonly status: string;
  readonly state: { readonly id: string };
}

/** What the clients were told; all of it must be found again. */
class Ledger {
  readonly runs = new Set<string>();
  /** Ids of the states that were accepted, with their run. */
  readonly states = new Map<string, string>();
  /** How often the claim of a run was accepted. */
  readonly claims = new Map<string, number>();
  readonly variables = new Map<string, number>();
}

async function post(url: string, path: string, body: unknown): Promise<Answer> {
  const response = await fetch(url + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (response.status >= 500) throw new TypeError(`The server answered ${response.status}`);
  if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${text}`);
  return JSON.parse(text) as Answer;
}

/** One client until the server is gone: creates runs, claims each twice at once, and sets a variable. */
async function useServer(url: string, flowId: string, ledger: Ledger, name: string): Promise<void> {
  for (let round = 0; ; round += 1) {
    try {
      const { id } = await post(url, "/flow_runs/", { flow_id: flowId, state: { type: "SCHEDULED" } });
      ledger.runs.add(id);
      const claim = async (): Promise<void> => {
        const { status, state } = await post(url, `/flow_runs/${id}/set_state`, {
          state: { type: "PENDING", name: "Pending" },
        });
        if (status !== "ACCEPT") return;
        ledger.claims.set(id, (ledger.claims.get(id) ?? 0) + 1);
        ledger.states.set(state.id, id);
      };
      const outcomes = await Promise.allSettled([claim(), claim()]);
      const failure = outcomes.find((outcome) => outcome.status === "rejected");
      if (failure !== undefined) throw failure.reason;
      const variable = `${name}_${round}`;
      await post(url, "/variables/", { name: variable, value: round });
      ledger.variables.set(variable, round);
    } catch (thrown) {
      if (thrown instanceof TypeError) return; // the connection is gone
      throw thrown;
    }
  }
}

test(
  "kill -9 loses nothing that was acknowledged, and no run is claimed twice",
  { timeout: 900_000 },
  async () => {
    await using server = await EmbeddedServer.start();
    const { id: flowId } = await post(server.url, "/flows/", { name: "killed" });
    const ledger = new Ledger();
    for (let kill = 0; kill < KILLS; kill += 1) {
      const clients = Array.from({ length: CLIENTS }, (_, at) =>
        useServer(server.url, flowId, ledger, `k${kill}_${at}`),
      );
      await sleep(Math.random() * LONGEST_LIFE_MS);
      await server.stop("SIGKILL");
      await Promise.all(clients);
      await server.resume();
      expect(server.output).not.toMatch(/error/i);
    }
    await server.stop();

    const database = new DatabaseSync(join(server.directory, "data", "server.db"));
    onTestFinished(() => database.close());
    const column = (sql: string): Set<unknown> =>
      new Set((database.prepare(sql).all() as { value: unknown }[]).map(({ value }) => value));
    expect(database.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    expect(database.prepare("PRAGMA foreign_key_check").all()).toEqual([]);
    expect(ledger.runs.size).toBeGreaterThan(KILLS);
    expect(ledger.states.size).toBeGreaterThan(KILLS);
    const runs = column("SELECT id AS value FROM flow_run");
    expect([...ledger.runs].filter((id) => !runs.has(id))).toEqual([]);
    const states = column("SELECT id AS value FROM flow_run_state");
    expect([...ledger.states.keys()].filter((id) => !states.has(id))).toEqual([]);
    const variables = column("SELECT name || '=' || value AS value FROM variable");
    expect([...ledger.variables].filter(([name, value]) => !variables.has(`${name}=${value}`))).toEqual([]);
    // In the answers, and in what was written.
    expect([...ledger.claims].filter(([, count]) => count > 1)).toEqual([]);
    const claimedTwice = database
      .prepare(
        "SELECT flow_run_id FROM flow_run_state WHERE type = 'PENDING' GROUP BY flow_run_id HAVING count(*) > 1",
      )
      .all();
    expect(claimedTwice).toEqual([]);
  },
);
