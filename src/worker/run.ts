import { coerceError } from "../errors.ts";
import { claimRun } from "./claim.ts";
import { runCommand } from "./command-run.ts";
import { launchEngine } from "./engine-run.ts";
import { pullCode } from "./pull.ts";
import { prepareRun } from "./prepare.ts";
import { settleAttempt, settleFailure } from "./settle.ts";

import type { FlowRun } from "../api/types.ts";
import type { RunControl } from "./control.ts";
import type { PreparedRun } from "./prepare.ts";
import type { RunRoom } from "./room.ts";
import type { Timings } from "./timings.ts";

/** How the worker's part of a flow run ended. `state` is the run's last state as far as it is known. */
export type RunEnd =
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "ended"; readonly state: string; readonly message?: string | undefined };

/**
 * The life of a flow run: claim → resolve → pull → launch → watch → report.
 *
 * Rejects only when the final state could not be delivered before the worker had to go; the journal entry then stays for
 * the next start. `onStarted` is called once the process works on its own. Everything else, be it a bad template or a deleted run, ends in a {@link RunEnd}.
 */
export async function executeFlowRun(
  flowRun: FlowRun,
  control: RunControl,
  timings: Timings,
  room: RunRoom,
  onStarted: () => void,
): Promise<RunEnd> {
  const claim = await claimRun(flowRun, room);
  if (claim.kind === "refused") return claim;

  const secrets = room.redactor.scope();
  let run: PreparedRun | undefined;
  try {
    timings.enter("resolve");
    run = await prepareRun(claim, control, secrets, room);

    timings.enter("pull");
    const code = await pullCode(run, room);

    timings.enter("launch");
    const attempt =
      run.job.engine === "none" ? await runCommand(run, code, room) : await launchEngine(run, code, room);

    timings.enter("run");
    void attempt.infrastructure.ready.then(onStarted);
    const result = await attempt.exited;

    timings.enter("report");
    return await settleAttempt(attempt, result, room);
  } catch (thrown) {
    return await settleFailure(coerceError(thrown), claim, control, timings, room);
  } finally {
    await run?.workspace.remove();
    secrets.release();
  }
}
