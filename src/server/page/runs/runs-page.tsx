import { cancelRun } from "../api/actions.ts";
import { useNow } from "../live/now.ts";
import { useStore } from "../live/store.ts";
import { confirm } from "../shell/dialog.tsx";
import { navigate, place } from "../shell/navigation.ts";
import { Command, EmptyNote, ErrorNote } from "../shell/notes.tsx";
import { focusedRow, useShortcuts } from "../shell/shortcuts.ts";
import { attempt, say } from "../shell/toasts.tsx";
import { FilterBar } from "./filter-bar.tsx";
import { PhaseLegend } from "./phase-bar.tsx";
import { touches } from "./run-collection.ts";
import { NO_FILTER, RANGES, filterOfQuery, queryOfFilter } from "./run-filter.ts";
import { Timeline } from "./timeline.tsx";
import { isOver } from "./tone.ts";
import { useRuns } from "./use-runs.ts";

import type { JSX } from "preact";

import type { FlowRun } from "../api/types.ts";
import type { RunFilter } from "./run-filter.ts";

/** How much of the axis lies after now: runs that are due soon stand there. */
const AHEAD = 0.06;

/** All runs of a span as a live timeline. */
export function RunsPage(): JSX.Element {
  const filter = filterOfQuery(useStore(place).query);
  const { runs, isLoaded, hasMore, loadMore, histories, error } = useRuns(filter);
  const now = useNow();
  const rangeMs = RANGES[filter.range];
  const span = { from: now - rangeMs, to: now + rangeMs * AHEAD };
  const shown = runs.filter((run) => touches(run, span.from, span.to, now));

  const choose = (next: RunFilter): void => navigate(`/runs${queryOfFilter(next)}`, { replace: true });
  useShortcuts({
    c: () => {
      const run = runs.find(({ id }) => id === focusedRow());
      if (run !== undefined && !isOver(run.state_type)) void askAndCancel(run);
    },
  });

  return (
    <main class="view wide" id="main" tabIndex={-1}>
      <div class="view-head">
        <h1>Runs</h1>
        <span class="muted" aria-live="polite">
          {isLoaded && `${shown.length}${hasMore ? "+" : ""} in the last ${filter.range}`}
        </span>
        <PhaseLegend />
      </div>
      <FilterBar filter={filter} onChange={choose} />
      <ErrorNote error={error} />
      {shown.length > 0 ? (
        <Timeline
          runs={shown}
          histories={histories}
          span={span}
          now={now}
          onEnd={loadMore}
          label="Runs, the latest first"
        />
      ) : (
        isLoaded && <NoRuns filter={filter} onReset={() => choose({ ...NO_FILTER, range: filter.range })} />
      )}
    </main>
  );
}

function NoRuns({
  filter,
  onReset,
}: {
  readonly filter: RunFilter;
  readonly onReset: () => void;
}): JSX.Element {
  const isNarrowed =
    filter.text !== "" || filter.states.length > 0 || (filter.flow ?? filter.deployment) !== undefined;
  if (isNarrowed) {
    return (
      <EmptyNote title={`No such run in the last ${filter.range}`}>
        <button type="button" class="button" onClick={onReset}>
          Show all runs
        </button>
      </EmptyNote>
    );
  }
  return (
    <EmptyNote title={`No run in the last ${filter.range}`}>
      <p>
        Choose a longer span, start one from <a href="/deployments">Deployments</a>, or in a shell:
      </p>
      <Command>{`export PREFECT_API_URL=${location.origin}/api\nprefect deployment run my-flow/my-deployment`}</Command>
    </EmptyNote>
  );
}

/** Cancels a run after asking. */
export async function askAndCancel(run: Pick<FlowRun, "id" | "name">): Promise<void> {
  const isSure = await confirm(
    `Cancel ${run.name}?`,
    "Its worker interrupts it. What it has done so far stays.",
    "Cancel the run",
  );
  if (isSure && (await attempt("The run could not be cancelled", () => cancelRun(run.id)))) {
    say(`${run.name} is being cancelled`);
  }
}
