import { isCancelledUnlaunched } from "./claim.ts";
import { shipOutput } from "./command-run.ts";
import { hasBegunFlow } from "./container.ts";
import { tellingWhy } from "./container-intent.ts";
import { RunControl } from "./control.ts";
import { endBeforeClaim, isProposalOf, restoreEnd } from "./late-claim.ts";
import { untilAnswered } from "./patience.ts";
import { conclude } from "./report.ts";
import { LEFT } from "./run.ts";
import { settleAttempt } from "./settle.ts";
import { CANCELLED_BEFORE_START, awaitingRetry, cancelled } from "./states.ts";
import { removeWorkspace } from "./workspace-removal.ts";

import type { FlowRun, State } from "../api/types.ts";
import type { Infrastructure } from "../launcher/types.ts";
import type { Attempt } from "./attempt.ts";
import type { JournalEntry, JournalRecord } from "./journal.ts";
import type { RunRoom } from "./room.ts";
import type { RunEnd, RunProgress } from "./run.ts";
import type { Runs } from "./runs.ts";

/** What settles one orphan needs. */
interface Orphan {
  readonly record: JournalRecord;
  readonly entry: JournalEntry;
  readonly control: RunControl;
  readonly room: RunRoom;
  readonly progress: Pick<RunProgress, "onStuck">;
}

/**
 * Settles what a worker that died left behind (protocol §7.4): a report that did not get through is delivered, a live
 * process is watched again, a dead one is judged by its run's state, and a claim that was never launched is handed back.
 * The runs are in hand from the first moment on, so that no poll submits them a second time. Returns their number.
 */
export function recoverRuns(room: RunRoom, runs: Runs): number {
  const records = new Map<string, JournalRecord[]>();
  for (const record of room.journal.takeOrphans(room.api.apiUrl, room.workPoolName)) {
    const { flowRunId } = record.entry;
    records.set(flowRunId, [...(records.get(flowRunId) ?? []), record]);
  }
  for (const [flowRunId, ofRun] of records) {
    const control = new RunControl();
    runs.adopt({ id: flowRunId, name: flowRunId }, control, async (progress) => {
      let end: RunEnd = { kind: "returned", reason: "nothing is known about it" };
      // Two workers may have claimed it at once; the one that was refused has nothing to say.
      for (const record of ofRun.toSorted(byPhase)) {
        end = await settleOrphan({ record, entry: record.entry, control, room, progress });
      }
      return end;
    });
  }
  return records.size;
}

function byPhase(a: JournalRecord, b: JournalRecord): number {
  return Number(a.entry.phase !== "claimed") - Number(b.entry.phase !== "claimed");
}

async function settleOrphan(orphan: Orphan): Promise<RunEnd> {
  const { record, entry, room } = orphan;
  const end = await settleByPhase(orphan);
  if (end.kind === "left") return end;
  if (entry.workspace !== undefined && room.workspaces.owns(entry.workspace)) {
    await removeWorkspace(entry.flowRunId, entry.workspace, room);
  }
  record.remove();
  return end;
}

async function settleByPhase(orphan: Orphan): Promise<RunEnd> {
  const { entry, room, progress } = orphan;
  const run = { flowRun: { id: entry.flowRunId }, record: orphan.record };
  switch (entry.phase) {
    case "claimed": {
      const { outputFile, attempt } = entry;
      // Killed between the start of the process and the note of it.
      const handle =
        outputFile === undefined
          ? null
          : await room.launcher.trace({ outputFile, attempt, signal: room.closing });
      if (handle !== null) return await settleLaunched(orphan, handle);
      room.launcher.endSteps(entry.attempt);
      return await settleUnlaunched(orphan);
    }
    case "launched":
      return await settleLaunched(orphan, entry.handle ?? {});
    case "reporting": {
      const { report } = entry;
      const judged = report?.judged === undefined ? undefined : { id: report.judged };
      return await conclude(run, () => report ?? null, room, progress, judged);
    }
  }
}

async function settleUnlaunched({ entry, record, room, progress }: Orphan): Promise<RunEnd> {
  const read = (): Promise<FlowRun | null> => room.api.readFlowRun(entry.flowRunId, { signal: room.closing });
  const flowRun = await untilAnswered(read, room, () => progress.onStuck());
  const state = flowRun?.state ?? null;
  const reason = "The worker ended before the flow run was started.";
  const isClaim = (found: State): boolean => isProposalOf(entry.transitionIds, found);
  const verdict = isCancelledUnlaunched(flowRun, entry.pidBefore)
    ? { proposal: cancelled(CANCELLED_BEFORE_START), force: true }
    : (state?.type === "PENDING" || state?.type === "RUNNING") && isClaim(state)
      ? { proposal: awaitingRetry(room.clock.now(), reason), force: false }
      : null;
  if (state === null || verdict === null)
    return { kind: "returned", reason: `it is ${state?.name ?? "gone"}` };
  const run = { flowRun: { id: entry.flowRunId }, record };
  if (!verdict.force) {
    const ended = await endBeforeClaim(entry.flowRunId, state, isClaim, room, progress);
    if (ended !== null) return await restoreEnd(run, ended, isClaim, room, progress);
  }
  const end = await conclude(run, () => verdict, room, progress, state);
  const isBack = end.kind === "ended" && end.state === "AwaitingRetry";
  return isBack ? { kind: "returned", reason } : end;
}

async function settleLaunched(orphan: Orphan, handle: Attempt["infrastructure"]["handle"]): Promise<RunEnd> {
  const { record, entry, control, room, progress } = orphan;
  const { flowRunId } = entry;
  const outputFile = entry.outputFile ?? room.workspaces.outputFile(flowRunId, entry.attempt);
  const isCommandRun = entry.isCommandRun === true;
  const isContainer = room.workerType === "docker";
  const adopted = await room.launcher.adopt(handle, {
    outputFile,
    ...(isCommandRun ? { onLine: shipping(flowRunId, room) } : {}),
    cancelsItself: () => hasBegunFlow(flowRunId, room),
    signal: room.closing,
  });
  const infrastructure =
    adopted === null ? null : tellingWhy(adopted, isContainer ? entry.workspace : undefined);
  const log = room.runLogs.forRun(flowRunId, "prefect.flow_runs.worker");
  if (infrastructure !== null) {
    const what = isContainer ? "container" : "process";
    log.info(`Worker '${room.workerName}' watches the ${what} of flow run '${flowRunId}' again`);
    control.attach(infrastructure);
  }
  const attempt: Attempt = {
    flowRun: { id: flowRunId, name: flowRunId },
    flow: null,
    deployment: null,
    record,
    infrastructure: infrastructure ?? goneInfrastructure(handle),
    exited: infrastructure?.exited ?? Promise.resolve(room.launcher.endOf({ outputFile })),
    control,
    log,
    kind: isCommandRun ? "command" : "engine",
    isContainer,
    outputTail: () => room.launcher.lastLines({ outputFile }).map((line) => room.redactor.redact(line)),
  };
  const result = await attempt.exited;
  if (result.kind === "detached") return LEFT;
  return await settleAttempt(attempt, result, room, progress);
}

/** What a command writes from now on goes to its logs; what it wrote while nobody watched stands in its file only. */
function shipping(flowRunId: string, room: RunRoom): ReturnType<typeof shipOutput> {
  const ship = shipOutput(flowRunId, room);
  return (line, stream) => ship(room.redactor.redact(line), stream);
}

function goneInfrastructure(handle: Infrastructure["handle"]): Infrastructure {
  const result = { kind: "gone" } as const;
  return {
    identifier: String(handle["pid"] ?? ""),
    handle,
    ready: Promise.resolve(),
    exited: Promise.resolve(result),
    stop: () => Promise.resolve({ result, acknowledged: false }),
  };
}
