import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "./deadline.ts";

type Body = Readonly<Record<string, unknown>>;

export interface FlowRun {
  readonly id: string;
  readonly name: string;
  readonly deployment_id: string;
  readonly infrastructure_pid: string | null;
  readonly start_time: string | null;
  readonly expected_start_time: string;
  readonly run_count: number;
  readonly labels?: Readonly<Record<string, unknown>>;
  readonly state: {
    readonly type: string;
    readonly name: string;
    readonly message: string | null;
    readonly timestamp: string;
  };
}

export interface LogRecord {
  readonly name: string;
  readonly level: number;
  readonly message: string;
}

export interface WorkPool {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly status: string | null;
  readonly base_job_template: Readonly<Record<string, unknown>>;
}

export interface DeploymentSpec {
  readonly pool: string;
  readonly flow?: string;
  readonly name?: string;
  readonly entrypoint: string;
  readonly pullSteps?: readonly Body[];
  readonly jobVariables?: Body;
  readonly queue?: string;
  readonly parameters?: Body;
  readonly path?: string;
}

export interface Deployment {
  readonly id: string;
  readonly name: string;
  readonly flowName: string;
}

export interface RunOptions {
  readonly parameters?: Body;
  readonly jobVariables?: Body;
  /** A SCHEDULED run for that instant instead of now. */
  readonly at?: Date;
}

const FINAL = new Set(["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]);

/** A name that no other test uses. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(4).toString("hex")}`;
}

/** The test's own view of a real server, independent of the product's client. */
export class PrefectApi {
  readonly url: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(url: string, options: { readonly authString?: string } = {}) {
    this.url = url;
    this.#headers = {
      "content-type": "application/json",
      // The server closes idle connections after 5 s: a new one each time cannot meet that moment.
      connection: "close",
      ...(options.authString === undefined
        ? {}
        : { authorization: `Basic ${Buffer.from(options.authString).toString("base64")}` }),
    };
  }

  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      const response = await fetch(`${this.url}${path}`, {
        method,
        headers: this.#headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      // A SQLite server under load answers 503.
      if (response.status === 503 && attempt < 20) {
        await sleep(250);
        continue;
      }
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return (text === "" ? undefined : JSON.parse(text)) as T;
    }
  }

  async createPool(name: string, options: Body = {}): Promise<WorkPool> {
    return this.call("POST", "/work_pools/", { name, type: "process", ...options });
  }

  pool(name: string): Promise<WorkPool> {
    return this.call("GET", `/work_pools/${name}`);
  }

  createQueue(pool: string, name: string, options: Body = {}): Promise<unknown> {
    return this.call("POST", `/work_pools/${pool}/queues/`, { name, ...options });
  }

  async createDeployment(spec: DeploymentSpec): Promise<Deployment> {
    const flowName = spec.flow ?? uniqueName("flow");
    const flow = await this.call<{ id: string }>("POST", "/flows/", { name: flowName });
    const name = spec.name ?? "test";
    const created = await this.call<{ id: string }>("POST", "/deployments/", {
      name,
      flow_id: flow.id,
      entrypoint: spec.entrypoint,
      pull_steps: spec.pullSteps ?? null,
      work_pool_name: spec.pool,
      ...(spec.queue === undefined ? {} : { work_queue_name: spec.queue }),
      job_variables: spec.jobVariables ?? {},
      parameters: spec.parameters ?? {},
      path: spec.path ?? null,
      enforce_parameter_schema: false,
    });
    return { id: created.id, name, flowName };
  }

  run(deployment: Deployment, options: RunOptions = {}): Promise<FlowRun> {
    const state =
      options.at === undefined
        ? undefined
        : {
            type: "SCHEDULED",
            name: "Scheduled",
            state_details: { scheduled_time: options.at.toISOString() },
          };
    return this.call("POST", `/deployments/${deployment.id}/create_flow_run`, {
      parameters: options.parameters ?? {},
      ...(options.jobVariables === undefined ? {} : { job_variables: options.jobVariables }),
      ...(state === undefined ? {} : { state }),
    });
  }

  flowRun(id: string): Promise<FlowRun> {
    return this.call("GET", `/flow_runs/${id}`);
  }

  /** Waits until the run is in one of the state types (or names); fails with state and logs after the deadline. */
  async waitFor(
    run: { readonly id: string },
    states: readonly string[],
    timeoutMs = 60_000,
  ): Promise<FlowRun> {
    let last: FlowRun | undefined;
    try {
      return await until(
        `run is ${states.join(" or ")}`,
        async () => {
          last = await this.flowRun(run.id);
          if (states.includes(last.state.type) || states.includes(last.state.name)) return last;
          if (FINAL.has(last.state.type)) throw new Error("it ended otherwise");
          return false;
        },
        { timeoutMs },
      );
    } catch (error) {
      const logs = (await this.logs(run)).map((log) => `  ${log.name}: ${log.message}`).join("\n");
      throw new Error(
        `Waited for ${states.join(" or ")}: ${last?.state.type} ${last?.state.name}: ${last?.state.message}\n${logs}`,
        { cause: error },
      );
    }
  }

  waitForEnd(run: { readonly id: string }, timeoutMs = 60_000): Promise<FlowRun> {
    return this.waitFor(run, [...FINAL], timeoutMs);
  }

  async states(run: { readonly id: string }): Promise<readonly string[]> {
    const states = await this.call<readonly { type: string }[]>(
      "GET",
      `/flow_run_states/?flow_run_id=${run.id}`,
    );
    return states.map((state) => state.type);
  }

  logs(run: { readonly id: string }): Promise<readonly LogRecord[]> {
    return this.call("POST", "/logs/filter", {
      logs: { flow_run_id: { any_: [run.id] } },
      sort: "TIMESTAMP_ASC",
      limit: 200,
    });
  }

  /** Logs arrive in batches, the last one after the run's end. */
  async waitForLog(run: { readonly id: string }, pattern: RegExp, timeoutMs = 15_000): Promise<LogRecord> {
    let seen: readonly LogRecord[] = [];
    return until(
      `a log of the run like ${pattern}`,
      async () => {
        seen = await this.logs(run);
        return seen.find((log) => pattern.test(log.message));
      },
      { timeoutMs, everyMs: 250, detail: () => seen.map((log) => log.message).join("\n") },
    );
  }

  async waitForTaskRuns(run: { readonly id: string }, count: number): Promise<readonly string[]> {
    return until("task runs are on the server", async () => {
      const taskRuns = await this.call<readonly { state_type: string }[]>("POST", "/task_runs/filter", {
        flow_runs: { id: { any_: [run.id] } },
      });
      const types = taskRuns.map((taskRun) => taskRun.state_type);
      return types.length === count && types.every((type) => FINAL.has(type)) ? types : undefined;
    });
  }

  cancel(run: { readonly id: string }): Promise<{ readonly status: string }> {
    return this.call("POST", `/flow_runs/${run.id}/set_state`, {
      state: { type: "CANCELLING", name: "Cancelling" },
      force: false,
    });
  }

  /** A block document; nested blocks are `{ $ref: { block_document_id } }`. The server registers the types itself. */
  async createBlock(typeSlug: string, name: string, data: Body): Promise<{ readonly id: string }> {
    const type = await until(`block type ${typeSlug}`, () =>
      this.call<{ id: string }>("GET", `/block_types/slug/${typeSlug}`).catch(() => undefined),
    );
    const schema = await until(`block schema of ${typeSlug}`, async () => {
      const schemas = await this.call<readonly { id: string }[]>("POST", "/block_schemas/filter", {
        block_schemas: { block_type_id: { any_: [type.id] } },
      });
      return schemas[0];
    });
    return this.call("POST", "/block_documents/", {
      name,
      data,
      block_type_id: type.id,
      block_schema_id: schema.id,
    });
  }

  createVariable(name: string, value: unknown): Promise<unknown> {
    return this.call("POST", "/variables/", { name, value });
  }

  async waitForWorker(pool: string, timeoutMs = 60_000): Promise<string> {
    return until(
      "a worker is online in the pool",
      async () => {
        const workers = await this.call<readonly { name: string }[]>(
          "POST",
          `/work_pools/${pool}/workers/filter`,
          {},
        ).catch(() => []);
        return workers[0]?.name;
      },
      { timeoutMs },
    );
  }
}
