import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { pino } from "pino";
import { onTestFinished } from "vitest";

import { startServer } from "../../../src/server/server.ts";

import type { Clock } from "../../../src/lifecycle/clock.ts";
import type { RunningServer } from "../../../src/server/server.ts";
import type { ServerSettings } from "../../../src/server/settings.ts";

/** An answer's body; tests look at the fields that they name. */
// oxlint-disable-next-line typescript/no-explicit-any -- JSON of many shapes
type Body = any;

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

/** A running embedded server and calls to it. */
export interface Api {
  readonly server: RunningServer;
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>;
  /** POST that must succeed; returns the body. */
  post(path: string, body: unknown): Promise<Body>;
  get(path: string): Promise<Body>;
  /** Proposes a state. */
  propose(runId: string, state: Record<string, unknown>, force?: boolean): Promise<Answer>;
}

export interface ApiOptions {
  readonly clock?: Clock;
  /** That of a server before; a fresh one otherwise. */
  readonly directory?: string;
}

/** A directory for a server's store, which goes with the test. */
export async function storeDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "server-api-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Starts a server with a store of its own, which ends with the test. */
export async function startApi(
  settings: Partial<ServerSettings> = {},
  { clock, directory }: ApiOptions = {},
): Promise<Api> {
  const server = await startServer({
    settings: { ...settings, dataDirectory: directory ?? (await storeDirectory()), port: 0 },
    logger: pino({ level: "silent" }),
    ...(clock === undefined ? {} : { clock }),
  });
  onTestFinished(() => server.close());

  async function call(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const response = await fetch(server.apiUrl + path, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { "content-type": "application/json", ...headers } }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === "" ? undefined : JSON.parse(text),
    };
  }

  async function must(method: string, path: string, body?: unknown): Promise<Body> {
    const answer = await call(method, path, body);
    if (answer.status >= 300)
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  return {
    server,
    call,
    post: (path, body) => must("POST", path, body),
    get: (path) => must("GET", path),
    propose: (runId, state, force = false) => call("POST", `/flow_runs/${runId}/set_state`, { state, force }),
  };
}

/** A pool `pool` and a deployment `flow/dep` in it; returns the deployment's id. */
export async function deploy(api: Api, fields: Record<string, unknown> = {}): Promise<string> {
  await api.call("POST", "/work_pools/", { name: "pool", type: "process" });
  const flow = await api.post("/flows/", { name: "flow" });
  const { id } = await api.post("/deployments/", {
    name: "dep",
    flow_id: flow.id,
    work_pool_name: "pool",
    ...fields,
  });
  return id as string;
}

/** A run of a deployment, due now. */
export async function run(
  api: Api,
  deploymentId: string,
  body: Record<string, unknown> = {},
): Promise<string> {
  const { id } = await api.post(`/deployments/${deploymentId}/create_flow_run`, body);
  return id as string;
}

/** Ids of the runs that a worker of `pool` gets. */
export async function poll(api: Api, body: Record<string, unknown> = {}): Promise<string[]> {
  const found = await api.post("/work_pools/pool/get_scheduled_flow_runs", {
    scheduled_before: new Date(Date.now() + 10_000).toISOString(),
    ...body,
  });
  return found.map((entry: { flow_run: { id: string } }) => entry.flow_run.id);
}
