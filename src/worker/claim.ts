import { coerceError } from "../errors.ts";
import { RunReturned, RunStopped } from "./control.ts";
import { endBeforeClaim, restoreEnd } from "./late-claim.ts";
import { untilAnswered } from "./patience.ts";
import { pending } from "./states.ts";

import type { Deployment, Flow, FlowRun, State } from "../api/types.ts";
import type { JournalRecord } from "./journal.ts";
import type { RunRoom } from "./room.ts";
import type { RunProgress } from "./run.ts";

/** A run that is ours: nobody else will start it. */
export interface Claim {
  readonly flowRun: FlowRun;
  readonly record: JournalRecord;
  /** Being read since the claim was proposed. */
  readonly subject: Promise<Subject>;
  /** Why it must not be started all the same: RunStopped or RunReturned. */
  readonly obstacle: Error | null;
}

/** What the run is a run of. */
export interface Subject {
  /** Null for a run without a deployment. */
  readonly deployment: Deployment | null;
  readonly flow: Flow | null;
}

export type ClaimOutcome = { readonly kind: "claimed"; readonly claim: Claim } | NotClaimed;

type NotClaimed =
  /** The server or another worker has it; nothing to do. */
  | { readonly kind: "refused"; readonly reason: string }
  /** It could not be claimed, and waits for a worker as before. */
  | { readonly kind: "returned"; readonly reason: string };

/** What became of the proposal, and the state that it wrote, if any. */
type Proposed = (({ readonly kind: "claimed" } & Pick<Claim, "obstacle">) | NotClaimed) & {
  readonly written?: State;
};

/** The deployment was deleted after the run was scheduled. */
export class DeploymentGone extends Error {
  override readonly name = "DeploymentGone";
}

/**
 * Proposes PENDING, which is the claim (protocol §2.1, §2.3), and reads deployment and flow at the same time.
 * The journal is written first, so that a worker that dies in between finds the run again. Rejects only when the worker must
 * go before the claim's outcome is known.
 */
export async function claimRun(
  flowRun: FlowRun,
  room: RunRoom,
  progress: Pick<RunProgress, "onStuck">,
): Promise<ClaimOutcome> {
  const record = openRecord(flowRun, room);
  if (record instanceof Error) return { kind: "returned", reason: record.message };
  const subject = readSubject(flowRun, room);
  subject.catch(() => undefined); // awaited later, unless the claim is refused
  const proposed = await propose(flowRun, record.entry.transitionIds.claim, room, progress);
  const { written } = proposed;
  const late = written === undefined ? null : await undoLateClaim(written, flowRun, record, room, progress);
  const outcome = late ?? proposed;
  if (outcome.kind === "claimed") {
    return { kind: "claimed", claim: { flowRun, record, subject, obstacle: outcome.obstacle } };
  }
  record.remove();
  return outcome;
}

/** Undoes what the proposal has done to a run that had ended before; null when it was waiting, as it should. */
async function undoLateClaim(
  written: State,
  flowRun: FlowRun,
  record: JournalRecord,
  room: RunRoom,
  progress: Pick<RunProgress, "onStuck">,
): Promise<NotClaimed | null> {
  const isWritten = ({ id }: State): boolean => id === written.id;
  const ended = await endBeforeClaim(flowRun.id, written, isWritten, room, progress);
  return ended === null ? null : await restoreEnd({ flowRun, record }, ended, isWritten, room, progress);
}

function openRecord(flowRun: FlowRun, room: RunRoom): JournalRecord | Error {
  const { api, workPoolName: workPool, journal } = room;
  try {
    const { id: flowRunId, infrastructure_pid: pidBefore } = flowRun;
    return journal.open({ flowRunId, apiUrl: api.apiUrl, workPool, pidBefore });
  } catch (thrown) {
    // A full disk: a run that is not in the journal could be lost, so it is left to others until there is room again.
    const err = coerceError(thrown);
    room.logger.error(
      { flowRunId: flowRun.id, err },
      "The journal cannot be written; the flow run is not taken",
    );
    return new Error(`the journal cannot be written: ${err.message}`, { cause: err });
  }
}

/** Reads what the run is a run of. Rejects with DeploymentGone. */
export async function readSubject(flowRun: FlowRun, { api, closing }: RunRoom): Promise<Subject> {
  const { deployment_id: deploymentId } = flowRun;
  const [deployment, flow] = await Promise.all([
    deploymentId === null ? null : api.readDeployment(deploymentId, { signal: closing }),
    api.readFlow(flowRun.flow_id, { signal: closing }),
  ]);
  if (deployment === null && deploymentId !== null) {
    throw new DeploymentGone(
      `Deployment ${deploymentId} no longer exists, so this flow run cannot be executed.`,
    );
  }
  return { deployment, flow };
}

async function propose(
  { id: flowRunId, infrastructure_pid: pidBefore }: FlowRun,
  transitionId: string,
  room: RunRoom,
  progress: Pick<RunProgress, "onStuck">,
): Promise<Proposed> {
  const { api, logger, closing } = room;
  const isOurs = (state: State | null | undefined): boolean =>
    state?.type === "PENDING" && state.state_details?.["transition_id"] === transitionId;
  try {
    const proposal = pending(transitionId);
    const answer = await api.setFlowRunState(flowRunId, proposal, { force: false, signal: closing });
    if (answer === null) return { kind: "refused", reason: "The flow run does not exist any more." };
    const { status, state } = answer;
    // A proposal that was repeated because its answer was lost is refused, as it is there already.
    if (state !== null && ((status === "ACCEPT" && state.type === "PENDING") || isOurs(state)))
      return { kind: "claimed", obstacle: null, written: state };
    const reason = answer.reason ?? `The server answered ${status} with state ${state?.name ?? "unknown"}.`;
    // Where a limit is reached the server writes another state in place of ours.
    const isReplaced = status === "REJECT" && state?.type === "SCHEDULED";
    return { kind: "refused", reason, ...(isReplaced && { written: state }) };
  } catch (thrown) {
    closing.throwIfAborted();
    const err = coerceError(thrown);
    logger.warn({ flowRunId, err }, "The answer to a claim was lost; reading the flow run to find out");
    // The proposal may have been written all the same. The run's own state tells, once the API is back.
    const read = (): ReturnType<typeof api.readFlowRun> => api.readFlowRun(flowRunId, { signal: closing });
    let isLate = false;
    const found = await untilAnswered(read, room, () => {
      isLate = true;
      progress.onStuck();
    });
    if (isCancelledUnlaunched(found, pidBefore))
      return { kind: "claimed", obstacle: new RunStopped("cancel") };
    const state = found?.state ?? null;
    if (state === null || !isOurs(state)) return { kind: "returned", reason: err.message };
    const late = new RunReturned("The worker learned too late that it had claimed the flow run.");
    return { kind: "claimed", obstacle: isLate ? late : null, written: state };
  }
}

/**
 * Claimed by somebody, maybe by us, and cancelled before anybody started a process: it only has to be concluded. A run that
 * was handed back keeps the pid of its earlier attempt, which is the one that it had when it was polled.
 */
export function isCancelledUnlaunched(flowRun: FlowRun | null, pidBefore: string | null): boolean {
  return flowRun?.state?.type === "CANCELLING" && flowRun.infrastructure_pid === pidBefore;
}
