import { useEffect } from "preact/hooks";

import { call } from "../api/client.ts";
import { useResource } from "../live/resource.ts";
import { PauseButton } from "../pools/pool-card.tsx";
import { deploymentHref, runHref } from "../routes.ts";
import { startOf } from "../runs/run-collection.ts";
import { toneOf } from "../runs/tone.ts";
import { Icon } from "../shell/icon.tsx";
import { formatMoment, formatRelative } from "../time/duration.ts";
import { scheduleText } from "./schedule-text.ts";

import type { JSX } from "preact";

import type { Deployment, FlowRun } from "../api/types.ts";

export interface DeploymentRuns {
  /** The latest first. */
  readonly last: readonly FlowRun[];
  /** The soonest first. */
  readonly next: readonly FlowRun[];
}

export interface DeploymentRowProps {
  readonly deployment: Deployment;
  readonly flowName: string;
  readonly now: number;
  /** Another number: its runs are read again. */
  readonly changes: number;
  readonly onRun: () => void;
  readonly onPause: () => void;
}

const SHOWN = 12;

/** One deployment in the list. */
export function DeploymentRow(props: DeploymentRowProps): JSX.Element {
  const { deployment, flowName, now, changes, onRun, onPause } = props;
  const runs = useResource(deployment.id, (signal) => readRuns(deployment.id, SHOWN, 3, signal));
  useEffect(() => {
    if (changes > 0) runs.reload();
  }, [changes]);
  const title = `${flowName}/${deployment.name}`;
  const [next] = runs.data?.next ?? [];
  return (
    <tr class={deployment.paused ? "paused" : ""}>
      <th scope="row">
        <a href={deploymentHref(deployment.id)} data-row={deployment.id}>
          <span class="muted">{flowName} / </span>
          {deployment.name}
        </a>
        <DeploymentStatus deployment={deployment} />
      </th>
      <td>
        {deployment.work_pool_name ?? <span class="muted">none</span>}
        {deployment.work_queue_name !== null && deployment.work_queue_name !== "default" && (
          <span class="muted"> / {deployment.work_queue_name}</span>
        )}
      </td>
      <td>
        <Schedules deployment={deployment} />
      </td>
      <td>
        <LastRuns runs={runs.data?.last ?? []} now={now} />
      </td>
      <td>{next === undefined ? <span class="muted">–</span> : <NextRun run={next} now={now} />}</td>
      <td class="action">
        <button type="button" class="button small" aria-label={`Run ${title}`} onClick={onRun}>
          <Icon name="run" /> Run
        </button>
        <PauseButton what={title} isPaused={deployment.paused} isSmall onClick={onPause} />
      </td>
    </tr>
  );
}

/** Its last runs, and those that are to come. */
export async function readRuns(
  id: string,
  last: number,
  next: number,
  signal: AbortSignal,
): Promise<DeploymentRuns> {
  const deployments = { id: { any_: [id] } };
  const read = (flow_runs: object, sort: string, limit: number): Promise<readonly FlowRun[]> =>
    call("POST", "/flow_runs/filter", { deployments, flow_runs, sort, limit }, signal);
  const [lastRuns, nextRuns] = await Promise.all([
    read({ state: { type: { not_any_: ["SCHEDULED"] } } }, "EXPECTED_START_TIME_DESC", last),
    read({ state: { type: { any_: ["SCHEDULED"] } } }, "NEXT_SCHEDULED_START_TIME_ASC", next),
  ]);
  return { last: lastRuns, next: nextRuns };
}

export function DeploymentStatus({ deployment }: { readonly deployment: Deployment }): JSX.Element | null {
  if (deployment.paused) {
    return (
      <span class="badge" data-tone="paused">
        Paused
      </span>
    );
  }
  if (deployment.work_pool_name !== null && deployment.status === "NOT_READY") {
    return (
      <span class="badge" data-tone="late" title="No worker polls its queue">
        Not ready
      </span>
    );
  }
  return null;
}

function Schedules({ deployment: { schedules } }: { readonly deployment: Deployment }): JSX.Element {
  if (schedules.length === 0) return <span class="muted">–</span>;
  return (
    <ul class="schedules">
      {schedules.map(({ id, active, schedule }) => (
        <li key={id} class={active ? "" : "muted"}>
          {scheduleText(schedule)}
          {!active && " (off)"}
        </li>
      ))}
    </ul>
  );
}

function LastRuns({ runs, now }: { readonly runs: readonly FlowRun[]; readonly now: number }): JSX.Element {
  if (runs.length === 0) return <span class="muted">never</span>;
  return (
    <span class="squares">
      {runs.toReversed().map((run) => (
        <a
          key={run.id}
          href={runHref(run.id)}
          class="square"
          data-tone={toneOf(run.state_type, run.state_name)}
          aria-label={`${run.name}: ${run.state_name ?? ""}`}
          title={`${run.name}: ${run.state_name ?? ""}, ${formatMoment(startOf(run) ?? now, now)}`}
        />
      ))}
    </span>
  );
}

export function NextRun({ run, now }: { readonly run: FlowRun; readonly now: number }): JSX.Element {
  const at = startOf(run) ?? now;
  return (
    <a href={runHref(run.id)} title={formatMoment(at, now)} class={at < now ? "late-text" : ""}>
      {run.state_name === "Late" ? `late, ${formatRelative(at, now)}` : formatRelative(at, now)}
    </a>
  );
}
