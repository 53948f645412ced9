import type { ServerContext } from "../context.ts";
import type { Transaction } from "../store/database.ts";
import type { AutomationJson } from "./row.ts";
import type { Trigger } from "./trigger.ts";

/** An automation that is enabled, ready for use. */
export interface LoadedAutomation {
  readonly id: string;
  readonly name: string;
  readonly trigger: Trigger;
  readonly json: AutomationJson;
}

/** What the evaluation of an automation's triggers works on. */
export interface Evaluation {
  readonly context: ServerContext;
  readonly tx: Transaction;
  readonly automation: LoadedAutomation;
  /** Now, in the stored form; no two are the same, so that firings have an order. */
  readonly instant: () => string;
}
