import { activateSchedule, pauseDeployment } from "../api/actions.ts";
import { call } from "../api/client.ts";
import { useNow } from "../live/now.ts";
import { useResource } from "../live/resource.ts";
import { useStore } from "../live/store.ts";
import { PauseButton } from "../pools/pool-card.tsx";
import { Markdown } from "../run/artifacts.tsx";
import { Fact, JsonDetails } from "../run/details.tsx";
import { PhaseLegend } from "../runs/phase-bar.tsx";
import { startOf, touches } from "../runs/run-collection.ts";
import { NO_FILTER, RANGES, filterOfQuery } from "../runs/run-filter.ts";
import { Timeline } from "../runs/timeline.tsx";
import { useRuns } from "../runs/use-runs.ts";
import { Icon } from "../shell/icon.tsx";
import { navigate, place } from "../shell/navigation.ts";
import { EmptyNote, ErrorNote } from "../shell/notes.tsx";
import { useShortcuts } from "../shell/shortcuts.ts";
import { attempt } from "../shell/toasts.tsx";
import { formatMoment } from "../time/duration.ts";
import { DeploymentStatus, NextRun, readRuns } from "./deployment-row.tsx";
import { offerRun } from "./run-dialog.tsx";
import { scheduleText } from "./schedule-text.ts";

import type { JSX } from "preact";

import type { Deployment, Flow, FlowRun } from "../api/types.ts";
import type { Range } from "../runs/run-filter.ts";

const EVERY_MS = 10_000;
const NEXT = 8;

/** One deployment: its runs, its schedules, what it is made of. */
export function DeploymentPage({ id }: { readonly id: string }): JSX.Element {
  const now = useNow();
  const whole = useResource(
    id,
    async (signal) => {
      const deployment = await call<Deployment>("GET", `/deployments/${id}`, undefined, signal);
      const [flow, runs] = await Promise.all([
        call<Flow>("GET", `/flows/${deployment.flow_id}`, undefined, signal),
        readRuns(id, 1, NEXT, signal),
      ]);
      return { deployment, flow, next: runs.next };
    },
    { everyMs: EVERY_MS },
  );
  const { data } = whole;
  const title = data === undefined ? "" : `${data.flow.name}/${data.deployment.name}`;
  const run = (): void => {
    if (data !== undefined) offerRun(data.deployment, title);
  };
  const change = async (work: () => Promise<unknown>): Promise<void> => {
    await attempt("The deployment could not be changed", work);
    whole.reload();
  };
  const pause = (): void => {
    if (data !== undefined) void change(() => pauseDeployment(id, !data.deployment.paused));
  };
  useShortcuts({ r: run, p: pause });

  if (data === undefined) {
    return (
      <main class="view" id="main" tabIndex={-1}>
        {whole.error?.status === 404 ? (
          <EmptyNote title="There is no such deployment">
            <p>
              It may have been deleted. <a href="/deployments">All deployments</a>
            </p>
          </EmptyNote>
        ) : (
          <ErrorNote error={whole.error} />
        )}
      </main>
    );
  }
  const { deployment, flow, next } = data;
  return (
    <main class="view wide" id="main" tabIndex={-1}>
      <div class="view-head run-head">
        <div>
          <p class="crumbs muted">
            <a href="/deployments">Deployments</a> / {flow.name}
          </p>
          <h1>
            {deployment.name} <DeploymentStatus deployment={deployment} />
          </h1>
        </div>
        <div class="actions">
          <button type="button" class="button primary" onClick={run}>
            <Icon name="run" /> Run
          </button>
          <PauseButton what={title} isPaused={deployment.paused} onClick={pause} />
        </div>
      </div>
      <ErrorNote error={whole.error} />
      <div class="columns">
        <DeploymentRuns id={id} now={now} />
        <aside aria-label="About the deployment">
          <ScheduleCard
            deployment={deployment}
            next={next}
            now={now}
            onToggle={(schedule, isActive) => void change(() => activateSchedule(id, schedule, isActive))}
          />
          <AboutCard deployment={deployment} />
        </aside>
      </div>
    </main>
  );
}

function DeploymentRuns({ id, now }: { readonly id: string; readonly now: number }): JSX.Element {
  const { range } = filterOfQuery(useStore(place).query);
  const { runs, isLoaded, histories, loadMore, error } = useRuns({ ...NO_FILTER, range, deployment: id });
  const span = { from: now - RANGES[range], to: now + RANGES[range] * 0.06 };
  const shown = runs.filter((run) => touches(run, span.from, span.to, now));
  return (
    <section class="card" aria-labelledby="runs">
      <div class="card-head">
        <h2 id="runs">Runs</h2>
        <span class="muted">{shown.length}</span>
        <span class="spread" />
        <div class="choices" role="group" aria-label="Span of time">
          {(Object.keys(RANGES) as Range[]).map((name) => (
            <button
              key={name}
              type="button"
              aria-pressed={name === range}
              onClick={() => navigate(`?range=${name}`, { replace: true })}
            >
              {name}
            </button>
          ))}
        </div>
      </div>
      <ErrorNote error={error} />
      <PhaseLegend />
      {shown.length > 0 ? (
        <Timeline
          runs={shown}
          histories={histories}
          span={span}
          now={now}
          onEnd={loadMore}
          label="Runs of this deployment"
          isOfOne
        />
      ) : (
        isLoaded && (
          <EmptyNote title={`No run in the last ${range}`}>
            <p>
              Press <kbd>r</kbd> to run it, or choose a longer span.
            </p>
          </EmptyNote>
        )
      )}
    </section>
  );
}

function ScheduleCard({
  deployment,
  next,
  now,
  onToggle,
}: {
  readonly deployment: Deployment;
  readonly next: readonly FlowRun[];
  readonly now: number;
  readonly onToggle: (id: string, isActive: boolean) => void;
}): JSX.Element {
  return (
    <section class="card" aria-labelledby="schedules">
      <div class="card-head">
        <h2 id="schedules">Schedules</h2>
      </div>
      {deployment.schedules.length === 0 && (
        <p class="muted none">None: it runs when somebody asks for it.</p>
      )}
      <ul class="toggles">
        {deployment.schedules.map(({ id, active, schedule }) => (
          <li key={id}>
            <label>
              <input
                type="checkbox"
                checked={active}
                onChange={({ currentTarget }) => onToggle(id, currentTarget.checked)}
              />
              {scheduleText(schedule)}
            </label>
          </li>
        ))}
      </ul>
      {next.length > 0 && (
        <>
          <h3>Next runs</h3>
          <ol class="links">
            {next.map((run) => (
              <li key={run.id}>
                <NextRun run={run} now={now} />
                <span class="muted">{formatMoment(startOf(run) ?? now, now)}</span>
              </li>
            ))}
          </ol>
        </>
      )}
    </section>
  );
}

function AboutCard({ deployment }: { readonly deployment: Deployment }): JSX.Element {
  const limit = deployment.global_concurrency_limit;
  return (
    <section class="card" aria-labelledby="about">
      <div class="card-head">
        <h2 id="about">Details</h2>
      </div>
      {deployment.description !== null && <Markdown text={deployment.description} />}
      <dl class="facts">
        <Fact name="Pool">
          {deployment.work_pool_name !== null && (
            <>
              <a href="/">{deployment.work_pool_name}</a>
              <span class="muted"> / {deployment.work_queue_name}</span>
            </>
          )}
        </Fact>
        <Fact name="Entrypoint">
          {deployment.entrypoint !== null && <code>{deployment.entrypoint}</code>}
        </Fact>
        <Fact name="Path">{deployment.path}</Fact>
        <Fact name="Version">{deployment.version}</Fact>
        <Fact name="Concurrency">
          {limit !== null && `${limit.active_slots} of ${limit.limit} slots in use`}
        </Fact>
        <Fact name="Tags">
          {deployment.tags.length > 0 &&
            deployment.tags.map((tag) => (
              <span key={tag} class="tag">
                {tag}
              </span>
            ))}
        </Fact>
        <Fact name="Id">
          <code>{deployment.id}</code>
        </Fact>
      </dl>
      <JsonDetails title="Parameters" value={deployment.parameters} isOpen />
      <JsonDetails title="Job variables" value={deployment.job_variables} />
      {(deployment.pull_steps ?? []).length > 0 && (
        <details>
          <summary>
            Pull steps <span class="muted">{deployment.pull_steps?.length}</span>
          </summary>
          <pre class="code">{JSON.stringify(deployment.pull_steps, null, 2)}</pre>
        </details>
      )}
    </section>
  );
}
