import { isJsonObject } from "../../json/value.ts";
import { addSeconds, epochMsOf } from "../store/timestamp.ts";
import { isTerminal, stateOf } from "./state.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { ApiClient } from "./api-client.ts";
import type { FlowRunRow } from "./row.ts";
import type { ProposedState, StateType } from "./state.ts";

/** The state that the run has, its details parsed. */
export interface CurrentState {
  readonly id: string;
  readonly type: StateType;
  readonly name: string;
  readonly timestamp: string;
  readonly message: string | null;
  readonly details: JsonObject;
  readonly data: Json;
}

/** What a rule looks at. */
interface Transition {
  readonly run: FlowRunRow;
  readonly policy: JsonObject;
  readonly current: CurrentState | undefined;
  readonly proposed: ProposedState;
  readonly now: string;
  readonly client: ApiClient;
  readonly slots: Slots;
}

/** What a rule does with the concurrency limit of the run's deployment. */
export interface Slots {
  /** Takes a slot under a lease. */
  take(): Slot;
  /** Lets the lease live on; where it has expired meanwhile, another slot is taken. */
  keep(leaseId: string): Slot;
  /** Whether new runs are to be cancelled for want of a slot. */
  areFullForNew(): boolean;
}

export type Slot =
  | { readonly kind: "none" }
  | { readonly kind: "lease"; readonly leaseId: string }
  | { readonly kind: "full"; readonly strategy: "ENQUEUE" | "CANCEL_NEW"; readonly waitSeconds: number }
  | { readonly kind: "closed" }
  | { readonly kind: "no deployment" };

/** What comes of a proposal: ACCEPT writes `state`, REJECT writes another one or none, ABORT and WAIT write nothing. */
export type Verdict =
  | { readonly status: "ABORT" | "WAIT"; readonly reason: string; readonly delaySeconds?: number }
  | {
      readonly status: "REJECT";
      readonly reason: string;
      readonly state: ProposedState | undefined;
      readonly policy?: JsonObject;
    };

/** A rule lets a proposal pass as it is (undefined), changes it or the run's policy, or decides. */
type Rule = (
  transition: Transition,
) => Verdict | { readonly proposed?: ProposedState; readonly policy?: JsonObject } | undefined;

const BUSY: ReadonlySet<string> = new Set(["PENDING", "RUNNING", "CANCELLING"]);

/** What governs a transition: what clients propose, what they force, and what is called Late by the server. */
export type Policy = "core" | "forced" | "late";

/** The rules of Prefect's policies, in their order (protocol §2.3; prefect/server/orchestration/core_policy.py). */
export const FLOW_RUN_RULES: Readonly<Record<Policy, readonly Rule[]>> = {
  core: [
    preserveLease,
    refuseRepeatedTransition,
    protectTerminalState,
    keepCancelling,
    cancelWithoutInfrastructure,
    refuseSecondClaim,
    keepConcurrencySlot,
    takeConcurrencySlot,
    allowLateOnlyWhenScheduled,
    guardPause,
    guardResume,
    copyScheduledTime,
    waitForScheduledTime,
    retryFailed,
  ],
  forced: [protectResult, cancelWithoutInfrastructure],
  late: [allowLateOnlyWhenScheduled, cancelLateForWantOfSlot],
};

function preserveLease({ current, proposed }: Transition): ReturnType<Rule> {
  const lease = current?.details["deployment_concurrency_lease_id"];
  if (typeof lease !== "string" || typeof proposed.details["deployment_concurrency_lease_id"] === "string")
    return undefined;
  return { proposed: withDetails(proposed, { deployment_concurrency_lease_id: lease }) };
}

function refuseRepeatedTransition({ current, proposed }: Transition): ReturnType<Rule> {
  const id = proposed.details["transition_id"];
  if (typeof id !== "string" || current?.details["transition_id"] !== id) return undefined;
  return { status: "REJECT", reason: "This run has already made this state transition.", state: undefined };
}

function protectTerminalState({ run, policy, current, proposed }: Transition): ReturnType<Rule> {
  if (current === undefined || !isTerminal(current.type)) return undefined;
  if (["CANCELLING", "PAUSED", "CRASHED"].includes(proposed.type)) {
    return { status: "ABORT", reason: `Run is already in terminal state ${current.type}.` };
  }
  if (current.type === "COMPLETED" && isPersisted(current.data) && !isTerminal(proposed.type))
    return { status: "REJECT", reason: "Run is already COMPLETED.", state: undefined };
  const lost = protectResult({ current, proposed });
  if (lost !== undefined) return lost;
  if (proposed.type === "SCHEDULED" && run.deployment_id === null) {
    return { status: "ABORT", reason: "Cannot reschedule a run without an associated deployment." };
  }
  if (isTerminal(proposed.type)) return undefined;
  const retryType = proposed.type === "SCHEDULED" ? "reschedule" : null;
  return { policy: { ...policy, resuming: false, pause_keys: [], retry_type: retryType } };
}

/** A result that was persisted is not forgotten. */
function protectResult({ current, proposed }: Pick<Transition, "current" | "proposed">): Verdict | undefined {
  if (current?.type !== "COMPLETED" || !isPersisted(current.data)) return undefined;
  if (proposed.type !== "COMPLETED" || isPersisted(proposed.data)) return undefined;
  return {
    status: "REJECT",
    reason: "Cannot overwrite a COMPLETED state that carries persisted result data with one that does not.",
    state: undefined,
  };
}

function keepCancelling({ current, proposed }: Transition): ReturnType<Rule> {
  if (current?.type !== "CANCELLING" || proposed.type === "CANCELLED") return undefined;
  return {
    status: "REJECT",
    reason: "Cannot transition flows that are cancelling to a state other than Cancelled.",
    state: undefined,
  };
}

function cancelWithoutInfrastructure({ run, current, proposed }: Transition): ReturnType<Rule> {
  if (proposed.type !== "CANCELLING" || current === undefined) return undefined;
  if (current.type === "SCHEDULED" && (run.infrastructure_pid === null || current.name === "Resuming")) {
    const reason = "Scheduled flow run has no infrastructure to terminate.";
    return { status: "REJECT", reason, state: stateOf("CANCELLED") };
  }
  if (current.type === "PAUSED" && current.details["pause_reschedule"] === true) {
    const reason = "Suspended flow run has no infrastructure to terminate.";
    return { status: "REJECT", reason, state: stateOf("CANCELLED") };
  }
  return undefined;
}

/** The guard against double claims; a PENDING run may only be renamed, as "Submitting". */
function refuseSecondClaim({ current, proposed }: Transition): ReturnType<Rule> {
  if (proposed.type !== "PENDING" || current === undefined) return undefined;
  if (!BUSY.has(current.type) && current.type !== "CANCELLED") return undefined;
  if (current.type === "PENDING" && current.name !== proposed.name && proposed.name !== "Pending") {
    const { scheduled_time, deployment_concurrency_lease_id } = current.details;
    return {
      proposed: withDetails(proposed, {
        scheduled_time: scheduled_time ?? null,
        deployment_concurrency_lease_id: deployment_concurrency_lease_id ?? null,
      }),
    };
  }
  return {
    status: "ABORT",
    reason: `This run is in a ${current.type} state and cannot transition to a PENDING state.`,
  };
}

/** A run whose lease has expired before it starts goes on only where a slot is free all the same. */
function keepConcurrencySlot({ current, proposed, client, slots }: Transition): ReturnType<Rule> {
  const lease = current?.details["deployment_concurrency_lease_id"];
  if (current?.type !== "PENDING" || proposed.type !== "RUNNING" || typeof lease !== "string")
    return undefined;
  if (!client.renewsLeases) return undefined;
  const slot = slots.keep(lease);
  if (slot.kind === "lease")
    return { proposed: withDetails(proposed, { deployment_concurrency_lease_id: slot.leaseId }) };
  if (slot.kind !== "full") return undefined;
  // Its infrastructure is there already, so it cannot wait for its turn.
  const message =
    "Deployment concurrency slot lost during provisioning - no slots available to continue execution";
  return {
    status: "REJECT",
    reason: "Deployment concurrency limit reached after lease expiry.",
    state: stateOf("CANCELLED", { message }),
  };
}

function takeConcurrencySlot({ current, proposed, now, client, slots }: Transition): ReturnType<Rule> {
  if (proposed.type !== "PENDING" || (current !== undefined && BUSY.has(current.type))) return undefined;
  if (client.takesSlotsItself) return undefined;
  const slot = slots.take();
  switch (slot.kind) {
    case "none":
      return undefined;
    case "lease":
      return { proposed: withDetails(proposed, { deployment_concurrency_lease_id: slot.leaseId }) };
    case "no deployment":
      return { status: "ABORT", reason: "Deployment not found." };
    case "closed":
      return {
        status: "ABORT",
        reason: "The deployment concurrency limit is 0. The flow will deadlock if submitted again.",
      };
    case "full": {
      const reason = "Deployment concurrency limit reached.";
      const state =
        slot.strategy === "CANCEL_NEW"
          ? stateOf("CANCELLED", { message: reason })
          : stateOf("SCHEDULED", {
              name: "AwaitingConcurrencySlot",
              details: { scheduled_time: addSeconds(now, slot.waitSeconds) },
            });
      return { status: "REJECT", reason, state };
    }
  }
}

function allowLateOnlyWhenScheduled({ current, proposed }: Transition): ReturnType<Rule> {
  if (proposed.name !== "Late" || proposed.type !== "SCHEDULED" || current === undefined) return undefined;
  if (current.type !== "SCHEDULED")
    return { status: "REJECT", reason: "Only scheduled flows can be marked late.", state: undefined };
  if (current.name !== "Late") return undefined;
  return { status: "REJECT", reason: "This flow run is already marked late.", state: undefined };
}

/** Runs that are to be cancelled when there is no slot do not pile up while nobody claims them. */
function cancelLateForWantOfSlot({ current, proposed, slots }: Transition): ReturnType<Rule> {
  if (current?.type !== "SCHEDULED" || proposed.name !== "Late" || !slots.areFullForNew()) return undefined;
  return {
    status: "REJECT",
    reason: "Deployment concurrency limit is full and uses the CANCEL_NEW strategy.",
    state: stateOf("CANCELLED", { message: "Deployment concurrency limit reached." }),
  };
}

function guardPause({ run, policy, current, proposed }: Transition): ReturnType<Rule> {
  if (proposed.type !== "PAUSED") return undefined;
  const verb = proposed.name === "Suspended" ? "suspend" : "pause";
  if (current === undefined) return { status: "ABORT", reason: `Cannot ${verb} flows with no state.` };
  if (current.type !== "RUNNING") {
    return {
      status: "REJECT",
      reason: `Cannot ${verb} flows that are not currently running.`,
      state: undefined,
    };
  }
  const given = proposed.details["pause_key"];
  const key = typeof given === "string" ? given : crypto.randomUUID();
  const keys = Array.isArray(policy["pause_keys"]) ? (policy["pause_keys"] as readonly Json[]) : [];
  if (keys.includes(key))
    return { status: "REJECT", reason: `This ${verb} has already fired.`, state: undefined };
  if (proposed.details["pause_reschedule"] === true) {
    if (run.parent_task_run_id !== null) return { status: "ABORT", reason: `Cannot ${verb} subflows.` };
    if (run.deployment_id === null)
      return { status: "ABORT", reason: `Cannot ${verb} flows without a deployment.` };
  }
  return { policy: { ...policy, pause_keys: [...keys, key] } };
}

function guardResume({ run, policy, current, proposed, now }: Transition): ReturnType<Rule> {
  if (current?.type !== "PAUSED") return undefined;
  const canFollow =
    ["RUNNING", "SCHEDULED", "CANCELLING"].includes(proposed.type) || isTerminal(proposed.type);
  if (!canFollow) {
    const reason = `This run cannot transition to the ${proposed.type} state from the ${current.type} state.`;
    return { status: "REJECT", reason, state: undefined };
  }
  const shown = proposed.name.toLowerCase();
  if (current.details["pause_reschedule"] === true && run.deployment_id === null) {
    return {
      status: "REJECT",
      reason: `Cannot reschedule a ${shown} flow run without a deployment.`,
      state: undefined,
    };
  }
  const timeout = current.details["pause_timeout"];
  if (proposed.type !== "CANCELLING" && typeof timeout === "string" && timeout < now) {
    const verb = proposed.name === "Suspended" ? "suspend" : "pause";
    return {
      status: "REJECT",
      reason: `The flow run ${verb} has timed out and can no longer resume.`,
      state: stateOf("FAILED", { message: `The flow was ${shown} and never resumed.` }),
    };
  }
  return { policy: { ...policy, resuming: true } };
}

function copyScheduledTime({ current, proposed }: Transition): ReturnType<Rule> {
  if (current?.type !== "SCHEDULED" || proposed.type !== "PENDING") return undefined;
  if (typeof proposed.details["scheduled_time"] === "string") return undefined;
  return { proposed: withDetails(proposed, { scheduled_time: current.details["scheduled_time"] ?? null }) };
}

/** Prefetching is safe: the engine is told to wait. */
function waitForScheduledTime({ current, proposed, now }: Transition): ReturnType<Rule> {
  if (proposed.type !== "RUNNING" || (current?.type !== "SCHEDULED" && current?.type !== "PENDING"))
    return undefined;
  const time = current.details["scheduled_time"];
  if (typeof time !== "string") return undefined;
  const seconds = Math.round((epochMsOf(time) - epochMsOf(now)) / 1000);
  return seconds > 0
    ? { status: "WAIT", reason: "Scheduled time is in the future", delaySeconds: seconds }
    : undefined;
}

function retryFailed({ run, policy, current, proposed, now }: Transition): ReturnType<Rule> {
  if (current?.type !== "RUNNING" || proposed.type !== "FAILED") return undefined;
  const retries = policy["retries"];
  if (typeof retries !== "number" || run.run_count > retries)
    return { policy: { ...policy, retry_type: null } };
  const delay = policy["retry_delay"];
  return {
    status: "REJECT",
    reason: "Retrying",
    policy: { ...policy, resuming: false, pause_keys: [], retry_type: "in_process" },
    state: stateOf("SCHEDULED", {
      name: "AwaitingRetry",
      message: proposed.message,
      data: proposed.data,
      details: {
        scheduled_time: addSeconds(now, Number(delay ?? 0)),
        deployment_concurrency_lease_id: current.details["deployment_concurrency_lease_id"] ?? null,
      },
    }),
  };
}

function withDetails(state: ProposedState, details: JsonObject): ProposedState {
  return { ...state, details: { ...state.details, ...details } };
}

function isPersisted(data: Json): boolean {
  return isJsonObject(data) && Object.keys(data).length > 0 && data["type"] !== "unpersisted";
}
