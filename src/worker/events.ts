import { v7 as uuidv7 } from "uuid";

import { explainExit } from "../launcher/exit-explanations.ts";

import type { FlowRun, PrefectEvent, RelatedResource, WorkPool } from "../api/types.ts";
import type { JsonObject } from "../json/value.ts";
import type { ContainerStatus, LaunchResult, StartedContainer } from "../launcher/types.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { StepEvent } from "../steps/run-steps.ts";
import type { Attempt } from "./attempt.ts";
import type { Subject } from "./claim.ts";
import type { WorkerApi } from "./ports.ts";

export interface WorkerEventsOptions {
  readonly api: Pick<WorkerApi, "createEvents">;
  readonly clock: Clock;
  readonly workerName: () => string;
  readonly workPool: () => WorkPool | null;
  /** Who emits them, where it is no worker. */
  readonly emitter?: PrefectEvent["resource"];
  /** Called when events can't be sent; once per change, as they are cosmetics. */
  readonly onError: (error: unknown) => void;
}

type EventSubject = Subject & {
  readonly flowRun: Pick<FlowRun, "id" | "name"> & Partial<FlowRun>;
};

/**
 * The worker's events for the UI and for automations (protocol §2.5). All are optional: they are sent in the background, one
 * request at a time, and a server without them only costs the request.
 */
export class WorkerEvents {
  readonly #options: WorkerEventsOptions;
  readonly #submitted = new Map<string, string>();
  /** The last event of each container: the next one follows it. */
  readonly #containers = new Map<string, string>();
  #queue: PrefectEvent[] = [];
  #sending: Promise<void> | undefined;
  #startedId: string | null = null;

  constructor(options: WorkerEventsOptions) {
    this.#options = options;
  }

  started(): void {
    this.#startedId = this.#emit("prefect.worker.started", this.#worker(), this.#pool(), {});
  }

  /** Says nothing of a worker that has never started. */
  stopped(): void {
    if (this.#startedId === null) return;
    this.#emit("prefect.worker.stopped", this.#worker(), this.#pool(), {}, this.#startedId);
  }

  submitted(subject: EventSubject): void {
    this.#submitted.set(
      subject.flowRun.id,
      this.#emit("prefect.worker.submitted-flow-run", this.#worker(), this.#related(subject), {}),
    );
  }

  executed(attempt: Attempt, result: LaunchResult): void {
    const follows = this.#submitted.get(attempt.flowRun.id) ?? null;
    this.#submitted.delete(attempt.flowRun.id);
    const infrastructure = {
      "prefect.infrastructure.identifier": attempt.infrastructure.identifier,
      "prefect.infrastructure.status-code": String(explainExit(result).code),
    };
    this.#emit(
      "prefect.worker.executed-flow-run",
      this.#worker(),
      this.#related(attempt, infrastructure),
      {},
      follows,
    );
  }

  cancelled(subject: EventSubject): void {
    this.#emit("prefect.runner.cancelled-flow-run", this.#worker(), this.#related(subject), {});
  }

  /** As prefect-docker's worker says it (prefect_docker/worker.py: _emit_container_status_change_event). */
  container(subject: EventSubject, status: ContainerStatus, container: StartedContainer | null): void {
    const event = `prefect.docker.container.${status}`;
    if (container === null) {
      this.#emit(event, this.#worker(), this.#related(subject), {});
      return;
    }
    const { id, name } = container;
    const resource = {
      "prefect.resource.id": `prefect.docker.container.${id}`,
      "prefect.resource.name": name,
    };
    const worker = { ...this.#worker(), "prefect.resource.role": "worker" };
    const follows = this.#containers.get(id) ?? null;
    const emitted = this.#emit(event, resource, [...this.#related(subject), worker], {}, follows);
    if (status === "exited") this.#containers.delete(id);
    else this.#containers.set(id, emitted);
  }

  pullStep(subject: EventSubject, step: StepEvent): void {
    const payload: JsonObject = {
      index: step.index,
      qualified_name: step.qualifiedName,
      step_name: step.stepName,
      id: step.id,
      inputs: step.inputs,
    };
    const resource = {
      "prefect.resource.id": `prefect.flow-run.${subject.flowRun.id}`,
      "prefect.resource.name": subject.flowRun.name,
    };
    this.#emit(`prefect.flow-run.pull-step.${step.status}`, resource, this.#related(subject), payload);
  }

  /** Waits until everything that was emitted so far is sent, at most `deadlineMs`. */
  async flush(deadlineMs: number): Promise<void> {
    const ended = new AbortController();
    const deadline = this.#options.clock.sleep(deadlineMs, ended.signal).catch(() => undefined);
    while (this.#sending !== undefined) {
      const hasEnded = await Promise.race([this.#sending.then(() => false), deadline.then(() => true)]);
      if (hasEnded) return;
    }
    ended.abort();
  }

  #emit(
    event: string,
    resource: PrefectEvent["resource"],
    related: readonly RelatedResource[],
    payload: JsonObject,
    follows: string | null = null,
  ): string {
    const id = uuidv7();
    const occurred = new Date(this.#options.clock.now()).toISOString();
    this.#queue.push({ id, occurred, event, resource, related, payload, follows });
    this.#sending ??= this.#send();
    return id;
  }

  async #send(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue;
      this.#queue = [];
      await this.#options.api.createEvents(batch, { retries: 0 }).catch(this.#options.onError);
    }
    this.#sending = undefined;
  }

  #worker(): PrefectEvent["resource"] {
    const { emitter } = this.#options;
    if (emitter !== undefined) return emitter;
    const workerName = this.#options.workerName();
    const type = this.#options.workPool()?.type ?? "process";
    return {
      "prefect.resource.id": `prefect.worker.${type}.${slug(workerName)}`,
      "prefect.resource.name": workerName,
      "prefect.worker-type": type,
    };
  }

  #pool(): RelatedResource[] {
    const pool = this.#options.workPool();
    return pool === null ? [] : [resource("work-pool", pool.id, pool.name)];
  }

  #related(
    { flow, deployment, flowRun }: EventSubject,
    extra: Readonly<Record<string, string>> = {},
  ): RelatedResource[] {
    return [
      ...(deployment === null ? [] : [resource("deployment", deployment.id, deployment.name)]),
      ...(flow === null ? [] : [resource("flow", flow.id, flow.name)]),
      { ...resource("flow-run", flowRun.id, flowRun.name), ...extra },
      ...(flowRun.tags ?? []).map((tag) => ({
        "prefect.resource.id": `prefect.tag.${tag}`,
        "prefect.resource.role": "tag",
      })),
      ...this.#pool(),
    ];
  }
}

function resource(kind: string, id: string, name: string): RelatedResource {
  return {
    "prefect.resource.id": `prefect.${kind}.${id}`,
    "prefect.resource.role": kind,
    "prefect.resource.name": name,
  };
}

function slug(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "");
}
