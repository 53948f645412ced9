import { ActionRunner } from "./actions/runner.ts";
import { Evaluator } from "./evaluator.ts";

import type { ServerContext } from "../context.ts";
import type { Service } from "../services/service.ts";
import type { Transaction } from "../store/database.ts";

export interface AutomationChanges {
  /** To be called in each transaction that changes automations. */
  changed(tx: Transaction): void;
}

/** All that automations do by themselves: evaluate events, look for absent ones, and act. */
export class Automations implements AutomationChanges {
  #evaluator: Evaluator | undefined;
  #runner: ActionRunner | undefined;

  /** Goes on where the last server stopped. */
  start(context: ServerContext): void {
    const runner = new ActionRunner(context);
    this.#runner = runner;
    this.#evaluator = new Evaluator(context, () => runner.wake());
    this.#evaluator.start();
    runner.wake();
  }

  /** Resolves when nothing is in hand; what is left is done after the next start. */
  async stop(): Promise<void> {
    await this.#runner?.stop();
    await this.#evaluator?.stop();
  }

  changed(tx: Transaction): void {
    this.#evaluator?.changed(tx);
  }

  /** Looks for what is due without an event (prefect: evaluate_proactive_triggers_periodic). */
  get service(): Service {
    return {
      name: "automations",
      intervalSeconds: ({ settings }) => settings.automations.loopSeconds,
      tick: async () => this.#evaluator?.tick(),
    };
  }
}
