import { randomUUID } from "node:crypto";

import { textOf } from "../../../src/api/fields.ts";
import { isJsonObject } from "../../../src/json/value.ts";

import type { Json, JsonObject } from "../../../src/json/value.ts";
import type { Proposal } from "./rules.ts";
import type { FakeBlock, FakeFlowRun, FakeWorkPool, Store } from "./store.ts";

export interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

interface Call {
  /** What the pattern's groups matched, decoded. */
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
  readonly body: JsonObject;
  readonly list: readonly Json[];
}

interface Route {
  readonly method: string;
  readonly pattern: RegExp;
  readonly handle: (store: Store, call: Call) => Answer;
}

const NOT_FOUND: Answer = { status: 404, body: { detail: "Not Found" } };
const DONE: Answer = { status: 204 };

function ok(body: unknown, status = 200): Answer {
  return { status, body };
}

function route(method: string, path: string, handle: Route["handle"]): Route {
  return { method, pattern: new RegExp(`^${path.replaceAll("*", "([^/]+)")}/?$`), handle };
}

const ROUTES: readonly Route[] = [
  route("GET", "/health", () => ok(true)),

  route("POST", "/work_pools", (store, { body }) => {
    const name = textOf(body, "name") ?? "";
    if (store.workPools.has(name))
      return { status: 409, body: { detail: "A work pool with this name exists." } };
    const pool = store.addWorkPool({
      name,
      type: textOf(body, "type") ?? "prefect-agent",
      base_job_template: objectOf(body["base_job_template"]),
    });
    return ok(pool, 201);
  }),
  route("GET", "/work_pools/*", (store, { parts: [name = ""] }) => withPool(store, name, (pool) => ok(pool))),
  route("PATCH", "/work_pools/*", (store, { parts: [name = ""], body }) =>
    withPool(store, name, (pool) => {
      Object.assign(pool, body);
      return DONE;
    }),
  ),
  route("POST", "/work_pools/*/queues/filter", (store, { parts: [name = ""], body }) =>
    withPool(store, name, (pool) => {
      const names = namesIn(objectOf(objectOf(body["work_queues"])["name"])["any_"]);
      return ok(
        store.workQueues.filter(
          (queue) => queue.work_pool_id === pool.id && (names === undefined || names.includes(queue.name)),
        ),
      );
    }),
  ),
  route("POST", "/work_pools/*/workers/heartbeat", (store, { parts: [name = ""], body }) =>
    withPool(store, name, (pool) => {
      pool.status = "READY";
      store.workerHeartbeats.push({ pool: name, body });
      return DONE;
    }),
  ),
  route("POST", "/work_pools/*/get_scheduled_flow_runs", (store, { parts: [name = ""], body }) =>
    withPool(store, name, (pool) => {
      const limit = Number(body["limit"] ?? 200);
      if (limit > 200) return { status: 422, body: { detail: "limit must be at most 200" } };
      const before = Date.parse(textOf(body, "scheduled_before") ?? new Date().toISOString());
      const runs = store.scheduledRuns(pool, namesIn(body["work_queue_names"]) ?? [], before, limit);
      if (runs === undefined) return NOT_FOUND;
      return ok(
        runs.map((run) => ({
          work_pool_id: pool.id,
          work_queue_id: run.work_queue_id,
          flow_run: publicRun(run),
        })),
      );
    }),
  ),

  route("GET", "/deployments/name/*/*", (store, { parts: [flowName, name] }) => {
    const found = [...store.deployments.values()].find(
      (deployment) => deployment.name === name && store.flows.get(deployment.flow_id)?.name === flowName,
    );
    return found === undefined ? NOT_FOUND : ok(found);
  }),
  route("GET", "/deployments/*", (store, { parts: [id = ""] }) => read(store.deployments.get(id))),
  route("POST", "/deployments/*/create_flow_run", (store, { parts: [id = ""], body }) => {
    const deployment = store.deployments.get(id);
    if (deployment === undefined) return NOT_FOUND;
    const state = objectOf(body["state"]);
    const scheduled = objectOf(state["state_details"])["scheduled_time"];
    const run = store.addFlowRun({
      deployment,
      parameters: { ...deployment.parameters, ...objectOf(body["parameters"]) },
      job_variables: objectOf(body["job_variables"]),
      ...(typeof body["name"] === "string" ? { name: body["name"] } : {}),
      ...(typeof scheduled === "string" ? { scheduledTime: new Date(scheduled) } : {}),
    });
    return ok(publicRun(run), 201);
  }),
  route("GET", "/flows/*", (store, { parts: [id = ""] }) => read(store.flows.get(id))),

  route("POST", "/flow_runs/filter", (store, { body }) => {
    const filter = objectOf(body["flow_runs"]);
    const ids = namesIn(objectOf(filter["id"])["any_"]);
    const notIds = namesIn(objectOf(filter["id"])["not_any_"]);
    const types = namesIn(objectOf(objectOf(filter["state"])["type"])["any_"]);
    return ok(
      [...store.flowRuns.values()]
        .filter(
          (run) =>
            ids?.includes(run.id) !== false &&
            notIds?.includes(run.id) !== true &&
            types?.includes(run.state?.type ?? "") !== false,
        )
        .map((run) => publicRun(run)),
    );
  }),
  route("GET", "/flow_runs/*", (store, { parts: [id = ""] }) =>
    withRun(store, id, (run) => ok(publicRun(run))),
  ),
  route("GET", "/flow_run_states", (store, { query }) =>
    withRun(store, query.get("flow_run_id") ?? "", (run) => ok(run.history)),
  ),
  route("PATCH", "/flow_runs/*/labels", (store, { parts: [id = ""], body }) =>
    withRun(store, id, (run) => {
      run.labels = { ...run.labels, ...body };
      return DONE;
    }),
  ),
  route("PATCH", "/flow_runs/*", (store, { parts: [id = ""], body }) =>
    withRun(store, id, (run) => {
      Object.assign(run, body);
      return DONE;
    }),
  ),
  route("POST", "/flow_runs/*/set_state", (store, { parts: [id = ""], body }) =>
    withRun(store, id, (run) => {
      const ruling = store.propose(
        run,
        objectOf(body["state"]) as unknown as Proposal,
        body["force"] === true,
      );
      return ok(
        {
          state: ruling.state,
          status: ruling.status,
          details: {
            type: `${ruling.status.toLowerCase()}_details`,
            ...(ruling.reason === undefined ? {} : { reason: ruling.reason }),
            ...(ruling.delaySeconds === undefined ? {} : { delay_seconds: ruling.delaySeconds }),
          },
        },
        ruling.isWritten ? 201 : 200,
      );
    }),
  ),

  route("GET", "/block_types/slug/*/block_documents/name/*", (store, { parts: [slug, name], query }) =>
    readBlock(
      store.blocks.find((block) => block.typeSlug === slug && block.name === name),
      query,
    ),
  ),
  route("GET", "/block_documents/*", (store, { parts: [id], query }) =>
    readBlock(
      store.blocks.find((block) => block.id === id),
      query,
    ),
  ),
  route("GET", "/variables/name/*", (store, { parts: [name = ""] }) =>
    store.variables.has(name)
      ? ok({ id: randomUUID(), name, value: store.variables.get(name), tags: [] })
      : NOT_FOUND,
  ),

  route("POST", "/logs", (store, { list }) => {
    store.logs.push(...list.filter((entry) => isJsonObject(entry)));
    return { status: 201, body: null };
  }),
];

/** Answers a request from the store; undefined for a path that the fake does not know. */
export function answerFrom(
  store: Store,
  request: {
    readonly method: string;
    readonly path: string;
    readonly query: URLSearchParams;
    readonly body: Json;
  },
): Answer | undefined {
  for (const { method, pattern, handle } of ROUTES) {
    const match = method === request.method ? pattern.exec(request.path) : null;
    if (match === null) continue;
    return handle(store, {
      parts: match.slice(1).map((part) => decodeURIComponent(part)),
      query: request.query,
      body: isJsonObject(request.body) ? request.body : {},
      list: Array.isArray(request.body) ? (request.body as readonly Json[]) : [],
    });
  }
  return undefined;
}

function withPool(store: Store, name: string, answer: (pool: FakeWorkPool) => Answer): Answer {
  const pool = store.workPools.get(name);
  return pool === undefined
    ? { status: 404, body: { detail: `Work pool "${name}" not found.` } }
    : answer(pool);
}

function withRun(store: Store, id: string, answer: (run: FakeFlowRun) => Answer): Answer {
  const run = store.flowRuns.get(id);
  return run === undefined ? { status: 404, body: { detail: "Flow run not found" } } : answer(run);
}

function read(value: unknown): Answer {
  return value === undefined ? NOT_FOUND : ok(value);
}

function readBlock(block: FakeBlock | undefined, query: URLSearchParams): Answer {
  if (block === undefined) return NOT_FOUND;
  const isOpen = query.get("include_secrets") === "true";
  return ok({
    id: block.id,
    name: block.name,
    data: isOpen ? block.data : masked(block.data),
    block_type: { slug: block.typeSlug },
    block_document_references: {},
  });
}

function masked(value: Json): Json {
  if (!isJsonObject(value)) return typeof value === "string" ? "********" : value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, masked(item)]));
}

function publicRun(run: FakeFlowRun): object {
  const { history: _, ...fields } = run;
  return { ...fields, state_type: run.state?.type ?? null, state_name: run.state?.name ?? null };
}

function objectOf(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

function namesIn(value: Json | undefined): readonly string[] | undefined {
  return Array.isArray(value) ? value.filter((item: Json) => typeof item === "string") : undefined;
}
