import { subscribeToEvents } from "../api/events.ts";
import { isRetryable } from "../api/errors.ts";
import { subscribeToLogs } from "../api/log-stream.ts";
import { findFlowRun, readLogs } from "../api/manage/flow-runs.ts";
import { TERMINAL_STATES } from "../api/types.ts";
import { WorkerError } from "../errors.ts";
import { systemClock } from "../lifecycle/clock.ts";
import { startLoop } from "../lifecycle/loop.ts";

import type { LogLine } from "../api/manage/flow-runs.ts";
import type { WithJson } from "../api/manage/resource.ts";
import type { FlowRun, State } from "../api/types.ts";
import type { PrefectClient } from "../api/client.ts";
import type { Loop } from "../lifecycle/loop.ts";

/** Something that happened to a run. */
export type News =
  | { readonly kind: "state"; readonly timestamp: string; readonly state: State }
  | { readonly kind: "log"; readonly timestamp: string; readonly line: WithJson<LogLine> };

export interface FollowOptions {
  readonly client: PrefectClient;
  readonly run: FlowRun;
  /** Called for each piece of news once, in the order of their times. */
  readonly onNews: (news: News) => void;
  /** Called once per outage of the API. */
  readonly onOutage: (error: Error) => void;
  /** Ends the following, not the run. */
  readonly signal: AbortSignal;
}

/** How often is asked where the server's sockets tell of news, and where they do not. */
const INTERVAL_MS = 5000;
const POLL_MS = 2000;
/** The last lines of a run's log come after its last state (prefect/events/subscribers.py: straggler_timeout). */
const STRAGGLERS_MS = 3000;
const STRAGGLER_POLL_MS = 500;
/** Lines of several processes come in batches: so much later a line may still come that is older than those before it. */
const OVERLAP_MS = 10_000;
/** News often come in bursts; they are read together. */
const BURST_MS = 100;
const PAGE = 200;

/**
 * Follows a run to its end: its states and its log, from the beginning. The server's sockets only say when to look, so that nothing
 * is missed where they are absent or break. Returns the ended run; null when the signal was aborted first. Throws a WorkerError that
 * will not pass, such as for a run that was deleted.
 */
export async function followRun(options: FollowOptions): Promise<WithJson<FlowRun> | null> {
  const { client, run } = options;
  const finished = new AbortController();
  const signal = AbortSignal.any([options.signal, finished.signal]);
  const reader = createReader(options);
  let ended: WithJson<FlowRun> | null = null;
  let failure: Error | undefined;
  let isAway = false;
  let ticks = 0;

  const loop: Loop = startLoop(
    async () => {
      if (ticks > 0) await systemClock.sleep(BURST_MS, signal);
      ticks += 1;
      const { latest, isComplete } = await reader.read(signal);
      isAway = false;
      if (isComplete) {
        ended = latest;
        finished.abort();
      }
      if (reader.endedAt !== undefined) return STRAGGLER_POLL_MS;
      return events.isConnected && logs.isConnected ? INTERVAL_MS : POLL_MS;
    },
    {
      intervalMs: INTERVAL_MS,
      clock: systemClock,
      signal,
      onError(error) {
        if (!isRetryable(error)) {
          failure = error;
          finished.abort();
        } else if (!isAway) {
          isAway = true;
          options.onOutage(error);
        }
      },
    },
  );
  const subscription = {
    transport: client.transport,
    clock: systemClock,
    signal,
    onConnected: () => loop.nudge(),
  };
  const events = subscribeToEvents({
    ...subscription,
    filter: () => ({ any_resource: { id: [`prefect.flow-run.${run.id}`] } }),
    onEvent: () => loop.nudge(),
  });
  const logs = subscribeToLogs({ ...subscription, flowRunId: run.id, onNews: () => loop.nudge() });
  await Promise.all([loop.done, events.done, logs.done]);
  if (failure !== undefined) throw failure;
  return ended;
}

interface Reader {
  /** When the run was first seen ended. */
  readonly endedAt: number | undefined;
  /** Reads and tells what is new. It is complete when the run has ended and its log has had time to arrive. */
  read(signal: AbortSignal): Promise<{ readonly latest: WithJson<FlowRun>; readonly isComplete: boolean }>;
}

function createReader({ client, run, onNews }: FollowOptions): Reader {
  const { caller } = client;
  const told = new Set<string>();
  let newestMs = -Infinity;
  let endedAt: number | undefined;

  async function newLines(signal: AbortSignal, isComplete: boolean): Promise<News[]> {
    const found: News[] = [];
    // The last look is at the whole log.
    const after =
      isComplete || newestMs === -Infinity ? undefined : new Date(newestMs - OVERLAP_MS).toISOString();
    for (let offset = 0; ; offset += PAGE) {
      const lines = await readLogs(
        caller,
        { flowRunId: run.id, sort: "TIMESTAMP_ASC", limit: PAGE, offset, after },
        { signal, retries: 0 },
      );
      for (const line of lines) {
        if (!told.has(line.id)) found.push({ kind: "log", timestamp: line.timestamp, line });
      }
      if (lines.length < PAGE) return found;
    }
  }

  return {
    get endedAt() {
      return endedAt;
    },
    async read(signal) {
      const latest = await findFlowRun(caller, run.id, { signal, retries: 0 });
      if (latest === null) throw new WorkerError("NOT_FOUND", `The flow run '${run.name}' was deleted`);
      const now = Date.now();
      const hasEnded = latest.state !== null && TERMINAL_STATES.has(latest.state.type);
      endedAt = hasEnded ? (endedAt ?? now) : undefined;
      // A run that ended long ago has no more to come.
      const since = Math.max(now - (endedAt ?? now), now - Date.parse(latest.state?.timestamp ?? ""));
      const isComplete = hasEnded && since >= STRAGGLERS_MS;
      const states = await client.readFlowRunStates(run.id, { signal, retries: 0 });
      const lines = await newLines(signal, isComplete);
      const news = [
        ...lines,
        ...states.flatMap((state): News[] =>
          state.id === undefined || told.has(state.id)
            ? []
            : [{ kind: "state", timestamp: state.timestamp ?? "", state }],
        ),
      ].sort((a, b) => Date.parse(a.timestamp) - Date.parse(b.timestamp));
      for (const item of news) {
        told.add(item.kind === "log" ? item.line.id : (item.state.id ?? ""));
        if (item.kind === "log") newestMs = Math.max(newestMs, Date.parse(item.timestamp));
        onNews(item);
      }
      return { latest, isComplete };
    },
  };
}
