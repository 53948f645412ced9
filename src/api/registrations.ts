import { part } from "./calls.ts";
import { objectIn, requiredText } from "./fields.ts";

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
  /** Flows of these names: name to id. */
  readFlowIds(names: readonly string[], options?: CallOptions): Promise<ReadonlyMap<string, string>>;
  /** All deployments of these names, whatever their flows. */
  readRawDeployments(names: readonly string[], options?: CallOptions): Promise<readonly RawDeployment[]>;
  /** Returns the new deployment's id. */
  createDeployment(body: JsonObject, options?: CallOptions): Promise<string>;
  updateDeployment(id: string, body: JsonObject, options?: CallOptions): Promise<void>;
  /** All automations. Empty where the server knows none. */
  readAutomations(options?: CallOptions): Promise<readonly JsonObject[]>;
  /** Those that belong to a resource (`prefect.deployment.ID`). False where the server knows no automations. */
  deleteOwnedAutomations(resource: string, options?: CallOptions): Promise<boolean>;
  /** Makes these the agreements of a resource, in place of those that it had (prefect/_experimental/sla/client.py). */
  applySlas(resource: string, slas: readonly JsonObject[], options?: CallOptions): Promise<void>;
  createAutomation(body: JsonObject, options?: CallOptions): Promise<string>;
  countOnlineWorkers(workPool: string, options?: CallOptions): Promise<number>;
}

export function createRegistrationCalls(caller: Caller): RegistrationCalls {
  return {
    createFlow: (name, options) =>
      caller.read({ method: "POST", path: "/flows/", body: { name } }, decodeId, eager(options)),

    async readFlowIds(names, options) {
      const flows = await allOf(names, async (any_, page) => {
        const body = { flows: { name: { any_ } }, ...page };
        return await caller.list({ method: "POST", path: "/flows/filter", body }, decodeNamed, options);
      });
      return new Map(flows.map(({ name, id }) => [name, id]));
    },

    readRawDeployments: (names, options) =>
      allOf(names, async (any_, page) => {
        const body = { deployments: { name: { any_ } }, ...page };
        const request = { method: "POST", path: "/deployments/filter", body } as const;
        return await caller.list(request, decodeRawDeployment, options);
      }),

    createDeployment: (body, options) =>
      caller.read({ method: "POST", path: "/deployments/", body }, decodeId, eager(options)),

    async updateDeployment(id, body, options) {
      await caller.tell({ method: "PATCH", path: `/deployments/${part(id)}`, body }, eager(options));
    },

    readAutomations: (options) =>
      allPages(async (page) => {
        const request = { method: "POST", path: "/automations/filter", body: page, accept: [404] } as const;
        return await caller.list(request, (item) => objectIn(item, "automation"), options);
      }),

    deleteOwnedAutomations: (resource, options) =>
      caller.tell(
        { method: "DELETE", path: `/automations/owned-by/${part(resource)}`, accept: [404] },
        eager(options),
      ),

    async applySlas(resource, slas, options) {
      const body = slas.map((sla) => ({ ...sla, owner_resource: resource }));
      await caller.tell(
        { method: "POST", path: `/slas/apply-resource-slas/${part(resource)}`, body },
        options,
      );
    },

    createAutomation: (body, options) =>
      caller.read({ method: "POST", path: "/automations/", body }, decodeId, eager(options)),

    async countOnlineWorkers(workPool, options) {
      const filter = { workers: { status: { any_: ["ONLINE"] } }, limit: 1 };
      const path = `/work_pools/${part(workPool)}/workers/filter`;
      const request = { method: "POST", path, body: filter, accept: [404] } as const;
      return (await caller.list(request, (item) => item, options)).length;
    },
  };
}

/** All writes of a registration may be repeated, and some hundred in a row meet what a server on SQLite writes by itself. */
function eager(options: CallOptions | undefined): CallOptions {
  return { ...options, isEager: true };
}

interface Page extends JsonObject {
  readonly limit: number;
  readonly offset: number;
}

// What a server gives at most (protocol §1.5).
const PAGE_SIZE = 200;

/** Everything that a filter by name finds, some names a time. */
async function allOf<T>(
  names: readonly string[],
  read: (names: readonly string[], page: Page) => Promise<readonly T[]>,
): Promise<readonly T[]> {
  const unique = [...new Set(names)];
  const parts: (readonly T[])[] = [];
  for (let at = 0; at < unique.length; at += PAGE_SIZE) {
    const some = unique.slice(at, at + PAGE_SIZE);
    parts.push(await allPages((page) => read(some, page)));
  }
  return parts.flat();
}

async function allPages<T>(read: (page: Page) => Promise<readonly T[]>): Promise<readonly T[]> {
  const all: T[] = [];
  for (;;) {
    const found = await read({ limit: PAGE_SIZE, offset: all.length });
    all.push(...found);
    if (found.length < PAGE_SIZE) return all;
  }
}

function decodeId(body: Json): string {
  return requiredText(objectIn(body, "object"), "id");
}

function decodeNamed(body: Json): { readonly id: string; readonly name: string } {
  const object = objectIn(body, "object");
  return { id: requiredText(object, "id"), name: requiredText(object, "name") };
}

function decodeRawDeployment(body: Json): RawDeployment {
  const object = objectIn(body, "deployment");
  return { ...object, ...decodeNamed(body), flow_id: requiredText(object, "flow_id") };
}
