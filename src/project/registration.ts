import { changeBody, creationBody } from "./deployment-body.ts";
import { automationBody } from "./triggers.ts";

import type { RawDeployment, RegistrationCalls } from "../api/registrations.ts";
import type { DeploymentPlan } from "./deployment-body.ts";

export type RegistrationApi = Pick<
  RegistrationCalls,
  | "createFlow"
  | "readRawDeploymentByName"
  | "createDeployment"
  | "updateDeployment"
  | "deleteOwnedAutomations"
  | "createAutomation"
>;

export interface Registered {
  readonly id: string;
  readonly isNew: boolean;
}

/** Registers the deployments of one command; what they share is written once. */
export class Registrar {
  readonly #api: RegistrationApi;
  readonly #signal: AbortSignal;
  readonly #flows = new Map<string, Promise<string>>();

  constructor(api: RegistrationApi, signal: AbortSignal) {
    this.#api = api;
    this.#signal = signal;
  }

  /** The deployment as it is on the server; null when there is none. */
  async find(plan: Pick<DeploymentPlan, "flowName" | "name">): Promise<RawDeployment | null> {
    return await this.#api.readRawDeploymentByName(plan.flowName, plan.name, { signal: this.#signal });
  }

  /**
   * Makes the deployment, or brings the one of that name to what is declared, then its automations: those that it owns are
   * replaced (prefect/deployments/runner.py, prefect/cli/deploy/_triggers.py). Rejects with the API's error.
   */
  async register(plan: DeploymentPlan): Promise<Registered> {
    const existing = await this.find(plan);
    const id = existing === null ? await this.#create(plan) : existing.id;
    if (existing !== null) {
      await this.#api.updateDeployment(id, changeBody(plan), { signal: this.#signal });
      // A server without automations has none to replace, and takes none.
      const isServed = await this.#api.deleteOwnedAutomations(`prefect.deployment.${id}`, {
        signal: this.#signal,
      });
      if (!isServed) return { id, isNew: false };
    }
    for (const automation of plan.automations) {
      await this.#api.createAutomation(automationBody(automation, id), { signal: this.#signal });
    }
    return { id, isNew: existing === null };
  }

  async #create(plan: DeploymentPlan): Promise<string> {
    const flowId = await this.#flow(plan.flowName);
    return await this.#api.createDeployment(creationBody(plan, flowId), { signal: this.#signal });
  }

  #flow(name: string): Promise<string> {
    const known = this.#flows.get(name) ?? this.#api.createFlow(name, { signal: this.#signal });
    this.#flows.set(name, known);
    return known;
  }
}
