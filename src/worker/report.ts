import { coerceError } from "../errors.ts";
import { TERMINAL_STATES } from "../api/types.ts";
import { untilAnswered } from "./patience.ts";
import { CANCELLED_BY_USER, cancelled } from "./states.ts";

import type { FlowRun, State, StateProposal } from "../api/types.ts";
import type { JournalRecord } from "./journal.ts";
import type { RunRoom } from "./room.ts";
import type { RunEnd, RunProgress } from "./run.ts";

/** What is left to report of a run. */
export interface Verdict {
  readonly proposal: StateProposal;
  /** Only CANCELLED is forced: the server protects what the engine itself reported (protocol §11.2). */
  readonly force: boolean;
  /** Also where an onlooker has reported CRASHED. */
  readonly replacesCrash?: boolean;
}

export interface ReportedRun {
  readonly flowRun: Pick<FlowRun, "id">;
  readonly record: JournalRecord;
}

const DELETED = { kind: "ended", state: "Deleted" } as const;

/**
 * Reads the run's state, lets `decide` judge it, and reports the verdict, if there is one, however long the API is away
 * (promise 7). The report stands in the journal before it is sent. When its answer was lost, the state is read again: a run
 * that has gone on since, maybe with another worker, is left alone. Rejects when the worker must go or the API refuses for good.
 *
 * `judged`: the state that an earlier worker judged before it sent this report.
 */
export async function conclude(
  run: ReportedRun,
  decide: (state: State) => Verdict | null,
  room: RunRoom,
  progress: Pick<RunProgress, "onStuck">,
  judged?: Pick<State, "id">,
): Promise<RunEnd> {
  const { api, logger, closing } = room;
  const { id } = run.flowRun;
  let sentFor = judged;

  async function report(state: State, { proposal, force }: Verdict): Promise<RunEnd> {
    const { message } = proposal;
    const masked = {
      ...proposal,
      ...(message === undefined ? {} : { message: room.redactor.redact(message) }),
    };
    note(run, { proposal: masked, force, ...(state.id === undefined ? {} : { judged: state.id }) }, room);
    sentFor = state;
    const answer = await api.setFlowRunState(id, masked, { force, signal: closing });
    if (answer?.state?.type === "CANCELLING" && !force) return await report(answer.state, CANCELLATION);
    return answer?.state == null ? DELETED : endedAs(answer.state);
  }

  return await untilAnswered(
    async () => {
      const found = await api.readFlowRun(id, { signal: closing });
      if (found === null) return DELETED;
      const state: State = found.state ?? { type: "PENDING", name: "Pending" };
      const hasMoved = sentFor?.id !== undefined && sentFor.id !== state.id && state.type !== "CANCELLING";
      const verdict = hasMoved ? null : decide(state);
      if (verdict === null || isConcluded(state, verdict)) return endedAs(state);
      return await report(state, verdict);
    },
    room,
    (error) => {
      progress.onStuck();
      logger.warn({ flowRunId: id, err: error }, "The end of a flow run could not be reported; trying again");
    },
  );
}

function isConcluded({ type }: State, { force, replacesCrash = false }: Verdict): boolean {
  return TERMINAL_STATES.has(type) && !force && !(replacesCrash && type === "CRASHED");
}

const CANCELLATION: Verdict = { proposal: cancelled(CANCELLED_BY_USER), force: true };

function endedAs(state: State): RunEnd {
  return { kind: "ended", state: state.name, type: state.type, message: state.message ?? undefined };
}

// Without its entry the report is only lost if the worker dies before it is delivered; a full disk must not keep it back.
function note(
  { record, flowRun }: ReportedRun,
  report: Parameters<JournalRecord["update"]>[0]["report"] & {},
  room: RunRoom,
): void {
  try {
    record.update({ phase: "reporting", report });
  } catch (thrown) {
    room.logger.warn({ flowRunId: flowRun.id, err: coerceError(thrown) }, "The journal cannot be written");
  }
}
