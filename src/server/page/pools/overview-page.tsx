import { call } from "../api/client.ts";
import { useEvents } from "../live/connection.ts";
import { useNow } from "../live/now.ts";
import { useResource } from "../live/resource.ts";
import { Command, EmptyNote, ErrorNote } from "../shell/notes.tsx";
import { PoolCard } from "./pool-card.tsx";
import { Tallies } from "./tallies.tsx";

import type { JSX } from "preact";

import type { JsonObject, WorkPool, WorkQueue, Worker } from "../api/types.ts";

/** A pool with what belongs to it. */
export interface WholePool {
  readonly pool: WorkPool;
  readonly queues: readonly WorkQueue[];
  readonly workers: readonly Worker[];
}

const EVERY_MS = 10_000;
const EVENTS: JsonObject = {
  event: {
    prefix: [
      "prefect.work-pool.",
      "prefect.work-queue.",
      "prefect.worker.",
      "prefect.flow-run.",
      "prefect.deployment.",
    ],
    exclude_prefix: ["prefect.flow-run.heartbeat", "prefect.flow-run.pull-step."],
  },
};

/** Work pools with their queues and workers, and how many runs there are. */
export function OverviewPage(): JSX.Element {
  const pools = useResource("pools", readPools, { everyMs: EVERY_MS });
  const tallies = useResource("tallies", readTallies, { everyMs: EVERY_MS });
  const now = useNow();
  useEvents(EVENTS, () => {
    pools.reload();
    tallies.reload();
  });
  return (
    <main class="view" id="main" tabIndex={-1}>
      <div class="view-head">
        <h1>Pools and workers</h1>
      </div>
      <Tallies counts={tallies.data} />
      <ErrorNote error={pools.error} />
      {pools.data?.map((whole) => (
        <PoolCard key={whole.pool.id} whole={whole} now={now} onChanged={pools.reload} />
      ))}
      {pools.data?.length === 0 && (
        <EmptyNote title="No work pool yet">
          <p>A worker makes its pool when it starts:</p>
          <Command>{`export PREFECT_API_URL=${location.origin}/api\nlighterman worker start --pool my-pool`}</Command>
        </EmptyNote>
      )}
    </main>
  );
}

async function readPools(signal: AbortSignal): Promise<readonly WholePool[]> {
  const pools = await call<readonly WorkPool[]>("POST", "/work_pools/filter", { limit: 200 }, signal);
  return Promise.all(
    pools.map(async (pool) => {
      const path = `/work_pools/${encodeURIComponent(pool.name)}`;
      const [queues, workers] = await Promise.all([
        call<readonly WorkQueue[]>("POST", `${path}/queues/filter`, {}, signal),
        call<readonly Worker[]>("POST", `${path}/workers/filter`, {}, signal),
      ]);
      return { pool, queues, workers };
    }),
  );
}

const DAY_MS = 86_400_000;

async function readTallies(signal: AbortSignal): Promise<Readonly<Record<string, number>>> {
  const since = { end_time: { after_: new Date(Date.now() - DAY_MS).toISOString() } };
  const questions: Readonly<Record<string, JsonObject>> = {
    running: { state: { type: { any_: ["RUNNING", "CANCELLING"] } } },
    pending: { state: { type: { any_: ["PENDING"] } } },
    late: { state: { name: { any_: ["Late"] } } },
    completed: { state: { type: { any_: ["COMPLETED"] } }, ...since },
    failed: { state: { type: { any_: ["FAILED"] } }, ...since },
    crashed: { state: { type: { any_: ["CRASHED"] } }, ...since },
  };
  const counts = await Promise.all(
    Object.entries(questions).map(async ([name, flow_runs]) => {
      const count = await call<number>("POST", "/flow_runs/count", { flow_runs }, signal);
      return [name, count] as const;
    }),
  );
  return Object.fromEntries(counts);
}
