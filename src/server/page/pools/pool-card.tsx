import { pausePool, pauseQueue } from "../api/actions.ts";
import { Icon } from "../shell/icon.tsx";
import { attempt } from "../shell/toasts.tsx";
import { formatMoment, formatRelative, instantOf } from "../time/duration.ts";

import type { JSX } from "preact";

import type { WorkQueue, Worker } from "../api/types.ts";
import type { WholePool } from "./overview-page.tsx";

/** One work pool: its slots, its queues by priority, its workers. */
export function PoolCard({
  whole: { pool, queues, workers },
  now,
  onChanged,
}: {
  readonly whole: WholePool;
  readonly now: number;
  readonly onChanged: () => void;
}): JSX.Element {
  const online = workers.filter(({ status }) => status === "ONLINE").length;
  const pause = async (): Promise<void> => {
    await attempt("The pool could not be changed", () => pausePool(pool.name, !pool.is_paused));
    onChanged();
  };
  return (
    <section class="card pool" aria-labelledby={`pool-${pool.id}`}>
      <div class="card-head">
        <h2 id={`pool-${pool.id}`}>{pool.name}</h2>
        <span class="tag">{pool.type}</span>
        <PoolStatus isPaused={pool.is_paused} online={online} />
        <Slots used={pool.active_slots} limit={pool.concurrency_limit} />
        <PauseButton what={`pool ${pool.name}`} isPaused={pool.is_paused} onClick={() => void pause()} />
      </div>
      <div class="pool-parts">
        <QueueTable pool={pool.name} queues={queues} now={now} onChanged={onChanged} />
        <WorkerTable workers={workers} pool={pool.name} now={now} />
      </div>
    </section>
  );
}

function PoolStatus({
  isPaused,
  online,
}: {
  readonly isPaused: boolean;
  readonly online: number;
}): JSX.Element {
  if (isPaused) return <Status tone="paused">Paused</Status>;
  if (online === 0) return <Status tone="late">No worker</Status>;
  return <Status tone="completed">Ready</Status>;
}

function Status({ tone, children }: { readonly tone: string; readonly children: string }): JSX.Element {
  return (
    <span class="badge" data-tone={tone}>
      {children}
    </span>
  );
}

function Slots({
  used,
  limit,
}: {
  readonly used: number | undefined;
  readonly limit: number | null;
}): JSX.Element | null {
  if (used === undefined && limit === null) return null;
  const text = limit === null ? `${used ?? 0} in use, no limit` : `${used ?? 0} of ${limit} slots`;
  return (
    <span class="slots">
      {limit !== null && (
        <meter
          min={0}
          max={Math.max(1, limit)}
          value={Math.min(used ?? 0, limit)}
          aria-label="Slots in use"
        />
      )}
      {text}
    </span>
  );
}

/** Pauses or resumes; says which. */
export function PauseButton({
  what,
  isPaused,
  onClick,
  isSmall = false,
}: {
  readonly what: string;
  readonly isPaused: boolean;
  readonly onClick: () => void;
  readonly isSmall?: boolean;
}): JSX.Element {
  const verb = isPaused ? "Resume" : "Pause";
  return (
    <button
      type="button"
      class={isSmall ? "icon-button" : "button"}
      aria-label={`${verb} ${what}`}
      title={`${verb} ${what}`}
      onClick={onClick}
    >
      <Icon name={isPaused ? "run" : "pause"} />
      {!isSmall && verb}
    </button>
  );
}

function QueueTable({
  pool,
  queues,
  now,
  onChanged,
}: {
  readonly pool: string;
  readonly queues: readonly WorkQueue[];
  readonly now: number;
  readonly onChanged: () => void;
}): JSX.Element {
  const pause = async (queue: WorkQueue): Promise<void> => {
    await attempt("The queue could not be changed", () => pauseQueue(pool, queue.name, !queue.is_paused));
    onChanged();
  };
  return (
    <table aria-label={`Queues of ${pool}`}>
      <thead>
        <tr>
          <th scope="col">Queue</th>
          <th scope="col" class="number">
            Priority
          </th>
          <th scope="col" class="number">
            Slots
          </th>
          <th scope="col">Polled</th>
          <th scope="col">
            <span class="visually-hidden">Pause</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {queues
          .toSorted((a, b) => a.priority - b.priority)
          .map((queue) => (
            <tr key={queue.id} tabIndex={0} data-row={queue.id} class={queue.is_paused ? "paused" : ""}>
              <th scope="row">
                {queue.name}
                {queue.is_paused && (
                  <span class="badge" data-tone="paused">
                    Paused
                  </span>
                )}
              </th>
              <td class="number">{queue.priority}</td>
              <td class="number">
                {queue.active_slots ?? 0}
                {queue.concurrency_limit !== null && ` / ${queue.concurrency_limit}`}
              </td>
              <td>
                <Moment timestamp={queue.last_polled} now={now} none="never" />
              </td>
              <td class="action">
                <PauseButton
                  what={`queue ${queue.name} of ${pool}`}
                  isPaused={queue.is_paused}
                  isSmall
                  onClick={() => void pause(queue)}
                />
              </td>
            </tr>
          ))}
      </tbody>
    </table>
  );
}

function WorkerTable({
  workers,
  pool,
  now,
}: {
  readonly workers: readonly Worker[];
  readonly pool: string;
  readonly now: number;
}): JSX.Element {
  if (workers.length === 0) {
    return (
      <p class="muted none">
        No worker has served this pool yet: <code>lighterman worker start --pool {pool}</code>
      </p>
    );
  }
  return (
    <table aria-label={`Workers of ${pool}`}>
      <thead>
        <tr>
          <th scope="col">Worker</th>
          <th scope="col">Status</th>
          <th scope="col">Heartbeat</th>
        </tr>
      </thead>
      <tbody>
        {workers.map((worker) => (
          <tr key={worker.id} tabIndex={0} data-row={worker.id}>
            <th scope="row">{worker.name}</th>
            <td>
              {worker.status === "ONLINE" ? (
                <Status tone="completed">Online</Status>
              ) : (
                <Status tone="cancelled">Offline</Status>
              )}
            </td>
            <td>
              <Moment timestamp={worker.last_heartbeat_time} now={now} none="never" />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** A time as its distance from now, with the time itself on hovering. */
export function Moment({
  timestamp,
  now,
  none,
}: {
  readonly timestamp: string | null;
  readonly now: number;
  readonly none: string;
}): JSX.Element {
  const at = instantOf(timestamp);
  if (at === undefined || timestamp === null) return <span class="muted">{none}</span>;
  return (
    <time dateTime={timestamp} title={formatMoment(at, now)}>
      {formatRelative(at, now)}
    </time>
  );
}
