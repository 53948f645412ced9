import { ActionFailed } from "./outcome.ts";
import { pauseAutomation } from "./automation.ts";
import { pauseDeployment, prepareRun } from "./deployment.ts";
import { changeFlowRun, deleteRun, prepareResume } from "./flow-run.ts";
import { pausePool } from "./work-pool.ts";
import { pauseQueue } from "./work-queue.ts";

import type { ServerContext } from "../../context.ts";
import type { Transaction } from "../../store/database.ts";
import type { Outcome } from "./outcome.ts";
import type { TriggeredAction } from "./triggered-action.ts";

/** Does what an action changes in the store. */
export type Commit = (tx: Transaction) => Outcome;

/** Does all of an action that cannot be done within a transaction, and returns the rest. Throws an ActionFailed. */
export async function prepareAction(
  context: ServerContext,
  triggered: TriggeredAction,
  signal: AbortSignal,
): Promise<Commit> {
  switch (triggered.type) {
    case "do-nothing":
      return () => ({ related: [], details: {} });
    case "run-deployment":
      return prepareRun(context, triggered);
    case "pause-deployment":
    case "resume-deployment":
      return (tx) => pauseDeployment(context, tx, triggered, triggered.type === "pause-deployment");
    case "cancel-flow-run":
    case "suspend-flow-run":
    case "change-flow-run-state":
      return (tx) => changeFlowRun(context, tx, triggered);
    case "delete-flow-run":
      return (tx) => deleteRun(context, tx, triggered);
    case "resume-flow-run":
      return prepareResume(context, triggered);
    case "pause-work-pool":
    case "resume-work-pool":
      return (tx) => pausePool(context, tx, triggered, triggered.type === "pause-work-pool");
    case "pause-work-queue":
    case "resume-work-queue":
      return (tx) => pauseQueue(context, tx, triggered, triggered.type === "pause-work-queue");
    case "pause-automation":
    case "resume-automation":
      return (tx) => pauseAutomation(context, tx, triggered, triggered.type === "pause-automation");
    case "call-webhook": {
      const { callWebhook } = await import("./webhook.ts");
      return callWebhook(context, triggered, signal);
    }
    case "send-notification":
      throw new ActionFailed(
        "Notification blocks are written in Python and cannot be used by this server; use call-webhook, or a Prefect server.",
      );
    default:
      throw new ActionFailed(`This server does not know the action '${triggered.type}'`);
  }
}
