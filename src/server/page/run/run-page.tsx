import { useMemo, useState } from "preact/hooks";

import { useNow } from "../live/now.ts";
import { runHref } from "../routes.ts";
import { PHASE_NAMES, PhaseBar } from "../runs/phase-bar.tsx";
import { phaseTotals, phasesOf, roughPhasesOf, stateEntryOf } from "../runs/phases.ts";
import { StateBadge } from "../runs/state-badge.tsx";
import { isOver, toneOf } from "../runs/tone.ts";
import { EmptyNote, ErrorNote } from "../shell/notes.tsx";
import { formatDuration, instantOf } from "../time/duration.ts";
import { Artifacts } from "./artifacts.tsx";
import { Details } from "./details.tsx";
import { Logs } from "./logs.tsx";
import { RunActions } from "./run-actions.tsx";
import { States } from "./states.tsx";
import { Tasks } from "./tasks.tsx";
import { useRun } from "./use-run.ts";

import type { JSX } from "preact";

import type { FlowRun } from "../api/types.ts";
import type { Segment } from "../runs/phases.ts";
import type { Span } from "../time/axis.ts";
import type { WholeRun } from "./use-run.ts";

/** One run, live: what it does, its tasks, its logs. */
export function RunPage({ id }: { readonly id: string }): JSX.Element {
  const whole = useRun(id);
  const now = useNow();
  const [taskRunId, setTaskRunId] = useState<string>();
  const taskNames = useMemo(() => new Map(whole.tasks.map((task) => [task.id, task.name])), [whole.tasks]);
  const { run, error } = whole;

  if (run === undefined) {
    return (
      <main class="view" id="main" tabIndex={-1}>
        {error?.status === 404 ? (
          <EmptyNote title="There is no such run">
            <p>
              It may have been deleted. <a href="/runs">All runs</a>
            </p>
          </EmptyNote>
        ) : (
          <ErrorNote error={error} />
        )}
      </main>
    );
  }
  const segments = segmentsOf(whole, run, now);
  const flowName = whole.flow?.name;
  return (
    <main class="view wide" id="main" tabIndex={-1}>
      <div class="view-head run-head">
        <div>
          <p class="crumbs muted">
            <a href="/runs">Runs</a> / {flowName}
            {whole.deployment !== undefined && ` / ${whole.deployment.name}`}
          </p>
          <h1>
            {run.name} <StateBadge type={run.state_type} name={run.state_name} />
          </h1>
        </div>
        <RunActions run={run} deployment={whole.deployment} flowName={flowName} />
      </div>
      <ErrorNote error={error} />
      <StateMessage run={run} />
      <PhaseStrip run={run} segments={segments} now={now} />
      <div class="columns">
        <div>
          <Tasks
            tasks={whole.tasks}
            span={runningSpan(run, now)}
            now={now}
            chosen={taskRunId}
            onChoose={setTaskRunId}
          />
          <Subflows runs={whole.subflows} now={now} />
          <Logs
            runId={id}
            runName={run.name}
            isOver={isOver(run.state_type)}
            taskNames={taskNames}
            taskRunId={taskRunId}
            onAllTasks={() => setTaskRunId(undefined)}
          />
          <Artifacts artifacts={whole.artifacts} />
        </div>
        <aside aria-label="About the run">
          <States states={whole.states} now={now} />
          <Details
            run={run}
            deployment={whole.deployment}
            flowName={flowName}
            parentRunId={whole.parentRunId}
            now={now}
          />
        </aside>
      </div>
    </main>
  );
}

/** Why a run failed stands at the top, not only among its states. */
function StateMessage({ run }: { readonly run: FlowRun }): JSX.Element | null {
  const message = run.state?.message ?? "";
  if (message === "" || (run.state_type !== "FAILED" && run.state_type !== "CRASHED")) return null;
  return (
    <p class="error-note run-message" data-tone={toneOf(run.state_type, run.state_name)}>
      {message}
    </p>
  );
}

function PhaseStrip({
  run,
  segments,
  now,
}: {
  readonly run: FlowRun;
  readonly segments: readonly Segment[];
  readonly now: number;
}): JSX.Element | null {
  const [first] = segments;
  if (first === undefined) return null;
  const span: Span = { from: first.from, to: Math.max(first.from + 1, segments.at(-1)?.to ?? now) };
  const tone = toneOf(run.state_type, run.state_name);
  return (
    <section class="phase-strip" aria-label="Phases">
      <div class="phase-track" aria-hidden="true">
        <PhaseBar segments={segments} span={span} now={now} tone={tone} />
      </div>
      <dl>
        {[...phaseTotals(segments, now)].map(([phase, ms]) => (
          <div key={phase}>
            <dt>
              <span class="swatch" data-phase={phase} data-tone={tone} aria-hidden="true" />
              {PHASE_NAMES[phase]}
            </dt>
            <dd>{formatDuration(ms)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Subflows({
  runs,
  now,
}: {
  readonly runs: readonly FlowRun[];
  readonly now: number;
}): JSX.Element | null {
  if (runs.length === 0) return null;
  return (
    <section class="card" aria-labelledby="subflows">
      <div class="card-head">
        <h2 id="subflows">Subflows</h2>
        <span class="muted">{runs.length}</span>
      </div>
      <ul class="links">
        {runs.map((run) => {
          const start = instantOf(run.start_time);
          return (
            <li key={run.id}>
              <a href={runHref(run.id)} data-row={run.id}>
                {run.name}
              </a>
              <StateBadge type={run.state_type} name={run.state_name} />
              {start !== undefined && (
                <span class="muted">{formatDuration((instantOf(run.end_time) ?? now) - start)}</span>
              )}
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function segmentsOf({ states, pulls, deployment }: WholeRun, run: FlowRun, now: number): readonly Segment[] {
  if (states.length === 0) return roughPhasesOf(run, now);
  const pullStepCount = deployment?.pull_steps?.length ?? 0;
  return phasesOf({ states: states.map((state) => stateEntryOf(state)), pulls, pullStepCount }, now);
}

function runningSpan(run: FlowRun, now: number): Span {
  const from = instantOf(run.start_time) ?? now;
  return { from, to: Math.max(from + 1, instantOf(run.end_time) ?? now) };
}
