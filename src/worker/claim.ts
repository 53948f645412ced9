import { randomUUID } from "node:crypto";

import { coerceError } from "../errors.ts";
import { untilAnswered } from "./patience.ts";
import { deploymentGone, cancelled, pending } from "./states.ts";

import type { Deployment, Flow, FlowRun, SetStateResult } from "../api/types.ts";
import type { JournalRecord } from "./journal.ts";
import type { RunRoom } from "./room.ts";

/** A run that is ours: nobody else will start it. */
export interface Claim {
  readonly flowRun: FlowRun;
  readonly deployment: Deployment | null;
  readonly flow: Flow | null;
  readonly record: JournalRecord;
}

export type ClaimOutcome =
  | ({ readonly kind: "claimed" } & Claim)
  /** The server or another worker has it; nothing to do. */
  | { readonly kind: "refused"; readonly reason: string };

/**
 * Proposes PENDING, which is the claim (protocol §2.1, §2.3), and reads deployment and flow at the same time.
 * The journal is written first, so that a worker that dies in between finds the run again.
 */
export async function claimRun(flowRun: FlowRun, room: RunRoom): Promise<ClaimOutcome> {
  const { api } = room;
  const transitionId = randomUUID();
  const record = room.journal.open({
    flowRunId: flowRun.id,
    apiUrl: api.apiUrl,
    workPool: room.workPoolName,
    transitionId,
  });
  const reads = Promise.all([
    flowRun.deployment_id === null ? null : api.readDeployment(flowRun.deployment_id),
    api.readFlow(flowRun.flow_id),
  ]);
  reads.catch(() => undefined); // awaited below, unless the claim is refused
  let refusal: string | null;
  try {
    refusal = refusalOf(await api.setFlowRunState(flowRun.id, pending(transitionId), { force: false }));
  } catch (thrown) {
    refusal = await settleUnknownClaim(flowRun.id, transitionId, coerceError(thrown), room);
  }
  if (refusal !== null) {
    record.remove();
    return { kind: "refused", reason: refusal };
  }
  record.update({ phase: "claimed" });
  const [deployment, flow] = await reads;
  if (deployment === null && flowRun.deployment_id !== null) {
    const reason = deploymentGone(flowRun);
    await room.reporter.deliver(flowRun.id, cancelled(reason), true);
    record.remove();
    return { kind: "refused", reason };
  }
  return { kind: "claimed", flowRun, deployment, flow, record };
}

function refusalOf(answer: SetStateResult | null): string | null {
  if (answer === null) return "The flow run does not exist any more.";
  if (answer.status === "ACCEPT" && answer.state?.type === "PENDING") return null;
  return (
    answer.reason ?? `The server answered ${answer.status} with state ${answer.state?.name ?? "unknown"}.`
  );
}

// The proposal may have been written although its answer was lost. The run's own state tells, once the API is back.
async function settleUnknownClaim(
  flowRunId: string,
  transitionId: string,
  error: Error,
  room: RunRoom,
): Promise<string | null> {
  room.logger.warn(
    { flowRunId, err: error },
    "The answer to a claim was lost; reading the flow run to find out",
  );
  const state = (await untilAnswered(() => room.api.readFlowRun(flowRunId), room))?.state;
  const isOurs = state?.type === "PENDING" && state.state_details?.["transition_id"] === transitionId;
  return isOurs ? null : error.message;
}
