import { coerceError } from "../errors.ts";
import { LaunchUncertain } from "../launcher/launch-outcomes.ts";
import { AttemptWithdrawn } from "../launcher/withdrawn.ts";
import { claimRun } from "./claim.ts";
import { runCommand } from "./command-run.ts";
import { launchContainer } from "./container-run.ts";
import { launchEngine } from "./engine-run.ts";
import { announceLaunch } from "./launch.ts";
import { pullCode } from "./pull.ts";
import { announceSubmission, prepareRun } from "./prepare.ts";
import { settleAttempt, settleFailure } from "./settle.ts";
import { removeWorkspace } from "./workspace-removal.ts";

import type { FlowRun, StateType } from "../api/types.ts";
import type { SecretRegistry } from "../log/redactor.ts";
import type { Attempt } from "./attempt.ts";
import type { Claim } from "./claim.ts";
import type { RunControl } from "./control.ts";
import type { PreparedRun } from "./prepare.ts";
import type { RunRoom } from "./room.ts";
import type { Timings } from "./timings.ts";

/** How the worker's part of a flow run ended. `state` is the run's last state as far as it is known. */
export type RunEnd =
  /** The server or another worker has it. */
  | { readonly kind: "refused"; readonly reason: string }
  /** It waits for a worker as before. */
  | { readonly kind: "returned"; readonly reason: string }
  /** It goes on by itself, and the next worker takes it over. */
  | { readonly kind: "left"; readonly reason: string }
  | {
      readonly kind: "ended";
      readonly state: string;
      /** Undefined for a run that was deleted. */
      readonly type?: StateType | undefined;
      readonly message?: string | undefined;
    };

export const LEFT: RunEnd = { kind: "left", reason: "it goes on in its container" };

/** What a run tells those who gave it its slots. */
export interface RunProgress {
  /** Its process works on its own: it does not count as starting any longer. */
  readonly onStarted: () => void;
  /**
   * Does what may take minutes and hardly burdens this machine, such as the pull of an image: others may start meanwhile. When it is
   * done the run waits until it may go on with its start.
   */
  readonly aside: <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T>;
  /** The API does not take what must be said about it: its slot may serve others while it keeps trying. */
  readonly onStuck: () => void;
}

/**
 * The life of a flow run: claim → resolve → pull → launch → watch → report.
 *
 * Rejects only when the final state could not be delivered before the worker had to go; the journal entry then stays for
 * the next start. Everything else, be it a bad template or a deleted run, ends in a {@link RunEnd}.
 */
export async function executeFlowRun(
  flowRun: FlowRun,
  control: RunControl,
  timings: Timings,
  room: RunRoom,
  progress: RunProgress,
): Promise<RunEnd> {
  const outcome = await claimRun(flowRun, room, progress);
  if (outcome.kind !== "claimed") return outcome;
  const { claim } = outcome;
  const announced = announceSubmission(claim, room);
  const end = await carryOut(claim, control, timings, room, progress, {
    announced,
    prepare: (secrets) => prepareRun(claim, announced, control, secrets, room),
    onLaunched: (attempt, run) => announceLaunch(attempt, run, room),
  });
  if (end.kind !== "left") claim.record.remove();
  return end;
}

/** What differs between a run that a worker has claimed and one that it was told to execute. */
interface Way {
  /** Resolves when nothing that was said of the run can overtake a report. */
  readonly announced: Promise<void>;
  readonly prepare: (secrets: SecretRegistry) => Promise<Omit<PreparedRun, "aside">>;
  readonly onLaunched: (attempt: Attempt, run: PreparedRun) => void;
}

/** From resolve to report; the journal entry stays. */
export async function carryOut(
  claim: Claim,
  control: RunControl,
  timings: Timings,
  room: RunRoom,
  progress: RunProgress,
  { announced, prepare, onLaunched }: Way,
): Promise<RunEnd> {
  const secrets = room.redactor.scope();
  let run: PreparedRun | undefined;
  let isLeft = false;

  async function start(): Promise<Attempt> {
    if (claim.obstacle !== null) throw claim.obstacle;
    timings.enter("resolve");
    run = { ...(await prepare(secrets)), aside: progress.aside };
    timings.learn({ deploymentName: run.deployment?.name, flowName: run.flow?.name });

    timings.enter("pull");
    const attempt = (await launchFromWorkersCode(run)) ?? (await launch(run));
    onLaunched(attempt, run);
    return attempt;
  }

  /** Loaded only where it is asked for; undefined where the code gets there otherwise. */
  async function launchFromWorkersCode(prepared: PreparedRun): Promise<Attempt | undefined> {
    if (room.workerType !== "docker" || prepared.job.pull === "container") return undefined;
    const { isPulledByWorker, launchWithCode } = await import("./container-code.ts");
    if (!(await isPulledByWorker(prepared, room))) return undefined;
    return await launchWithCode(prepared, room, timings);
  }

  async function launch(prepared: PreparedRun): Promise<Attempt> {
    const code = await pullCode(prepared, room, timings);
    timings.enter("launch");
    if (prepared.job.engine === "none") return await runCommand(prepared, code, room, progress);
    return room.workerType === "docker"
      ? await launchContainer(prepared, room)
      : await launchEngine(prepared, code, room);
  }

  try {
    // What fails from the launch on is no reason to hand the run back: it has been executed.
    const attempt = await start().catch(coerceError);
    if (attempt instanceof AttemptWithdrawn) return { kind: "refused", reason: attempt.message };
    if (attempt instanceof LaunchUncertain) {
      if (control.reason !== "cancel") {
        isLeft = true;
        return { kind: "left", reason: "it is not known whether it has begun" };
      }
      attempt.discard();
    }
    if (attempt instanceof Error) {
      await announced; // it must not overtake the report
      return await settleFailure(attempt, claim, control, timings, room, progress);
    }

    timings.enter("run");
    void attempt.infrastructure.ready.then(progress.onStarted);
    const result = await attempt.exited;
    if (result.kind === "withdrawn") return { kind: "refused", reason: new AttemptWithdrawn().message };

    if (result.kind === "detached") {
      isLeft = true; // its container may use the workspace
      return LEFT;
    }

    timings.enter("report");
    return await settleAttempt(attempt, result, room, progress);
  } finally {
    if (!isLeft && run?.workspace.isTemporary === true)
      await removeWorkspace(run.flowRun.id, run.workspace.directory, room);
    secrets.release();
  }
}
