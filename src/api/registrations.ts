import { isJsonObject } from "../json/value.ts";
import { part } from "./calls.ts";
import { listIn, objectIn, requiredText } from "./fields.ts";

import type { Json, JsonObject } from "../json/value.ts";
import type { Caller } from "./calls.ts";
import type { CallOptions } from "./http.ts";

/** A deployment with all its fields, as the server sent it. */
export interface RawDeployment extends JsonObject {
  readonly id: string;
  readonly name: string;
  readonly flow_id: string;
}

/** Writes of what a project registers, and the reads that go before. Bodies are those of the API (protocol §8.1). */
export interface RegistrationCalls {
  /** Registers a flow, or finds the one of that name. Returns its id. */
  createFlow(name: string, options?: CallOptions): Promise<string>;
  /** Null when there is none of that name. */
  readRawDeploymentByName(
    flow: string,
    deployment: string,
    options?: CallOptions,
  ): Promise<RawDeployment | null>;
  /** Returns the new deployment's id. */
  createDeployment(body: JsonObject, options?: CallOptions): Promise<string>;
  updateDeployment(id: string, body: JsonObject, options?: CallOptions): Promise<void>;
  /** Automations that belong to a resource (`prefect.deployment.ID`). Empty where the server knows no automations. */
  readOwnedAutomations(resource: string, options?: CallOptions): Promise<readonly JsonObject[]>;
  /** False where the server knows no automations. */
  deleteOwnedAutomations(resource: string, options?: CallOptions): Promise<boolean>;
  createAutomation(body: JsonObject, options?: CallOptions): Promise<string>;
  countOnlineWorkers(workPool: string, options?: CallOptions): Promise<number>;
}

export function createRegistrationCalls(caller: Caller): RegistrationCalls {
  return {
    createFlow: (name, options) =>
      caller.read({ method: "POST", path: "/flows/", body: { name } }, decodeId, options),

    readRawDeploymentByName: (flow, deployment, options) =>
      caller.find(
        { method: "GET", path: `/deployments/name/${part(flow)}/${part(deployment)}` },
        decodeRawDeployment,
        options,
      ),

    createDeployment: (body, options) =>
      caller.read({ method: "POST", path: "/deployments/", body }, decodeId, options),

    async updateDeployment(id, body, options) {
      await caller.tell({ method: "PATCH", path: `/deployments/${part(id)}`, body }, options);
    },

    readOwnedAutomations: async (resource, options) =>
      (await caller.find(
        { method: "GET", path: `/automations/owned-by/${part(resource)}` },
        (body) => listIn(body, "automations").filter((item) => isJsonObject(item)),
        options,
      )) ?? [],

    deleteOwnedAutomations: (resource, options) =>
      caller.tell(
        { method: "DELETE", path: `/automations/owned-by/${part(resource)}`, accept: [404] },
        options,
      ),

    createAutomation: (body, options) =>
      caller.read({ method: "POST", path: "/automations/", body }, decodeId, options),

    async countOnlineWorkers(workPool, options) {
      const filter = { workers: { status: { any_: ["ONLINE"] } }, limit: 1 };
      const path = `/work_pools/${part(workPool)}/workers/filter`;
      const workers = await caller.list(
        { method: "POST", path, body: filter, accept: [404] },
        (item) => item,
        options,
      );
      return workers.length;
    },
  };
}

function decodeId(body: Json): string {
  return requiredText(objectIn(body, "object"), "id");
}

function decodeRawDeployment(body: Json): RawDeployment {
  const object = objectIn(body, "deployment");
  const [id, name, flowId] = ["id", "name", "flow_id"].map((key) => requiredText(object, key));
  return { ...object, id: id ?? "", name: name ?? "", flow_id: flowId ?? "" };
}
