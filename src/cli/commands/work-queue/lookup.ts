import { listWorkPools } from "../../../api/manage/work-pools.ts";
import { DEFAULT_AGENT_POOL, listWorkQueues } from "../../../api/manage/work-queues.ts";
import { WorkerError } from "../../../errors.ts";
import { pickOne } from "../../identify.ts";
import { getWorkPool } from "../work-pool/lookup.ts";

import type { Caller } from "../../../api/calls.ts";
import type { WithJson } from "../../../api/manage/resource.ts";
import type { PoolQueue } from "../../../api/manage/work-queues.ts";

/** A queue whose pool is known. */
export type FoundQueue = WithJson<PoolQueue> & { readonly work_pool_name: string };

/**
 * The queue of a name, an id or a part of an id: in the given pool, else in the default agent pool (as in Prefect), else
 * in the only pool that has one of that name. Throws NOT_FOUND, or USAGE where several pools have one.
 */
export async function getWorkQueue(
  api: Caller,
  reference: string,
  poolName: string | undefined,
): Promise<FoundQueue> {
  const queues = await queuesWithPools(api, poolName);
  const named = queues.filter(({ name }) => name === reference);
  const inAgentPool = named.find((queue) => queue.work_pool_name === DEFAULT_AGENT_POOL);
  if (inAgentPool !== undefined) return inAgentPool;
  if (named.length > 1) {
    const pools = named.map((queue) => queue.work_pool_name).join(", ");
    throw new WorkerError("USAGE", `More than one work pool has a queue '${reference}': ${pools}`, {
      hint: "Say which with --pool NAME.",
    });
  }
  return pickOne(queues, reference, {
    noun: "work queue",
    nameOf: ({ name }) => name,
    listedBy: "lighterman work-queue ls",
  });
}

/** The queues of a pool, or of all, with the names of their pools, which older servers leave out. */
export async function queuesWithPools(api: Caller, poolName: string | undefined): Promise<FoundQueue[]> {
  if (poolName !== undefined) {
    const { name } = await getWorkPool(api, poolName);
    return (await listWorkQueues(api, name)).map((queue) => ({ ...queue, work_pool_name: name }));
  }
  const [queues, pools] = await Promise.all([listWorkQueues(api), listWorkPools(api)]);
  const names = new Map(pools.map(({ id, name }) => [id, name]));
  return queues.map((queue) => ({
    ...queue,
    work_pool_name: queue.work_pool_name ?? names.get(queue.work_pool_id ?? "") ?? "?",
  }));
}
