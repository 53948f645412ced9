import { deleteRun, resumeRun, retryRun } from "../api/actions.ts";
import { offerRun } from "../deployments/run-dialog.tsx";
import { askAndCancel } from "../runs/runs-page.tsx";
import { isOver } from "../runs/tone.ts";
import { confirm } from "../shell/dialog.tsx";
import { Icon } from "../shell/icon.tsx";
import { navigate } from "../shell/navigation.ts";
import { useShortcuts } from "../shell/shortcuts.ts";
import { attempt, say } from "../shell/toasts.tsx";
import { offerResume } from "./resume-dialog.tsx";

import type { JSX } from "preact";

import type { Deployment, FlowRun } from "../api/types.ts";

/** What can be done with a run as it is now. */
export function RunActions({
  run,
  deployment,
  flowName,
}: {
  readonly run: FlowRun;
  readonly deployment: Deployment | undefined;
  readonly flowName: string | undefined;
}): JSX.Element {
  const hasEnded = isOver(run.state_type);
  const canCancel = !hasEnded && run.state_type !== "CANCELLING";
  const isPaused = run.state_type === "PAUSED";
  const canRetry = hasEnded && run.state_type !== "COMPLETED" && deployment !== undefined;

  const again = (): void => {
    if (deployment !== undefined)
      offerRun(deployment, `${flowName ?? ""}/${deployment.name}`, run.parameters);
  };
  const cancel = (): void => {
    if (canCancel) void askAndCancel(run);
  };
  useShortcuts({ r: again, c: cancel });

  return (
    <div class="actions">
      {isPaused && (
        <button type="button" class="button primary" onClick={() => void resume(run)}>
          <Icon name="run" /> Resume
        </button>
      )}
      {canCancel && (
        <button type="button" class="button" onClick={cancel}>
          <Icon name="cancel" /> Cancel
        </button>
      )}
      {canRetry && (
        <button type="button" class="button" title="The same run once more" onClick={() => void retry(run)}>
          <Icon name="again" /> Retry
        </button>
      )}
      {deployment !== undefined && (
        <button type="button" class="button" title="A new run with the same parameters" onClick={again}>
          <Icon name="run" /> Run again
        </button>
      )}
      <button
        type="button"
        class="icon-button"
        aria-label="Delete the run"
        title="Delete the run"
        onClick={() => void remove(run)}
      >
        <Icon name="remove" />
      </button>
    </div>
  );
}

async function resume(run: FlowRun): Promise<void> {
  // A pause may wait for an input.
  if (run.state?.state_details.run_input_keyset?.schema !== undefined) {
    await attempt("The run's question could not be read", () => offerResume(run));
    return;
  }
  if (await attempt("The run could not be resumed", () => resumeRun(run.id))) say(`${run.name} goes on`);
}

async function retry(run: FlowRun): Promise<void> {
  if (await attempt("The run could not be retried", () => retryRun(run.id)))
    say(`${run.name} waits for a worker`);
}

async function remove(run: FlowRun): Promise<void> {
  const isSure = await confirm(
    `Delete ${run.name}?`,
    "The run, its states and its tasks are removed for good. What is running is not stopped: cancel it first.",
    "Delete the run",
  );
  if (!isSure || !(await attempt("The run could not be deleted", () => deleteRun(run.id)))) return;
  say(`${run.name} was deleted`);
  navigate("/runs");
}
