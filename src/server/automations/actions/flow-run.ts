import { deleteFlowRun } from "../../runs/delete.ts";
import { resumeFlowRun } from "../../runs/resume.ts";
import { setFlowRunState } from "../../runs/set-state.ts";
import { stateOf } from "../../runs/state.ts";
import { addSeconds, timestampOf } from "../../store/timestamp.ts";
import { flowRunId } from "./inferred.ts";
import { ActionFailed, asRequest, target } from "./outcome.ts";

import type { ServerContext } from "../../context.ts";
import type { ProposedState, StateType } from "../../runs/state.ts";
import type { Transaction } from "../../store/database.ts";
import type { Outcome } from "./outcome.ts";
import type { Commit } from "./prepare.ts";
import type { TriggeredAction } from "./triggered-action.ts";

const SUSPEND_SECONDS = 3600;

/** Cancels or suspends a flow run, or gives it another state. */
export function changeFlowRun(context: ServerContext, tx: Transaction, triggered: TriggeredAction): Outcome {
  const id = flowRunId(triggered);
  const related = [target("flow-run", id)];
  const policy = triggered.action["force"] === true ? "forced" : "core";
  const outcome = asRequest(triggered.type, { related }, () =>
    setFlowRunState(context, tx, id, newState(context, triggered), { policy }),
  );
  const details = { status_code: outcome.isNew ? 201 : 200 };
  if (outcome.status !== "ACCEPT")
    throw new ActionFailed(`Failed to set state: ${outcome.reason ?? outcome.status}`, { related, details });
  return { related, details };
}

export async function prepareResume(context: ServerContext, triggered: TriggeredAction): Promise<Commit> {
  const tools = await context.schemaTools();
  return (tx) => {
    const id = flowRunId(triggered);
    const related = [target("flow-run", id)];
    const outcome = asRequest(triggered.type, { related }, () =>
      resumeFlowRun(context, tx, tools, id, undefined),
    );
    if (outcome.status !== "ACCEPT")
      throw new ActionFailed(`Failed to resume flow run: ${outcome.reason ?? outcome.status}`, { related });
    return { related, details: {} };
  };
}

export function deleteRun(context: ServerContext, tx: Transaction, triggered: TriggeredAction): Outcome {
  const id = flowRunId(triggered);
  const related = [target("flow-run", id)];
  asRequest(triggered.type, { related }, () => deleteFlowRun(context, tx, id));
  return { related, details: { status_code: 204 } };
}

function newState(context: ServerContext, { type, action, automation }: TriggeredAction): ProposedState {
  const by = `by Automation ${automation.id}`;
  switch (type) {
    case "cancel-flow-run":
      return stateOf("CANCELLING", { message: `Cancelled ${by}` });
    case "suspend-flow-run": {
      const timeout = addSeconds(timestampOf(context.clock.now()), SUSPEND_SECONDS);
      const details = { pause_timeout: timeout, pause_reschedule: true };
      return stateOf("PAUSED", { name: "Suspended", message: `Suspended ${by}`, details });
    }
    default: {
      const { name, message } = action;
      const state = action["state"] as StateType;
      const now = timestampOf(context.clock.now());
      return stateOf(state, {
        ...(typeof name === "string" && name !== "" ? { name } : {}),
        message: typeof message === "string" && message !== "" ? message : `State changed ${by}`,
        details: state === "SCHEDULED" ? { scheduled_time: now } : {},
      });
    }
  }
}
