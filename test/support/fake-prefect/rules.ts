import { randomUUID } from "node:crypto";

import { textOf } from "../../../src/api/fields.ts";
import { TERMINAL_STATES } from "../../../src/api/types.ts";

import type { JsonObject } from "../../../src/json/value.ts";
import type { StateType } from "../../../src/api/types.ts";

/** A state as the server keeps it. */
export interface FakeState {
  readonly id: string;
  readonly type: StateType;
  readonly name: string;
  readonly timestamp: string;
  readonly message: string | null;
  readonly data: null;
  readonly state_details: JsonObject;
}

export interface Proposal {
  readonly type: StateType;
  readonly name?: string | null;
  readonly message?: string | null;
  readonly state_details?: JsonObject;
}

/** Answer of set_state without its HTTP status. */
export interface Ruling {
  readonly status: "ACCEPT" | "REJECT" | "ABORT" | "WAIT";
  readonly state: FakeState;
  readonly reason?: string;
  readonly delaySeconds?: number;
  /** False when the state was there before. */
  readonly isWritten: boolean;
}

const NAMES: Readonly<Record<StateType, string>> = {
  SCHEDULED: "Scheduled",
  PENDING: "Pending",
  RUNNING: "Running",
  PAUSED: "Paused",
  COMPLETED: "Completed",
  FAILED: "Failed",
  CRASHED: "Crashed",
  CANCELLING: "Cancelling",
  CANCELLED: "Cancelled",
};

export function newState(proposal: Proposal): FakeState {
  return {
    id: randomUUID(),
    type: proposal.type,
    name: proposal.name ?? NAMES[proposal.type],
    timestamp: new Date().toISOString(),
    message: proposal.message ?? null,
    data: null,
    state_details: { ...proposal.state_details },
  };
}

/**
 * Orchestration as a worker meets it (protocol §2.3): the double-claim guard, terminal states, cancellation, scheduled times,
 * and one write per transition id.
 */
export function judge(
  current: FakeState | null,
  proposal: Proposal,
  run: { readonly infrastructure_pid: string | null; readonly force: boolean },
): Ruling {
  const accept = (state = newState(proposal)): Ruling => ({ status: "ACCEPT", state, isWritten: true });
  if (current === null) return accept();
  const keep = (status: "REJECT" | "ABORT", reason: string): Ruling => ({
    status,
    state: current,
    reason,
    isWritten: false,
  });

  const transitionId = proposal.state_details?.["transition_id"];
  if (transitionId !== undefined && transitionId === current.state_details["transition_id"]) {
    return keep("REJECT", "This run has already made this state transition.");
  }
  if (run.force) return accept();

  const { type } = proposal;
  const name = proposal.name ?? NAMES[type];
  if (type === "PENDING") {
    const isRenaming = current.type === "PENDING" && name !== "Pending";
    if (!isRenaming && ["PENDING", "RUNNING", "CANCELLING", "CANCELLED"].includes(current.type)) {
      return keep(
        "ABORT",
        `This run is in a ${current.type} state and cannot transition to a PENDING state.`,
      );
    }
  }
  if (current.type === "CANCELLING" && type !== "CANCELLED") {
    return keep("REJECT", "This run is cancelling and may only transition to CANCELLED.");
  }
  const isFinal = TERMINAL_STATES.has(current.type);
  if (isFinal && ["CRASHED", "CANCELLING", "PAUSED"].includes(type)) {
    return keep("ABORT", `Run is already in terminal state ${current.type}.`);
  }
  if (type === "CANCELLING" && current.type === "SCHEDULED" && run.infrastructure_pid === null) {
    return {
      status: "REJECT",
      state: newState({ type: "CANCELLED" }),
      reason: "Scheduled flow run has no infrastructure to terminate.",
      isWritten: true,
    };
  }
  const due = Date.parse(textOf(current.state_details, "scheduled_time") ?? "");
  if (type === "RUNNING" && due > Date.now()) {
    return {
      status: "WAIT",
      state: current,
      reason: "Scheduled time is in the future",
      delaySeconds: Math.ceil((due - Date.now()) / 1000),
      isWritten: false,
    };
  }
  const isClaim = type === "PENDING" && Number.isFinite(due);
  return accept(
    newState(
      isClaim
        ? {
            ...proposal,
            state_details: {
              ...proposal.state_details,
              scheduled_time: current.state_details["scheduled_time"] ?? null,
            },
          }
        : proposal,
    ),
  );
}
