import type { StateProposal } from "../api/types.ts";
import type { JsonObject } from "../json/value.ts";

// The texts are those of Prefect's own workers (prefect/workers/base.py, prefect/workers/process.py) wherever it has one.

/** The claim. `transitionId` lets a later start recognise this very proposal (protocol §1.7, last item). */
export function pending(transitionId: string): StateProposal {
  return { type: "PENDING", name: "Pending", state_details: { transition_id: transitionId } };
}

export function submitting(transitionId: string): StateProposal {
  return { type: "PENDING", name: "Submitting", state_details: { transition_id: transitionId } };
}

/** With its `transitionId` a repetition is known to the server, and its state to us. */
export function running(transitionId: string): StateProposal {
  return { type: "RUNNING", name: "Running", state_details: { transition_id: transitionId } };
}

export function completed(message: string): StateProposal {
  return { type: "COMPLETED", name: "Completed", message };
}

export function failed(message: string): StateProposal {
  return { type: "FAILED", name: "Failed", message };
}

export function crashed(message: string): StateProposal {
  return { type: "CRASHED", name: "Crashed", message };
}

export function cancelled(message: string): StateProposal {
  return { type: "CANCELLED", name: "Cancelled", message };
}

/** Hands a run back: the next poll of any worker gives it out again (protocol §7.3). */
export function awaitingRetry(now: number, message: string): StateProposal {
  const scheduled: JsonObject = { scheduled_time: new Date(now).toISOString() };
  return { type: "SCHEDULED", name: "AwaitingRetry", message, state_details: scheduled };
}

export const CANCELLED_BY_USER = "Flow run was cancelled successfully.";
export const CANCELLED_BEFORE_START = "Flow run was cancelled before execution started.";

export function submissionFailed(error: Error): string {
  return `Failed to submit flow run to infrastructure: ${error.name}: ${error.message}`;
}
