import { part } from "../calls.ts";
import { decodeFlowRun, decodeWorkPool } from "../decode.ts";
import { FieldError, objectIn } from "../fields.ts";
import { filterAll, withJson } from "./resource.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { Caller } from "../calls.ts";
import type { FlowRun, WorkPool } from "../types.ts";
import type { WithJson } from "./resource.ts";

const decode = withJson(decodeWorkPool);

/** All work pools. */
export function listWorkPools(api: Caller): Promise<WithJson<WorkPool>[]> {
  return filterAll(api, "/work_pools/filter", {}, decode);
}

/** Null when there is no such pool. */
export function findWorkPool(api: Caller, name: string): Promise<WithJson<WorkPool> | null> {
  return api.find({ method: "GET", path: `/work_pools/${part(name)}`, missingSays: /work pool/i }, decode);
}

/** Creates a pool; `body` as in `POST /work_pools/`. Throws an ApiError 409 when the name is taken. */
export function createWorkPool(api: Caller, body: JsonObject): Promise<WithJson<WorkPool>> {
  return api.read({ method: "POST", path: "/work_pools/", body }, decode);
}

/** False when there is no such pool. */
export function updateWorkPool(api: Caller, name: string, patch: JsonObject): Promise<boolean> {
  return api.tell({ method: "PATCH", path: `/work_pools/${part(name)}`, body: patch, accept: [404] });
}

/** False when there is no such pool. */
export function deleteWorkPool(api: Caller, name: string): Promise<boolean> {
  return api.tell({ method: "DELETE", path: `/work_pools/${part(name)}`, accept: [404] });
}

/** The runs that a pool's workers are given up to a moment, all queues or one, by queue priority and time. */
export function previewWorkPool(
  api: Caller,
  name: string,
  { queue, before }: { readonly queue?: string | undefined; readonly before: Date },
): Promise<WithJson<FlowRun>[]> {
  const decodeRun = withJson(decodeFlowRun);
  return api.list(
    {
      method: "POST",
      path: `/work_pools/${part(name)}/get_scheduled_flow_runs`,
      body: {
        ...(queue === undefined ? {} : { work_queue_names: [queue] }),
        scheduled_before: before.toISOString(),
      },
    },
    (value) => decodeRun(objectIn(value, "scheduled run")["flow_run"] ?? null),
  );
}

/**
 * The default base job template of each type of pool that the server knows; null when it does not tell (the embedded one).
 * (prefect/client/collections.py)
 */
export function readWorkerTypes(api: Caller): Promise<ReadonlyMap<string, JsonObject> | null> {
  return api.find({ method: "GET", path: "/collections/views/aggregate-worker-metadata" }, decodeWorkerTypes);
}

function decodeWorkerTypes(value: Json): ReadonlyMap<string, JsonObject> {
  const collections = Object.values(objectIn(value, "view of worker types"));
  return new Map(
    collections.flatMap((collection) =>
      Object.entries(objectIn(collection, "collection")).flatMap(([type, worker]) => {
        const template = objectIn(worker, "worker type")["default_base_job_configuration"];
        if (template === undefined) throw new FieldError(`has no template for ${type}`);
        return [[type, objectIn(template, "template")] as const];
      }),
    ),
  );
}
