import { TERMINAL_STATES } from "../api/types.ts";
import { WorkerError } from "../errors.ts";
import { startLoop } from "../lifecycle/loop.ts";
import { exitCodeOf } from "../lifecycle/shutdown.ts";
import { StepError } from "../steps/errors.ts";
import { findCancelling } from "./cancellation.ts";
import { readSubject } from "./claim.ts";
import { RunControl } from "./control.ts";
import { environmentWith } from "./environment.ts";
import { apiLookups } from "./lookups.ts";
import { conclude } from "./report.ts";
import { carryOut } from "./run.ts";
import { CANCELLED_BEFORE_START, cancelled } from "./states.ts";
import { Timings } from "./timings.ts";

import type { LaunchResult } from "../launcher/types.ts";
import type { SecretRegistry } from "../log/redactor.ts";
import type { Claim } from "./claim.ts";
import type { StopReason } from "./control.ts";
import type { Job } from "./job.ts";
import type { PreparedRun } from "./prepare.ts";
import type { RunRoom } from "./room.ts";
import type { RunEnd, RunProgress } from "./run.ts";

/** Announces that somebody wants the run cancelled; a server that can't is fine, polling covers it. */
export type CancellationAnnouncer = (onCancelling: () => void, signal: AbortSignal) => Promise<void>;

export interface ExecutionOptions {
  readonly flowRunId: string;
  readonly room: Omit<RunRoom, "closing">;
  readonly announcer: CancellationAnnouncer;
  readonly cancellationPollMs: number;
}

export interface ExecutionEnd {
  readonly end: RunEnd;
  /** Of the engine; null when none was started. */
  readonly result: LaunchResult | null;
  /** Why it was ended early. */
  readonly reason: StopReason | undefined;
}

// How long the API may be away when there is something to report at last; whoever started us waits for our end.
const REPORT_PATIENCE_MS = 15 * 60_000;
const LAST_REPORT_MS = 10_000;
const CANCELLATION_CHECK_MS = 1500;

// There is no template: the command is the engine, and the environment is ours.
const ENGINE_JOB: Job = {
  command: null,
  env: {},
  labels: {},
  name: null,
  streamOutput: true,
  workingDirectory: null,
  engine: "prefect",
  pull: "worker",
  configuration: {},
};

/**
 * Executes one flow run that a worker, elsewhere, has claimed and given to the infrastructure we run in: what
 * `prefect flow-run execute` does (prefect/cli/flow_run.py, prefect/runner/_workspace_supervisor.py). It is the life of a run without
 * claim and template, and leaves alone what belongs to that worker: "Submitting", labels and `infrastructure_pid`.
 */
export class Execution {
  readonly #options: ExecutionOptions;
  readonly #control = new RunControl();
  readonly #closing = new AbortController();
  readonly #room: RunRoom;
  #result: LaunchResult | null = null;
  #isStopping = false;

  constructor(options: ExecutionOptions) {
    this.#options = options;
    this.#room = { ...options.room, closing: this.#closing.signal };
  }

  /** Rejects with NOT_FOUND for a run that does not exist, and when the API does not answer. */
  async run(): Promise<ExecutionEnd> {
    const { flowRunId, room } = this.#options;
    const flowRun = await room.api.readFlowRun(flowRunId, { signal: this.#closing.signal });
    if (flowRun === null) throw new WorkerError("NOT_FOUND", `There is no flow run ${flowRunId}`);
    const { state } = flowRun;
    if (state !== null && TERMINAL_STATES.has(state.type)) {
      const reason = `it has ended already as ${state.name}`;
      return { end: { kind: "refused", reason }, result: null, reason: undefined };
    }
    const { id, infrastructure_pid: pidBefore } = flowRun;
    const { workPoolName: workPool, api, journal } = room;
    const record = journal.open({ flowRunId: id, apiUrl: api.apiUrl, workPool, pidBefore });
    const isCancelling = state?.type === "CANCELLING";
    const end = isCancelling
      ? await this.#concludeCancelled({ flowRun, record })
      : await this.#execute({ flowRun, record });
    return { end, result: this.#result, reason: isCancelling ? "cancel" : this.#control.reason };
  }

  /**
   * Ends the run early. Who cancels a run also ends its infrastructure, and that signal may be faster than the news: so the
   * run is looked at first, for the engine has to know. A second call kills.
   */
  stop(reason: Exclude<StopReason, "cancel">): void {
    const { killGraceMs } = this.#options.room;
    const graceMs = this.#isStopping ? 0 : killGraceMs;
    setTimeout(() => this.#closing.abort(), graceMs + LAST_REPORT_MS).unref();
    if (this.#isStopping) {
      this.#control.stop(this.#control.reason ?? reason, { graceMs });
      return;
    }
    this.#isStopping = true;
    void this.#isCancelling().then((isCancelling) =>
      this.#control.stop(isCancelling ? "cancel" : reason, { graceMs }),
    );
  }

  async #isCancelling(): Promise<boolean> {
    const { api } = this.#room;
    const signal = AbortSignal.timeout(CANCELLATION_CHECK_MS);
    const found = await findCancelling(api, [this.#options.flowRunId], { signal, retries: 0 }).catch(
      () => [],
    );
    return found.length > 0;
  }

  async #concludeCancelled(run: Pick<Claim, "flowRun" | "record">): Promise<RunEnd> {
    const verdict = { proposal: cancelled(CANCELLED_BEFORE_START), force: true };
    return await conclude(run, () => verdict, this.#room, { onStuck: () => undefined });
  }

  async #execute({ flowRun, record }: Pick<Claim, "flowRun" | "record">): Promise<RunEnd> {
    const room = this.#room;
    const subject = readSubject(flowRun, room);
    subject.catch(() => undefined); // awaited in #prepare
    const claim: Claim = { flowRun, record, subject, obstacle: null };
    const watching = new AbortController();
    const watch = this.#watchForCancellation(watching.signal);
    try {
      const progress: RunProgress = {
        onStarted: () => undefined,
        aside: async (work) => await work(),
        onStuck: () => undefined,
      };
      return await carryOut(claim, this.#control, new Timings(room.clock), room, progress, {
        announced: Promise.resolve(),
        prepare: (secrets) => this.#prepare(claim, secrets),
        onLaunched: ({ exited }) => void exited.then((result) => this.#onExited(result)),
      });
    } finally {
      watching.abort();
      await watch;
    }
  }

  #onExited(result: LaunchResult): void {
    this.#result = result;
    setTimeout(() => this.#closing.abort(), REPORT_PATIENCE_MS).unref();
  }

  async #prepare(claim: Claim, secrets: SecretRegistry): Promise<Omit<PreparedRun, "aside">> {
    const room = this.#room;
    const control = this.#control;
    const { flowRun, record } = claim;
    const { flow, deployment } = await claim.subject;
    if (deployment === null) {
      throw new StepError("The flow run has no deployment, so nothing says where its code is", {
        hint: "Create runs with `lighterman deployment run`, or from the page of a deployment.",
      });
    }
    control.signal.throwIfAborted();
    const { attempt } = record.entry;
    const workspace = room.workspaces.place(flowRun.id, attempt, null, room.cwd);
    await workspace.create();
    return {
      flowRun,
      flow,
      deployment,
      record,
      job: ENGINE_JOB,
      env: environmentWith(room.env, { ...room.prefectSettings, PREFECT__FLOW_RUN_ID: flowRun.id }),
      workspace,
      sourceCwd: room.cwd,
      outputFile: room.workspaces.outputFile(flowRun.id, attempt),
      lookups: apiLookups(room.api, control.signal, (secret) => secrets.add(secret)),
      control,
      log: room.runLogs.forRun(flowRun.id, "prefect.flow_runs.runner"),
      announced: Promise.resolve(),
      secrets,
    };
  }

  async #watchForCancellation(signal: AbortSignal): Promise<void> {
    const { flowRunId, announcer, cancellationPollMs } = this.#options;
    const { api, clock, logger, killGraceMs } = this.#room;
    const cancel = (): void => {
      if (this.#control.reason === "cancel") return;
      logger.info({ flowRunId }, "The flow run is being cancelled");
      this.#control.stop("cancel", { graceMs: killGraceMs });
    };
    const poll = startLoop(
      async (aborted) => {
        if ((await findCancelling(api, [flowRunId], { signal: aborted })).length > 0) cancel();
      },
      {
        intervalMs: cancellationPollMs,
        clock,
        signal,
        maxIntervalMs: cancellationPollMs,
        onError: (error, failures) => {
          if (failures === 1) logger.warn({ err: error }, "Cancellations could not be read; trying again");
        },
      },
    );
    await Promise.all([poll.done, announcer(cancel, signal)]);
  }
}

/** The exit status that says how it went: the engine's own where there was one (128 + N for signal N). */
export function exitStatusOf({ end, result, reason }: ExecutionEnd): number {
  if (end.kind === "refused") return 0;
  if (reason === "relinquish") return 1; // or the infrastructure would not start it again
  const isBack = end.kind !== "ended" || end.state === "AwaitingRetry";
  if (isBack || end.state === "Cancelled" || end.state === "Deleted") return 0;
  if (result === null) return 1;
  if ("receipt" in result && result.receipt !== undefined) return 0;
  if (result.kind === "exited") return result.code;
  return result.kind === "signaled" ? exitCodeOf(result.signal) : 0;
}
