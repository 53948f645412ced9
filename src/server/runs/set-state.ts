import { parseJson } from "../../json/parse.ts";
import { stringifyJson } from "../../json/stringify.ts";
import { slotsOf } from "../concurrency/deployment-slots.ts";
import { holdLease, releaseLease, returnSlots } from "../concurrency/leases.ts";
import { emitEvent } from "../events/event.ts";
import { unknownObject } from "../http/errors.ts";
import { objectColumn } from "../store/json-column.ts";
import { epochMsOf, timestampOf } from "../store/timestamp.ts";
import { UNKNOWN_CLIENT } from "./api-client.ts";
import { relatedOf } from "./related.ts";
import { findFlowRun, findState } from "./row.ts";
import { FLOW_RUN_RULES } from "./rules.ts";
import { isTerminal, rowOfState, stateReply, storedData } from "./state.ts";
import { followSubflow } from "./subflow.ts";

import type { JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { Reply } from "../http/reply.ts";
import type { Transaction } from "../store/database.ts";
import type { ApiClient } from "./api-client.ts";
import type { FlowRunRow } from "./row.ts";
import type { CurrentState, Policy, Verdict } from "./rules.ts";
import type { ProposedState, StateRow } from "./state.ts";

/** What came of a proposal (protocol §2.2). */
export interface Orchestration {
  readonly status: "ACCEPT" | "REJECT" | "ABORT" | "WAIT";
  /** The run's state now. */
  readonly state: StateRow | undefined;
  readonly reason: string | undefined;
  readonly delaySeconds: number | undefined;
  /** Whether a state was written. */
  readonly isNew: boolean;
  /** The kind of the answer's details, where it is not that of the status. */
  readonly detailsType?: "abort_details";
}

const MAX_EVENT_MESSAGE = 100_000;
/** States that follow each other so closely name each other in their events, so that their order is sure. */
const TIGHT_MS = 5 * 60 * 1000;

const BUSY: ReadonlySet<string> = new Set(["PENDING", "RUNNING", "CANCELLING"]);

interface Options {
  /** `core` when absent. */
  readonly policy?: Policy;
  /** Who proposes; the server itself when absent. */
  readonly client?: ApiClient;
}

/**
 * Proposes a state for a run; the policy says which rules it must pass. Writes what was decided, keeps the run's times, counts and
 * slots, and emits the event of the new state. Throws a 404 for an unknown run.
 */
export function setFlowRunState(
  context: ServerContext,
  tx: Transaction,
  flowRunId: string,
  proposed: ProposedState,
  options: Options = {},
): Orchestration {
  const run = findFlowRun(tx, flowRunId);
  if (run === undefined) throw unknownObject("Flow run", flowRunId);
  const currentRow = findState(tx, run.state_id);
  const current = currentRow === undefined ? undefined : parsed(currentRow);
  const policy = objectColumn(run.empirical_policy);
  const decision = decide(context, tx, { run, policy, current, proposed }, options);
  const { verdict } = decision;
  const toWrite =
    verdict === undefined ? decision.proposed : verdict.status === "REJECT" ? verdict.state : undefined;
  const outcome = {
    status: verdict?.status ?? ("ACCEPT" as const),
    reason: verdict?.reason,
    delaySeconds: verdict?.status === "WAIT" ? verdict.delaySeconds : undefined,
  };
  if (toWrite === undefined) {
    // A slot that was taken by a rule before the one that refused goes back.
    const lease = decision.proposed.details["deployment_concurrency_lease_id"];
    if (typeof lease === "string" && lease !== current?.details["deployment_concurrency_lease_id"])
      releaseLease(tx, lease);
    return { ...outcome, state: currentRow, isNew: false };
  }
  const nextPolicy = verdict?.status === "REJECT" ? (verdict.policy ?? policy) : decision.policy;
  const state = writeState(context, tx, run, current, toWrite, nextPolicy);
  const isRetry = verdict?.status === "REJECT" && toWrite.name === "AwaitingRetry";
  if (current !== undefined && BUSY.has(current.type) && !BUSY.has(toWrite.type) && !isRetry)
    giveSlotBack(tx, run, current);
  if (current?.type === "PENDING" && (toWrite.type === "RUNNING" || toWrite.type === "CANCELLING"))
    keepSlotOf(tx, toWrite, options.client);
  return { ...outcome, state, isNew: true };
}

/** The answer of set_state. */
export function orchestrationReply(outcome: Orchestration): { readonly [key: string]: Reply } {
  const { status, state, reason, delaySeconds } = outcome;
  const type = outcome.detailsType ?? `${status.toLowerCase()}_details`;
  const details: Reply =
    status === "ACCEPT"
      ? { type }
      : status === "WAIT"
        ? { type, delay_seconds: delaySeconds ?? 0, reason: reason ?? null }
        : { type, reason: reason ?? null };
  return { state: state === undefined ? null : stateReply(state), status, details };
}

interface Proposal {
  readonly run: FlowRunRow;
  readonly policy: JsonObject;
  readonly current: CurrentState | undefined;
  readonly proposed: ProposedState;
}

function decide(
  context: ServerContext,
  tx: Transaction,
  { run, policy, current, proposed }: Proposal,
  options: Options,
): { proposed: ProposedState; policy: JsonObject; verdict: Verdict | undefined } {
  const now = timestampOf(context.clock.now());
  let [nextProposed, nextPolicy] = [proposed, policy];
  const slots = slotsOf(context, tx, run);
  const client = options.client ?? UNKNOWN_CLIENT;
  for (const rule of FLOW_RUN_RULES[options.policy ?? "core"]) {
    const outcome = rule({
      run,
      policy: nextPolicy,
      current,
      proposed: nextProposed,
      now,
      client,
      slots,
    });
    if (outcome === undefined) continue;
    if ("status" in outcome) return { proposed: nextProposed, policy: nextPolicy, verdict: outcome };
    nextProposed = outcome.proposed ?? nextProposed;
    nextPolicy = outcome.policy ?? nextPolicy;
  }
  return { proposed: nextProposed, policy: nextPolicy, verdict: undefined };
}

/** Writes a state and what follows from it for the run (prefect/server/orchestration/global_policy.py). */
function writeState(
  context: ServerContext,
  tx: Transaction,
  run: FlowRunRow,
  current: CurrentState | undefined,
  proposed: ProposedState,
  policy: JsonObject,
): StateRow {
  const now = timestampOf(context.clock.now());
  const timestamp = laterThan(current?.timestamp, proposed.timestamp ?? now);
  const ids: JsonObject =
    run.parent_task_run_id === null
      ? { flow_run_id: run.id }
      : { flow_run_id: run.id, task_run_id: run.parent_task_run_id };
  const state = rowOfState(proposed, timestamp, ids);
  tx.run(
    "INSERT INTO flow_run_state (id, created, flow_run_id, type, name, timestamp, message, state_details, data) VALUES (?,?,?,?,?,?,?,?,?)",
    state.id,
    now,
    run.id,
    state.type,
    state.name,
    state.timestamp,
    state.message,
    state.state_details,
    storedData(state),
  );
  const scheduledTime = proposed.details["scheduled_time"];
  const scheduled = state.type === "SCHEDULED" && typeof scheduledTime === "string" ? scheduledTime : null;
  const isEnd = isTerminal(state.type);
  const isRunning = state.type === "RUNNING";
  // A run that goes on after a pause in its process is a new count there; one that was rescheduled is not.
  const resumes = objectColumn(run.empirical_policy)["resuming"] === true;
  const endTime = isEnd ? (run.end_time ?? timestamp) : isTerminal(current?.type) ? null : run.end_time;
  const startTime = run.start_time ?? (isRunning || (isEnd && run.end_time === null) ? timestamp : null);
  const ranSeconds =
    current?.type === "RUNNING" ? (epochMsOf(timestamp) - epochMsOf(current.timestamp)) / 1000 : 0;
  const hasResumed = resumes && (isRunning || isEnd) && current?.type !== "PAUSED";
  const nextPolicy = hasResumed ? { ...policy, resuming: false } : policy;
  const retryType = nextPolicy["retry_type"];
  const runCount = run.run_count + (isRunning && !resumes ? 1 : 0);
  tx.run(
    `UPDATE flow_run SET updated = ?, state_id = ?, state_type = ?, state_name = ?, state_timestamp = ?, empirical_policy = ?, retry_type = ?,
       run_count = ?, expected_start_time = ?, next_scheduled_start_time = ?, start_time = ?, end_time = ?, total_run_time = ? WHERE id = ?`,
    now,
    state.id,
    state.type,
    state.name,
    timestamp,
    stringifyJson(nextPolicy),
    typeof retryType === "string" ? retryType : null,
    runCount,
    run.expected_start_time ?? scheduled ?? timestamp,
    scheduled,
    startTime,
    endTime,
    run.total_run_time + Math.max(0, ranSeconds),
    run.id,
  );
  if (run.parent_task_run_id !== null)
    followSubflow(context, tx, run.parent_task_run_id, run.id, proposed, timestamp);
  emitStateEvent(context, tx, { ...run, run_count: runCount }, current, state);
  return state;
}

/** prefect/server/models/events.py: flow_run_state_change_event. */
function emitStateEvent(
  context: ServerContext,
  tx: Transaction,
  run: FlowRunRow,
  current: CurrentState | undefined,
  state: StateRow,
): void {
  const message = (state.message ?? "").slice(0, MAX_EVENT_MESSAGE);
  const isTight = current !== undefined && isSoonAfter(current.timestamp, state.timestamp);
  emitEvent(context, tx, {
    id: state.id,
    occurred: state.timestamp,
    event: `prefect.flow-run.${state.name}`,
    resource: {
      "prefect.resource.id": `prefect.flow-run.${run.id}`,
      "prefect.resource.name": run.name,
      "prefect.run-count": String(run.run_count),
      "prefect.state-message": message,
      "prefect.state-name": state.name,
      "prefect.state-timestamp": state.timestamp,
      "prefect.state-type": state.type,
    },
    related: relatedOf(tx, run),
    payload: {
      intended: { from: current?.type ?? null, to: state.type },
      initial_state: current === undefined ? null : statePayload(current, current.details),
      validated_state: statePayload(state, state.type === "PAUSED" ? objectColumn(state.state_details) : {}),
    },
    follows: isTight ? current.id : null,
  });
}

/** A client that does not renew its lease has its slot until the run ends. */
function keepSlotOf(tx: Transaction, { details }: ProposedState, client: ApiClient | undefined): void {
  const lease = details["deployment_concurrency_lease_id"];
  if (typeof lease === "string" && client?.renewsLeases !== true) holdLease(tx, lease);
}

function isSoonAfter(before: string, after: string): boolean {
  // The same minute, mostly.
  if (before.slice(0, 16) === after.slice(0, 16)) return true;
  return Math.abs(epochMsOf(after) - epochMsOf(before)) < TIGHT_MS;
}

function statePayload(
  { type, name, message }: Pick<StateRow, "type" | "name" | "message">,
  details: JsonObject,
): JsonObject {
  return {
    type,
    name,
    ...(message === null || message === "" ? {} : { message: message.slice(0, MAX_EVENT_MESSAGE) }),
    ...(type === "PAUSED" ? { pause_reschedule: String(details["pause_reschedule"] === true) } : {}),
  };
}

/** Gives the slot of the deployment's limit back (prefect: ReleaseFlowConcurrencySlots). */
function giveSlotBack(tx: Transaction, run: FlowRunRow, current: CurrentState): void {
  const lease = current.details["deployment_concurrency_lease_id"];
  if (typeof lease === "string") {
    releaseLease(tx, lease);
    return;
  }
  if (run.deployment_id === null) return;
  const limit = tx.get<{ id: string | null }>(
    "SELECT concurrency_limit_id AS id FROM deployment WHERE id = ?",
    run.deployment_id,
  );
  if (limit?.id !== undefined && limit.id !== null) returnSlots(tx, limit.id, 1);
}

/** States of a run never share a timestamp. */
function laterThan(previous: string | undefined, timestamp: string): string {
  return previous === timestamp
    ? `${timestamp.slice(0, 20)}${String(Number(timestamp.slice(20, 26)) + 1).padStart(6, "0")}Z`
    : timestamp;
}

function parsed(row: StateRow): CurrentState {
  return {
    id: row.id,
    type: row.type,
    name: row.name,
    timestamp: row.timestamp,
    message: row.message,
    details: objectColumn(row.state_details),
    data: row.data === null ? null : parseJson(row.data),
  };
}
