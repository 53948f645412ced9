import { useState } from "preact/hooks";

import { pauseDeployment } from "../api/actions.ts";
import { call } from "../api/client.ts";
import { names, readNames } from "../api/names.ts";
import { useEvents } from "../live/connection.ts";
import { useNow } from "../live/now.ts";
import { useResource } from "../live/resource.ts";
import { useStore } from "../live/store.ts";
import { SearchField } from "../runs/filter-bar.tsx";
import { navigate, place } from "../shell/navigation.ts";
import { Command, EmptyNote, ErrorNote } from "../shell/notes.tsx";
import { focusedRow, useShortcuts } from "../shell/shortcuts.ts";
import { attempt } from "../shell/toasts.tsx";
import { DeploymentRow } from "./deployment-row.tsx";
import { offerRun } from "./run-dialog.tsx";

import type { JSX } from "preact";

import type { Deployment, JsonObject, LiveEvent } from "../api/types.ts";

const PAGE = 50;
const EVERY_MS = 30_000;
const EVENTS: JsonObject = {
  event: {
    prefix: ["prefect.flow-run.", "prefect.deployment."],
    exclude_prefix: ["prefect.flow-run.heartbeat", "prefect.flow-run.pull-step."],
  },
};

interface Page {
  readonly results: readonly Deployment[];
  readonly count: number;
  readonly pages: number;
}

/** All deployments: where they run, when next, how the last runs went. */
export function DeploymentsPage(): JSX.Element {
  const query = new URLSearchParams(useStore(place).query);
  const text = query.get("q") ?? "";
  const page = Math.max(1, Number(query.get("page")) || 1);
  const { flows } = useStore(names);
  const now = useNow();
  // How often something has happened to the runs of a deployment.
  const [changes, setChanges] = useState<ReadonlyMap<string, number>>(new Map());
  const list = useResource(`${text} ${page}`, (signal) => readPage(text, page, signal), {
    everyMs: EVERY_MS,
  });
  useEvents(EVENTS, (events) => {
    setChanges((old) => counted(old, events));
    if (events.some(({ event }) => event.startsWith("prefect.deployment."))) list.reload();
  });

  const titleOf = (deployment: Deployment): string =>
    `${flows.get(deployment.flow_id)?.name ?? "…"}/${deployment.name}`;
  const run = (deployment: Deployment): void => offerRun(deployment, titleOf(deployment));
  const pause = async (deployment: Deployment): Promise<void> => {
    await attempt("The deployment could not be changed", () =>
      pauseDeployment(deployment.id, !deployment.paused),
    );
    list.reload();
  };
  const focused = (): Deployment | undefined => list.data?.results.find(({ id }) => id === focusedRow());
  useShortcuts({
    r: () => {
      const deployment = focused();
      if (deployment !== undefined) run(deployment);
    },
    p: () => {
      const deployment = focused();
      if (deployment !== undefined) void pause(deployment);
    },
  });

  return (
    <main class="view" id="main" tabIndex={-1}>
      <div class="view-head">
        <h1>Deployments</h1>
        <span class="muted">{list.data?.count}</span>
        <div class="filters" role="search">
          <SearchField
            text={text}
            label="Flow or deployment"
            onChange={(next) => navigate(hrefOf(next, 1), { replace: true })}
          />
        </div>
      </div>
      <ErrorNote error={list.error} />
      {list.data !== undefined &&
        (list.data.results.length === 0 ? (
          <NoDeployments text={text} />
        ) : (
          <div class="table-scroll">
            <table class="deployments" aria-label="Deployments">
              <thead>
                <tr>
                  <th scope="col">Deployment</th>
                  <th scope="col">Pool</th>
                  <th scope="col">Schedules</th>
                  <th scope="col">Last runs</th>
                  <th scope="col">Next</th>
                  <th scope="col">
                    <span class="visually-hidden">Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {list.data.results.map((deployment) => (
                  <DeploymentRow
                    key={deployment.id}
                    deployment={deployment}
                    flowName={flows.get(deployment.flow_id)?.name ?? "…"}
                    now={now}
                    changes={changes.get(deployment.id) ?? 0}
                    onRun={() => run(deployment)}
                    onPause={() => void pause(deployment)}
                  />
                ))}
              </tbody>
            </table>
          </div>
        ))}
      {(list.data?.pages ?? 0) > 1 && (
        <nav class="pages" aria-label="Pages">
          {Array.from({ length: list.data?.pages ?? 0 }, (_, index) => (
            <a
              key={index}
              href={hrefOf(text, index + 1)}
              aria-current={index + 1 === page ? "page" : undefined}
            >
              {index + 1}
            </a>
          ))}
        </nav>
      )}
    </main>
  );
}

function NoDeployments({ text }: { readonly text: string }): JSX.Element {
  if (text !== "") return <EmptyNote title={`No deployment has “${text}” in its name`} />;
  return (
    <EmptyNote title="No deployment yet">
      <p>A deployment says which flow runs where and when. Make one with the prefect command:</p>
      <Command>{`export PREFECT_API_URL=${location.origin}/api\nprefect deploy flow.py:my_flow --name my-deployment --pool my-pool`}</Command>
    </EmptyNote>
  );
}

async function readPage(text: string, page: number, signal: AbortSignal): Promise<Page> {
  const deployments = text === "" ? {} : { flow_or_deployment_name: { like_: text } };
  const [result] = await Promise.all([
    call<Page>("POST", "/deployments/paginate", { deployments, sort: "NAME_ASC", page, limit: PAGE }, signal),
    readNames(),
  ]);
  return result;
}

function hrefOf(text: string, page: number): string {
  const query = new URLSearchParams();
  if (text !== "") query.set("q", text);
  if (page > 1) query.set("page", String(page));
  return query.size === 0 ? "/deployments" : `/deployments?${query}`;
}

const PREFIX = "prefect.deployment.";

function counted(
  old: ReadonlyMap<string, number>,
  events: readonly LiveEvent[],
): ReadonlyMap<string, number> {
  const counts = new Map(old);
  for (const { related } of events) {
    for (const resource of related) {
      const id = resource["prefect.resource.id"] ?? "";
      if (!id.startsWith(PREFIX)) continue;
      const deployment = id.slice(PREFIX.length);
      counts.set(deployment, (counts.get(deployment) ?? 0) + 1);
    }
  }
  return counts;
}
