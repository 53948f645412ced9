import { part } from "../calls.ts";
import { decodeWorkQueue } from "../decode.ts";
import { objectIn, textOf } from "../fields.ts";
import { filterAll, withJson } from "./resource.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { Caller } from "../calls.ts";
import type { WorkQueue } from "../types.ts";
import type { WithJson } from "./resource.ts";

/** A queue that knows its pool. */
export interface PoolQueue extends WorkQueue {
  readonly work_pool_id: string | null;
  readonly work_pool_name: string | null;
}

/** The pool of queues that were made without one (prefect/client/schemas/objects.py). */
export const DEFAULT_AGENT_POOL = "default-agent-pool";

const decode = withJson((value: Json): PoolQueue => ({
  ...decodeWorkQueue(value),
  work_pool_id: textOf(objectIn(value, "work queue"), "work_pool_id"),
  work_pool_name: textOf(objectIn(value, "work queue"), "work_pool_name"),
}));

/** The queues of a pool, or all there are. Throws an ApiError 404 for an unknown pool. */
export function listWorkQueues(api: Caller, pool?: string): Promise<WithJson<PoolQueue>[]> {
  const path = pool === undefined ? "/work_queues/filter" : `${queuesOf(pool)}/filter`;
  return filterAll(api, path, {}, decode);
}

/** Creates a queue; without a pool, in the default agent pool. Throws an ApiError: 409 when the name is taken, 404 without pool. */
export function createWorkQueue(
  api: Caller,
  pool: string | undefined,
  body: JsonObject,
): Promise<WithJson<PoolQueue>> {
  const path = pool === undefined ? "/work_queues/" : `${queuesOf(pool)}/`;
  return api.read({ method: "POST", path, body }, decode);
}

/** Null when the pool has no such queue. */
export function findWorkQueue(api: Caller, pool: string, name: string): Promise<WithJson<PoolQueue> | null> {
  return api.find({ method: "GET", path: `${queuesOf(pool)}/${part(name)}` }, decode);
}

/** False when the pool has no such queue. */
export function updateWorkQueue(
  api: Caller,
  pool: string,
  name: string,
  patch: JsonObject,
): Promise<boolean> {
  return api.tell({ method: "PATCH", path: `${queuesOf(pool)}/${part(name)}`, body: patch, accept: [404] });
}

/** False when the pool has no such queue. */
export function deleteWorkQueue(api: Caller, pool: string, name: string): Promise<boolean> {
  return api.tell({ method: "DELETE", path: `${queuesOf(pool)}/${part(name)}`, accept: [404] });
}

function queuesOf(pool: string): string {
  return `/work_pools/${part(pool)}/queues`;
}
