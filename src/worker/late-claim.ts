import { TERMINAL_STATES } from "../api/types.ts";
import { untilAnswered } from "./patience.ts";
import { conclude } from "./report.ts";

import type { State } from "../api/types.ts";
import type { TransitionIds } from "./journal.ts";
import type { ReportedRun } from "./report.ts";
import type { RunRoom } from "./room.ts";
import type { RunProgress } from "./run.ts";

type Progress = Pick<RunProgress, "onStuck">;

/*
 * What a poll showed may be over when the claim reaches the server: another worker has had the run meanwhile, and has ended it.
 * No server refuses such a claim, for PENDING is allowed after COMPLETED, FAILED and CRASHED
 * (prefect/server/orchestration/core_policy.py: PreventPendingTransitions, HandleFlowTerminalStateTransitions). So whoever has
 * claimed a run must make sure that it was waiting for a worker, or it is executed a second time.
 */

/** True for a state that the owner of these ids has proposed before the launch. */
export function isProposalOf(ids: TransitionIds, { state_details: details }: State): boolean {
  return Object.values(ids).some((id) => id === details?.["transition_id"]);
}

/**
 * The state in which the run had ended before `isClaim` was written; null when it was waiting, as it should. `state` is the
 * run's present state: mostly it tells by itself.
 */
export async function endBeforeClaim(
  flowRunId: string,
  state: State,
  isClaim: (state: State) => boolean,
  room: RunRoom,
  progress: Progress,
): Promise<State | null> {
  // The server copies it from the state SCHEDULED that it found (core_policy.py: CopyScheduledTime).
  if (state.type === "PENDING" && typeof state.state_details?.["scheduled_time"] === "string") return null;
  const { api, closing } = room;
  const history = await untilAnswered(
    () => api.readFlowRunStates(flowRunId, { signal: closing }),
    room,
    progress.onStuck,
  );
  const before = history[history.findIndex(isClaim) - 1];
  return before !== undefined && TERMINAL_STATES.has(before.type) ? before : null;
}

/** Gives the run the state back in which it had ended. */
export async function restoreEnd(
  run: ReportedRun,
  ended: State,
  isClaim: (state: State) => boolean,
  room: RunRoom,
  progress: Progress,
): Promise<{ readonly kind: "refused"; readonly reason: string }> {
  const { type, name, message, data, state_details: details } = ended;
  const proposal = {
    type,
    name,
    ...(typeof message === "string" && { message }),
    ...(data !== undefined && { data }),
    ...(details !== undefined && { state_details: details }),
  };
  await conclude(run, (state) => (isClaim(state) ? { proposal, force: false } : null), room, progress);
  return { kind: "refused", reason: `It had ended as ${name} before it was claimed.` };
}
