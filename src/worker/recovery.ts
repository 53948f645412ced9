import { readFileSync } from "node:fs";

import { TERMINAL_STATES } from "../api/types.ts";
import { OutputTail } from "./attempt.ts";
import { RunControl } from "./control.ts";
import { untilAnswered } from "./patience.ts";
import { settleAttempt } from "./settle.ts";
import { awaitingRetry } from "./states.ts";

import type { FlowRun } from "../api/types.ts";
import type { Attempt } from "./attempt.ts";
import type { JournalEntry, JournalRecord } from "./journal.ts";
import type { RunRoom } from "./room.ts";
import type { RunEnd } from "./run.ts";
import type { Runs } from "./runs.ts";

/**
 * Settles what a worker that died left behind (protocol §7.4): a report that did not get through is delivered, a live
 * process is watched again, a dead one is judged by its run's state, and a claim that was never launched is handed back.
 * The runs are in hand from the first moment on, so that no poll submits them a second time.
 */
export function recoverRuns(room: RunRoom, runs: Runs): number {
  const records = room.journal.takeOrphans(room.api.apiUrl, room.workPoolName);
  for (const record of records) {
    const control = new RunControl();
    const { flowRunId } = record.entry;
    runs.adopt({ id: flowRunId, name: flowRunId }, control, settleOrphan(record, control, room));
  }
  return records.length;
}

async function settleOrphan(record: JournalRecord, control: RunControl, room: RunRoom): Promise<RunEnd> {
  const { entry } = record;
  const flowRun = await untilAnswered(
    () => room.api.readFlowRun(entry.flowRunId, { signal: room.closing }),
    room,
  );
  const end = await settleEntry(flowRun, record, control, room);
  record.remove();
  if (entry.workspace !== undefined && room.workspaces.owns(entry.workspace)) {
    await room.workspaces.remove(entry.workspace);
  }
  return end;
}

async function settleEntry(
  flowRun: FlowRun | null,
  record: JournalRecord,
  control: RunControl,
  room: RunRoom,
): Promise<RunEnd> {
  const { entry } = record;
  if (flowRun === null) return { kind: "ended", state: "Deleted" };
  switch (entry.phase) {
    case "claiming":
    case "claimed":
      return await settleUnlaunched(flowRun, entry, room);
    case "launched":
      return await settleLaunched(flowRun, record, control, room);
    case "reporting":
      return await deliverReport(flowRun, entry, room);
  }
}

async function settleUnlaunched(flowRun: FlowRun, entry: JournalEntry, room: RunRoom): Promise<RunEnd> {
  const { state } = flowRun;
  const isOurClaim =
    state?.type === "PENDING" &&
    flowRun.infrastructure_pid === null &&
    (entry.phase === "claimed" || state.state_details?.["transition_id"] === entry.transitionId);
  if (!isOurClaim) return { kind: "refused", reason: `it is ${state?.name ?? "gone"}` };
  const handedBack = awaitingRetry(room.clock.now(), "The worker ended before the flow run was started.");
  const answer = await room.reporter.deliver(flowRun.id, handedBack, false);
  return { kind: "ended", state: answer?.state?.name ?? "Deleted" };
}

async function settleLaunched(
  flowRun: FlowRun,
  record: JournalRecord,
  control: RunControl,
  room: RunRoom,
): Promise<RunEnd> {
  const { entry } = record;
  const outputFile = entry.outputFile ?? room.workspaces.outputFile(flowRun.id);
  const tail = new OutputTail();
  const onLine = (line: string): void => tail.add(room.redactor.redact(line));
  const infrastructure = await room.launcher.adopt(entry.handle ?? {}, { outputFile, onLine });
  const log = room.runLogs.forRun(flowRun.id, "prefect.flow_runs.worker");
  if (infrastructure === null) {
    for (const line of lastLines(outputFile)) onLine(line);
  } else {
    log.info(`Worker '${room.workerName}' watches flow run '${flowRun.name}' again`);
    control.attach(infrastructure);
  }
  const attempt: Attempt = {
    flowRun,
    flow: null,
    deployment: null,
    record,
    infrastructure: infrastructure ?? goneInfrastructure(entry),
    exited: infrastructure?.exited ?? Promise.resolve(room.launcher.endOf({ outputFile })),
    control,
    log,
    kind: entry.isCommandRun === true ? "command" : "engine",
    outputTail: () => tail.lines,
  };
  return await settleAttempt(attempt, await attempt.exited, room);
}

async function deliverReport(flowRun: FlowRun, entry: JournalEntry, room: RunRoom): Promise<RunEnd> {
  const { report } = entry;
  const isConcluded = flowRun.state !== null && TERMINAL_STATES.has(flowRun.state.type);
  if (report === undefined || (isConcluded && !report.force)) {
    return { kind: "ended", state: flowRun.state?.name ?? "Unknown" };
  }
  const answer = await room.reporter.deliver(flowRun.id, report.proposal, report.force);
  return { kind: "ended", state: answer?.state?.name ?? "Deleted" };
}

function goneInfrastructure(entry: JournalEntry): Attempt["infrastructure"] {
  const result = { kind: "gone" } as const;
  return {
    identifier: String(entry.handle?.["pid"] ?? ""),
    handle: entry.handle ?? {},
    ready: Promise.resolve(),
    exited: Promise.resolve(result),
    stop: () => Promise.resolve({ result, acknowledged: false }),
  };
}

function lastLines(file: string): string[] {
  try {
    return readFileSync(file, "utf8").slice(-4096).split("\n").slice(-6);
  } catch {
    return []; // swept already
  }
}
