import { randomUUID } from "node:crypto";

import { WorkerError } from "../errors.ts";
import { PROCESS_BASE_JOB_TEMPLATE } from "../templating/default-job-template.ts";
import { DOCKER_BASE_JOB_TEMPLATE } from "../templating/docker-job-template.ts";

import type { CallOptions } from "../api/http.ts";
import type { WorkPool } from "../api/types.ts";
import type { JsonObject } from "../json/value.ts";
import type { Logger } from "../log/logger.ts";
import type { WorkerApi } from "./ports.ts";

export interface PoolSyncOptions {
  readonly api: Pick<WorkerApi, "readWorkPool" | "createWorkPool" | "updateWorkPool" | "heartbeatWorker">;
  readonly logger: Logger;
  readonly workPoolName: string;
  /** As given by `--name`; null: one after the worker's type, as Prefect makes it (prefect/workers/base.py). */
  readonly workerName: string | null;
  /** As given by `--type`; null: the pool's own. */
  readonly type: string | null;
  readonly canCreatePool: boolean;
  /** As given by `--base-job-template`. */
  readonly baseJobTemplate: JsonObject | null;
  readonly heartbeatIntervalMs: number;
  /** Prefect Cloud answers the heartbeat with an id for the worker. */
  readonly wantsWorkerId: boolean;
}

/** How a worker starts flow runs; work pools have the same types. */
export type WorkerType = "process" | "docker";

const TEMPLATES: Readonly<Record<WorkerType, JsonObject>> = {
  process: PROCESS_BASE_JOB_TEMPLATE,
  docker: DOCKER_BASE_JOB_TEMPLATE,
};

/** What Prefect calls its workers of these types. */
const CLASSES: Readonly<Record<WorkerType | "unknown", string>> = {
  process: "ProcessWorker",
  docker: "DockerWorker",
  unknown: "Worker",
};

function isWorkerType(type: string): type is WorkerType {
  return Object.hasOwn(TEMPLATES, type);
}

/** Keeps the worker's view of its pool fresh, and the pool's view of the worker (protocol §1.3). */
export class PoolSync {
  readonly #options: PoolSyncOptions;
  readonly #id = randomUUID();
  #workPool: WorkPool | null = null;
  #workerId: string | null = null;
  #workerType: WorkerType | null = null;
  #hasWarnedOfType = false;
  #hasWarnedOfMissing = false;

  constructor(options: PoolSyncOptions) {
    this.#options = options;
  }

  /** As read last; null before the first success, or while the pool does not exist. */
  get workPool(): WorkPool | null {
    return this.#workPool;
  }

  /** `--type`, else the pool's own as it was read first; null until then. */
  get workerType(): WorkerType | null {
    return this.#workerType;
  }

  /** Does not change any more once the type is known, before anything is told of the worker. */
  get workerName(): string {
    return this.#options.workerName ?? `${CLASSES[this.#workerType ?? "unknown"]} ${this.#id}`;
  }

  get workerId(): string | null {
    return this.#workerId;
  }

  /**
   * Reads the pool, makes it where allowed, and fills an empty job template. Throws POOL_UNUSABLE for a pool that no worker
   * of this kind can serve.
   */
  async refresh(signal: AbortSignal, options: CallOptions = {}): Promise<WorkPool | null> {
    const { api, workPoolName } = this.#options;
    let pool = await api.readWorkPool(workPoolName, { ...options, signal });
    const change = { signal, onRetry: options.onRetry };
    if (pool === null && this.#options.canCreatePool) pool = await this.#create(change);
    if (pool === null) {
      this.#warnOfMissing();
      this.#workPool = null;
      return null;
    }
    this.#hasWarnedOfMissing = false;
    const workerType = this.#checkType(pool);
    if (Object.keys(pool.base_job_template).length === 0) {
      const template = this.#options.baseJobTemplate ?? TEMPLATES[workerType];
      await api.updateWorkPool(workPoolName, { base_job_template: template }, change);
      pool = { ...pool, base_job_template: template };
    }
    this.#workPool = pool;
    return pool;
  }

  async heartbeat(call: CallOptions): Promise<void> {
    if (this.#workPool === null) return;
    const { api, workPoolName, heartbeatIntervalMs, wantsWorkerId } = this.#options;
    const heartbeat = {
      name: this.workerName,
      heartbeatIntervalSeconds: Math.max(1, Math.round(heartbeatIntervalMs / 1000)),
      returnId: wantsWorkerId && this.#workerId === null,
    };
    this.#workerId = (await api.heartbeatWorker(workPoolName, heartbeat, call)) ?? this.#workerId;
  }

  async #create(call: CallOptions): Promise<WorkPool> {
    const { api, logger, workPoolName, type, baseJobTemplate } = this.#options;
    const own = type ?? "process";
    if (!isWorkerType(own)) throw unsupported(workPoolName, own);
    const pool = await api.createWorkPool(
      { name: workPoolName, type: own, base_job_template: baseJobTemplate ?? TEMPLATES[own] },
      call,
    );
    logger.info(`Work pool '${workPoolName}' created.`);
    return pool;
  }

  #checkType(pool: WorkPool): WorkerType {
    const { logger, type } = this.#options;
    if (/:(push|managed)$/.test(pool.type) || pool.type === "prefect-agent") {
      throw new WorkerError("POOL_UNUSABLE", `Work pool '${pool.name}' has the type ${pool.type}`, {
        hint: "Such pools are not served by workers. Choose a pool of type process or docker.",
      });
    }
    // What was begun as one kind stays so: a pool whose type changes needs another worker.
    const served = this.#workerType ?? type ?? pool.type;
    if (!isWorkerType(served)) throw unsupported(pool.name, served);
    this.#workerType = served;
    if (pool.type !== served && !this.#hasWarnedOfType) {
      this.#hasWarnedOfType = true;
      logger.warn(
        { workPool: pool.name, poolType: pool.type, workerType: served },
        "The work pool has another type than this worker",
      );
    }
    return served;
  }

  #warnOfMissing(): void {
    if (this.#hasWarnedOfMissing) return;
    this.#hasWarnedOfMissing = true;
    this.#options.logger.warn(
      { workPool: this.#options.workPoolName },
      "The work pool does not exist and may not be created (--no-create-pool-if-not-found); waiting for it",
    );
  }
}

function unsupported(workPool: string, type: string): WorkerError {
  return new WorkerError(
    "POOL_UNUSABLE",
    `Work pool '${workPool}' has the type ${type}, which is not supported`,
    {
      hint: "This worker starts flow runs as processes or as Docker containers. Use a pool of type process or docker, or pass --type.",
    },
  );
}
