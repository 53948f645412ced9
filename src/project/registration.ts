import { changeBody, creationBody } from "./deployment-body.ts";
import { changesTo } from "./deployment-changes.ts";
import { isUpsertOnly, upsertBody } from "./server-fields.ts";
import { automationBody } from "./triggers.ts";

import type { CallOptions } from "../api/http.ts";
import type { RawDeployment, RegistrationCalls } from "../api/registrations.ts";
import type { DeploymentPlan } from "./deployment-body.ts";
import type { ServerVersion } from "./server-fields.ts";

export type RegistrationApi = Omit<RegistrationCalls, "countOnlineWorkers">;

export interface Registered {
  readonly id: string;
  /** `unchanged`: it stood on the server as declared, and nothing was written. */
  readonly kind: "created" | "updated" | "unchanged";
}

type Named = Pick<DeploymentPlan, "flowName" | "name">;

/**
 * Registers the deployments of one command. What is on the server is read for all of them at once: a server on SQLite answers
 * some dozen requests a second, so each that is saved counts.
 */
export class Registrar {
  readonly #api: RegistrationApi;
  readonly #version: ServerVersion | undefined;
  readonly #call: CallOptions;
  readonly #flows = new Map<string, Promise<string>>();
  readonly #existing = new Map<string, Promise<RawDeployment | null>>();
  #automations: Promise<string> | undefined;

  constructor(api: RegistrationApi, version: ServerVersion | undefined, call: CallOptions) {
    this.#api = api;
    this.#version = version;
    this.#call = call;
  }

  /** Reads what is there of these deployments. Others are read when their turn comes. */
  expect(deployments: readonly Named[]): void {
    if (deployments.length === 0) return;
    const reading = this.#read(deployments);
    for (const deployment of deployments) {
      const found = reading.then((known) => known.get(keyOf(deployment)) ?? null);
      found.catch(() => undefined); // whoever asks for it hears of it
      this.#existing.set(keyOf(deployment), found);
    }
  }

  /** The deployment as it is on the server; null when there is none. */
  async find(deployment: Named): Promise<RawDeployment | null> {
    if (!this.#existing.has(keyOf(deployment))) this.expect([deployment]);
    return (await this.#existing.get(keyOf(deployment))) ?? null;
  }

  /**
   * Makes the deployment, or brings the one of that name to what is declared, then its automations: those that it owns are
   * replaced (prefect/deployments/runner.py, prefect/cli/deploy/_triggers.py). Rejects with the API's error.
   */
  async register(plan: DeploymentPlan): Promise<Registered> {
    const registered = await this.#register(plan);
    const { slas } = plan;
    if (slas !== undefined) {
      await this.#api.applySlas(`prefect.deployment.${registered.id}`, slas, this.#call);
    }
    return registered;
  }

  async #register(plan: DeploymentPlan): Promise<Registered> {
    const existing = await this.find(plan);
    if (isUpsertOnly(this.#version)) return await this.#upsert(plan, existing);
    if (existing === null) {
      const id = await this.#create(plan);
      await this.#createAutomations(plan, id);
      return { id, kind: "created" };
    }
    const { id } = existing;
    const hasAutomations = (await this.#automationTexts()).includes(id);
    const isChanged = changesTo(existing, plan).length > 0;
    if (isChanged) await this.#api.updateDeployment(id, changeBody(plan), this.#call);
    if (!hasAutomations && plan.automations.length === 0)
      return { id, kind: isChanged ? "updated" : "unchanged" };
    // A server without automations has none to replace, and takes none.
    const isServed =
      !hasAutomations || (await this.#api.deleteOwnedAutomations(`prefect.deployment.${id}`, this.#call));
    if (isServed) await this.#createAutomations(plan, id);
    return { id, kind: "updated" };
  }

  /** On 2.x, whose servers take a deployment anew in place of the one that is there. */
  async #upsert(plan: DeploymentPlan, existing: RawDeployment | null): Promise<Registered> {
    if (existing !== null && changesTo(existing, plan).length === 0)
      return { id: existing.id, kind: "unchanged" };
    const body = upsertBody(plan, await this.#flow(plan.flowName), this.#version);
    const id = await this.#api.createDeployment(body, this.#call);
    return { id, kind: existing === null ? "created" : "updated" };
  }

  async #create(plan: DeploymentPlan): Promise<string> {
    const flowId = await this.#flow(plan.flowName);
    return await this.#api.createDeployment(creationBody(plan, flowId), this.#call);
  }

  async #createAutomations(plan: DeploymentPlan, id: string): Promise<void> {
    for (const automation of plan.automations) {
      await this.#api.createAutomation(automationBody(automation, id), this.#call);
    }
  }

  #flow(name: string): Promise<string> {
    const known = this.#flows.get(name) ?? this.#api.createFlow(name, this.#call);
    this.#flows.set(name, known);
    return known;
  }

  async #read(deployments: readonly Named[]): Promise<ReadonlyMap<string, RawDeployment>> {
    const flowNames = deployments.map(({ flowName }) => flowName);
    const names = deployments.map(({ name }) => name);
    const [flows, found] = await Promise.all([
      this.#api.readFlowIds(flowNames, this.#call),
      this.#api.readRawDeployments(names, this.#call),
    ]);
    for (const [name, id] of flows) this.#flows.set(name, Promise.resolve(id));
    const nameOf = new Map([...flows].map(([name, id]) => [id, name]));
    return new Map(
      found.flatMap((deployment): [string, RawDeployment][] => {
        const flowName = nameOf.get(deployment.flow_id);
        return flowName === undefined ? [] : [[keyOf({ flowName, name: deployment.name }), deployment]];
      }),
    );
  }

  /** Whatever automations do. One that a deployment owns runs it, so it names its id. */
  #automationTexts(): Promise<string> {
    this.#automations ??= this.#api
      .readAutomations(this.#call)
      .then((automations) => JSON.stringify(automations.map(({ actions = null }) => actions)));
    return this.#automations;
  }
}

function keyOf({ flowName, name }: Named): string {
  return `${flowName}/${name}`;
}
