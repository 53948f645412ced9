import { useEffect, useState } from "preact/hooks";

import { call } from "../api/client.ts";
import { useEvents } from "../live/connection.ts";
import { useResource } from "../live/resource.ts";
import { readPulls } from "../runs/histories.ts";

import type { ApiError } from "../api/client.ts";
import type { Artifact, Deployment, Flow, FlowRun, JsonObject, RunState, TaskRun } from "../api/types.ts";
import type { PullStep } from "../runs/phases.ts";

/** A run with all that belongs to it. */
export interface WholeRun {
  readonly run: FlowRun | undefined;
  readonly error: ApiError | undefined;
  readonly states: readonly RunState[];
  readonly pulls: readonly PullStep[];
  readonly tasks: readonly TaskRun[];
  readonly subflows: readonly FlowRun[];
  readonly artifacts: readonly Artifact[];
  readonly deployment: Deployment | undefined;
  readonly flow: Flow | undefined;
  readonly parentRunId: string | undefined;
}

const PAGE = 200;
const MOST_PAGES = 10;
const EVERY_MS = 30_000;

/** Reads a run and follows it live: its own events, its tasks', its pull steps'. */
export function useRun(id: string): WholeRun {
  const related = { id: { any_: [id] } };
  const run = useResource(
    `run ${id}`,
    async (signal) => {
      const found = await call<FlowRun>("GET", `/flow_runs/${id}`, undefined, signal);
      const [states, pulls] = await Promise.all([
        call<readonly RunState[]>("GET", `/flow_run_states/?flow_run_id=${id}`, undefined, signal),
        found.deployment_id === null ? [] : readPulls(id),
      ]);
      return { found, states, pulls };
    },
    { everyMs: EVERY_MS },
  );
  const tasks = useResource(`tasks ${id}`, (signal) => readTasks({ flow_runs: related }, signal));
  const rest = useResource(`rest ${id}`, async (signal) => {
    const [subflows, artifacts] = await Promise.all([
      call<readonly FlowRun[]>(
        "POST",
        "/flow_runs/filter",
        { flow_runs: { parent_flow_run_id: { any_: [id] } }, sort: "EXPECTED_START_TIME_ASC" },
        signal,
      ),
      call<readonly Artifact[]>(
        "POST",
        "/artifacts/filter",
        { artifacts: { flow_run_id: { any_: [id] } }, sort: "CREATED_DESC" },
        signal,
      ),
    ]);
    return { subflows, artifacts };
  });
  const origin = useOrigin(run.data?.found);

  useEvents(eventsOf(id), (events) => {
    if (events.some(({ event }) => event.startsWith("prefect.flow-run."))) run.reload();
    // A subflow's task changes without an event of its own.
    tasks.reload();
    rest.reload();
  });

  return {
    run: run.data?.found,
    error: run.error,
    states: run.data?.states ?? [],
    pulls: run.data?.pulls ?? [],
    tasks: tasks.data ?? [],
    subflows: rest.data?.subflows ?? [],
    artifacts: rest.data?.artifacts ?? [],
    ...origin,
  };
}

function eventsOf(id: string): JsonObject {
  return {
    event: {
      prefix: ["prefect.flow-run.", "prefect.task-run."],
      exclude_prefix: ["prefect.flow-run.heartbeat"],
    },
    any_resource: { id: [`prefect.flow-run.${id}`] },
  };
}

async function readTasks(filter: JsonObject, signal: AbortSignal): Promise<readonly TaskRun[]> {
  const tasks: TaskRun[] = [];
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const read = await call<readonly TaskRun[]>(
      "POST",
      "/task_runs/filter",
      { ...filter, sort: "EXPECTED_START_TIME_ASC", limit: PAGE, offset: page * PAGE },
      signal,
    );
    tasks.push(...read);
    if (read.length < PAGE) break;
  }
  return tasks;
}

interface Origin {
  readonly deployment: Deployment | undefined;
  readonly flow: Flow | undefined;
  readonly parentRunId: string | undefined;
}

const UNKNOWN: Origin = { deployment: undefined, flow: undefined, parentRunId: undefined };

/** What does not change of a run: where it comes from. Parts that are gone stay unknown. */
function useOrigin(run: FlowRun | undefined): Origin {
  const [origin, setOrigin] = useState(UNKNOWN);
  useEffect(() => {
    setOrigin(UNKNOWN);
    if (run === undefined) return undefined;
    let isCurrent = true;
    const get = <T>(path: string, id: string | null): Promise<T | undefined> =>
      id === null ? Promise.resolve(undefined) : call<T>("GET", `${path}/${id}`).catch(() => undefined);
    void Promise.all([
      get<Deployment>("/deployments", run.deployment_id),
      get<Flow>("/flows", run.flow_id),
      get<TaskRun>("/task_runs", run.parent_task_run_id),
    ]).then(([deployment, flow, parentTask]) => {
      if (isCurrent) setOrigin({ deployment, flow, parentRunId: parentTask?.flow_run_id ?? undefined });
    });
    return () => {
      isCurrent = false;
    };
  }, [run?.id]);
  return origin;
}
