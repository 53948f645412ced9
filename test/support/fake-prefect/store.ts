import { randomUUID } from "node:crypto";

import { textOf } from "../../../src/api/fields.ts";
import { judge, newState } from "./rules.ts";

import type { StateType } from "../../../src/api/types.ts";
import type { Json, JsonObject } from "../../../src/json/value.ts";
import type { FakeState, Proposal, Ruling } from "./rules.ts";

export interface FakeWorkPool {
  readonly id: string;
  readonly name: string;
  type: string;
  base_job_template: JsonObject;
  is_paused: boolean;
  concurrency_limit: number | null;
  status: string;
}

export interface FakeWorkQueue {
  readonly id: string;
  readonly name: string;
  readonly work_pool_id: string;
  is_paused: boolean;
  priority: number;
  concurrency_limit: number | null;
}

export interface FakeDeployment {
  readonly id: string;
  readonly name: string;
  readonly flow_id: string;
  entrypoint: string | null;
  path: string | null;
  storage_document_id: string | null;
  pull_steps: readonly Json[] | null;
  job_variables: JsonObject;
  work_pool_name: string | null;
  work_queue_name: string | null;
  parameters: JsonObject;
  tags: readonly string[];
  updated: string;
  version: string | null;
}

export interface FakeFlowRun {
  readonly id: string;
  name: string;
  readonly flow_id: string;
  readonly deployment_id: string | null;
  readonly work_pool_name: string | null;
  readonly work_queue_name: string | null;
  readonly work_queue_id: string | null;
  parameters: JsonObject;
  job_variables: JsonObject;
  tags: readonly string[];
  labels: JsonObject;
  run_count: number;
  infrastructure_pid: string | null;
  expected_start_time: string | null;
  next_scheduled_start_time: string | null;
  start_time: string | null;
  empirical_policy: JsonObject;
  state: FakeState | null;
  /** All states that were written, the first first. */
  readonly history: FakeState[];
}

export interface FakeBlock {
  readonly id: string;
  readonly name: string;
  readonly typeSlug: string;
  data: Json;
}

/** Everything that the fake server knows. Tests may read and change it directly. */
export class Store {
  readonly workPools = new Map<string, FakeWorkPool>();
  readonly workQueues: FakeWorkQueue[] = [];
  readonly flows = new Map<string, { readonly id: string; readonly name: string }>();
  readonly deployments = new Map<string, FakeDeployment>();
  readonly flowRuns = new Map<string, FakeFlowRun>();
  readonly blocks: FakeBlock[] = [];
  readonly variables = new Map<string, Json>();
  readonly logs: JsonObject[] = [];
  readonly workerHeartbeats: { readonly pool: string; readonly body: JsonObject }[] = [];
  readonly #onState: (run: FakeFlowRun, state: FakeState) => void;

  constructor(onState: (run: FakeFlowRun, state: FakeState) => void) {
    this.#onState = onState;
  }

  addWorkPool(fields: Partial<Omit<FakeWorkPool, "id">> & { readonly name: string }): FakeWorkPool {
    const pool: FakeWorkPool = {
      id: randomUUID(),
      type: "process",
      base_job_template: {},
      is_paused: false,
      concurrency_limit: null,
      status: "NOT_READY",
      ...fields,
    };
    this.workPools.set(pool.name, pool);
    this.addWorkQueue(pool.name, { name: "default", priority: 1 });
    return pool;
  }

  addWorkQueue(
    poolName: string,
    fields: Partial<Omit<FakeWorkQueue, "id" | "work_pool_id">> & { readonly name: string },
  ): FakeWorkQueue {
    const queue: FakeWorkQueue = {
      id: randomUUID(),
      work_pool_id: this.#pool(poolName).id,
      is_paused: false,
      priority: 1,
      concurrency_limit: null,
      ...fields,
    };
    this.workQueues.push(queue);
    return queue;
  }

  addFlow(name: string): { readonly id: string; readonly name: string } {
    const existing = [...this.flows.values()].find((flow) => flow.name === name);
    if (existing !== undefined) return existing;
    const flow = { id: randomUUID(), name };
    this.flows.set(flow.id, flow);
    return flow;
  }

  addDeployment(
    fields: Partial<Omit<FakeDeployment, "id" | "flow_id">> & { readonly flow?: string } = {},
  ): FakeDeployment {
    const { flow = "my-flow", ...rest } = fields;
    const deployment: FakeDeployment = {
      id: randomUUID(),
      name: "my-deployment",
      flow_id: this.addFlow(flow).id,
      entrypoint: "flow.py:my_flow",
      path: null,
      storage_document_id: null,
      pull_steps: null,
      job_variables: {},
      work_pool_name: null,
      work_queue_name: null,
      parameters: {},
      tags: [],
      updated: new Date().toISOString(),
      version: null,
      ...rest,
    };
    this.deployments.set(deployment.id, deployment);
    return deployment;
  }

  /** A run, SCHEDULED for now unless told otherwise, in the deployment's pool and queue unless others are named. */
  addFlowRun(
    fields: Partial<Omit<FakeFlowRun, "id" | "flow_id" | "deployment_id" | "state" | "history">> & {
      readonly deployment?: FakeDeployment;
      readonly flow?: string;
      readonly scheduledTime?: Date;
      readonly stateType?: StateType;
      readonly stateName?: string;
    } = {},
  ): FakeFlowRun {
    const {
      deployment,
      flow,
      scheduledTime = new Date(),
      stateType = "SCHEDULED",
      stateName,
      ...rest
    } = fields;
    const poolName = rest.work_pool_name ?? deployment?.work_pool_name ?? null;
    const queueName = rest.work_queue_name ?? deployment?.work_queue_name ?? "default";
    const due = stateType === "SCHEDULED" ? scheduledTime.toISOString() : null;
    const run: FakeFlowRun = {
      id: randomUUID(),
      name: `run-${this.flowRuns.size + 1}`,
      flow_id: deployment?.flow_id ?? this.addFlow(flow ?? "my-flow").id,
      deployment_id: deployment?.id ?? null,
      work_pool_name: poolName,
      work_queue_name: poolName === null ? null : queueName,
      work_queue_id: poolName === null ? null : this.#queue(poolName, queueName).id,
      parameters: {},
      job_variables: {},
      tags: [],
      labels: {},
      run_count: 0,
      infrastructure_pid: null,
      expected_start_time: due,
      next_scheduled_start_time: due,
      start_time: null,
      empirical_policy: {},
      state: null,
      history: [],
      ...rest,
    };
    this.flowRuns.set(run.id, run);
    this.#write(
      run,
      newState({
        type: stateType,
        name: stateName ?? null,
        state_details: due === null ? {} : { scheduled_time: due },
      }),
    );
    return run;
  }

  addBlock(typeSlug: string, name: string, data: Json): FakeBlock {
    const block = { id: randomUUID(), name, typeSlug, data };
    this.blocks.push(block);
    return block;
  }

  propose(run: FakeFlowRun, proposal: Proposal, force: boolean): Ruling {
    const ruling = judge(run.state, proposal, { infrastructure_pid: run.infrastructure_pid, force });
    if (ruling.isWritten) this.#write(run, ruling.state);
    return ruling;
  }

  /** What the poll returns (protocol §1.5); undefined when a named queue does not exist. */
  scheduledRuns(
    pool: FakeWorkPool,
    queueNames: readonly string[],
    before: number,
    limit: number,
  ): FakeFlowRun[] | undefined {
    const queues = this.workQueues.filter((queue) => queue.work_pool_id === pool.id);
    if (queueNames.some((name) => !queues.some((queue) => queue.name === name))) return undefined;
    if (pool.is_paused) return [];
    const free = new Map(
      queues.map((queue) => [
        queue.id,
        queue.is_paused
          ? 0
          : (queue.concurrency_limit ?? Infinity) - this.#active({ work_queue_id: queue.id }),
      ]),
    );
    let poolFree = (pool.concurrency_limit ?? Infinity) - this.#active({ work_pool_name: pool.name });
    const isAsked = (name: string | null): boolean =>
      queueNames.length === 0 || (name !== null && queueNames.includes(name));
    return [...this.flowRuns.values()]
      .filter(
        (run) =>
          run.work_pool_name === pool.name &&
          isAsked(run.work_queue_name) &&
          run.state?.type === "SCHEDULED" &&
          run.empirical_policy["retry_type"] !== "in_process" &&
          Date.parse(run.next_scheduled_start_time ?? "") <= before,
      )
      .sort((a, b) => this.#priority(a) - this.#priority(b) || dueOf(a) - dueOf(b))
      .filter((run) => {
        const queueFree = free.get(run.work_queue_id ?? "") ?? 0;
        if (queueFree < 1 || poolFree < 1) return false;
        free.set(run.work_queue_id ?? "", queueFree - 1);
        poolFree -= 1;
        return true;
      })
      .slice(0, limit);
  }

  #write(run: FakeFlowRun, state: FakeState): void {
    run.state = state;
    run.history.push(state);
    if (state.type === "RUNNING") {
      run.run_count += 1;
      run.start_time ??= state.timestamp;
    }
    if (state.type === "SCHEDULED") {
      run.next_scheduled_start_time = textOf(state.state_details, "scheduled_time") ?? state.timestamp;
    }
    this.#onState(run, state);
  }

  #active(where: { readonly work_queue_id?: string; readonly work_pool_name?: string }): number {
    return [...this.flowRuns.values()].filter(
      (run) =>
        (where.work_queue_id === undefined || run.work_queue_id === where.work_queue_id) &&
        (where.work_pool_name === undefined || run.work_pool_name === where.work_pool_name) &&
        (run.state?.type === "PENDING" || run.state?.type === "RUNNING"),
    ).length;
  }

  #priority(run: FakeFlowRun): number {
    return this.workQueues.find((queue) => queue.id === run.work_queue_id)?.priority ?? 0;
  }

  #pool(name: string): FakeWorkPool {
    const pool = this.workPools.get(name);
    if (pool === undefined) throw new Error(`The fake server has no work pool ${name}: addWorkPool first`);
    return pool;
  }

  #queue(poolName: string, name: string): FakeWorkQueue {
    const pool = this.#pool(poolName);
    return (
      this.workQueues.find((queue) => queue.work_pool_id === pool.id && queue.name === name) ??
      this.addWorkQueue(poolName, { name, priority: this.workQueues.length + 1 })
    );
  }
}

function dueOf(run: FakeFlowRun): number {
  return Date.parse(run.next_scheduled_start_time ?? "");
}
