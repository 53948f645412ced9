import { ApiError } from "./errors.ts";
import { decodeScheduledFlowRun, decodeWorkPool, decodeWorkQueue } from "./decode.ts";
import { part } from "./calls.ts";

import type { JsonObject } from "../json/value.ts";
import type { Caller } from "./calls.ts";
import type { CallOptions, Transport } from "./http.ts";
import type { ScheduledFlowRun, WorkPool, WorkQueue } from "./types.ts";

interface NewWorkPool {
  readonly name: string;
  readonly type: string;
  readonly base_job_template?: JsonObject;
}

interface Heartbeat {
  /** The worker's name. */
  readonly name: string;
  readonly heartbeatIntervalSeconds: number;
  /** Asks Cloud for the worker's id; servers that do not know the question are asked without it. */
  readonly returnId?: boolean;
}

interface Poll {
  /** Names of the queues; empty means all. */
  readonly workQueueNames: readonly string[];
  /** Runs scheduled up to this moment are returned. */
  readonly scheduledBefore: Date;
  /** At most 200, which is also the server's default. */
  readonly limit?: number;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export interface WorkPoolCalls {
  /** Null when there is no such pool. */
  readWorkPool(name: string, options?: CallOptions): Promise<WorkPool | null>;
  /** Creates a pool; when somebody else was faster (409) that pool is returned. */
  createWorkPool(pool: NewWorkPool, options?: CallOptions): Promise<WorkPool>;
  updateWorkPool(name: string, patch: JsonObject, options?: CallOptions): Promise<void>;
  /** Queues of a pool, all of them or those of the given names; empty when the pool does not exist. */
  filterWorkQueues(
    pool: string,
    names: readonly string[] | null,
    options?: CallOptions,
  ): Promise<WorkQueue[]>;
  /** Says that the worker is alive. Returns its id when it was asked for and the server tells it. */
  heartbeatWorker(pool: string, heartbeat: Heartbeat, options?: CallOptions): Promise<string | null>;
  /** Runs that are due in the server's order: by queue priority, then by time. A missing pool or queue gives none. */
  getScheduledFlowRuns(pool: string, poll: Poll, options?: CallOptions): Promise<ScheduledFlowRun[]>;
}

export function createWorkPoolCalls(transport: Transport, caller: Caller): WorkPoolCalls {
  function readWorkPool(name: string, options?: CallOptions): Promise<WorkPool | null> {
    return caller.find(
      { method: "GET", path: `/work_pools/${part(name)}`, missingSays: /work pool/i },
      decodeWorkPool,
      options,
    );
  }

  async function beat(
    pool: string,
    heartbeat: Heartbeat,
    options: CallOptions | undefined,
  ): Promise<string | null> {
    const answer = await transport.send(
      {
        method: "POST",
        path: `/work_pools/${part(pool)}/workers/heartbeat`,
        body: {
          name: heartbeat.name,
          heartbeat_interval_seconds: heartbeat.heartbeatIntervalSeconds,
          ...(heartbeat.returnId === true ? { return_id: true } : {}),
        },
        // The id comes as plain text.
        expect: heartbeat.returnId === true ? "text" : "nothing",
      },
      options,
    );
    const id = typeof answer.body === "string" ? answer.body.trim().replaceAll('"', "") : "";
    return UUID.test(id) ? id : null;
  }

  return {
    readWorkPool,

    async createWorkPool(pool, options) {
      const request = {
        method: "POST",
        path: "/work_pools/",
        body: {
          name: pool.name,
          type: pool.type,
          ...(pool.base_job_template === undefined ? {} : { base_job_template: pool.base_job_template }),
        },
      } as const;
      try {
        return await caller.read(request, decodeWorkPool, options);
      } catch (error) {
        const existing = isStatus(error, 409) ? await readWorkPool(pool.name, options) : null;
        if (existing === null) throw error;
        return existing;
      }
    },

    async updateWorkPool(name, patch, options) {
      await caller.tell({ method: "PATCH", path: `/work_pools/${part(name)}`, body: patch }, options);
    },

    filterWorkQueues(pool, names, options) {
      return caller.list(
        {
          method: "POST",
          path: `/work_pools/${part(pool)}/queues/filter`,
          body: {
            work_queues: names === null ? null : { name: { any_: names } },
            limit: null,
            offset: null,
          },
          accept: [404],
        },
        decodeWorkQueue,
        options,
      );
    },

    async heartbeatWorker(pool, heartbeat, options) {
      try {
        return await beat(pool, heartbeat, options);
      } catch (error) {
        if (heartbeat.returnId !== true || !isStatus(error, 422)) throw error;
        return beat(pool, { ...heartbeat, returnId: false }, options);
      }
    },

    getScheduledFlowRuns(pool, poll, options) {
      return caller.list(
        {
          method: "POST",
          path: `/work_pools/${part(pool)}/get_scheduled_flow_runs`,
          body: {
            work_queue_names: poll.workQueueNames,
            scheduled_before: poll.scheduledBefore.toISOString(),
            ...(poll.limit === undefined ? {} : { limit: poll.limit }),
          },
          accept: [404],
        },
        decodeScheduledFlowRun,
        options,
      );
    },
  };
}

function isStatus(error: unknown, status: number): boolean {
  return error instanceof ApiError && error.status === status;
}
