import { percentOf } from "../time/axis.ts";
import { formatDuration, instantOf } from "../time/duration.ts";
import { toneOf } from "../runs/tone.ts";

import type { JSX } from "preact";

import type { TaskRun } from "../api/types.ts";
import type { Span } from "../time/axis.ts";

/** The run's tasks on its own span of time; choosing one narrows the logs to it. */
export function Tasks({
  tasks,
  span,
  now,
  chosen,
  onChoose,
}: {
  readonly tasks: readonly TaskRun[];
  readonly span: Span;
  readonly now: number;
  readonly chosen: string | undefined;
  readonly onChoose: (id: string | undefined) => void;
}): JSX.Element | null {
  if (tasks.length === 0) return null;
  const failed = tasks.filter(({ state_type: type }) => type === "FAILED" || type === "CRASHED").length;
  const done = tasks.filter(({ state_type: type }) => type === "COMPLETED").length;
  return (
    <section class="card" aria-labelledby="tasks">
      <div class="card-head">
        <h2 id="tasks">Tasks</h2>
        <span class="muted">
          {done} of {tasks.length} completed{failed > 0 && `, ${failed} failed`}
        </span>
      </div>
      <ul class="tasks" aria-label="Tasks">
        {tasks.map((task) => (
          <TaskRow
            key={task.id}
            task={task}
            span={span}
            now={now}
            isChosen={task.id === chosen}
            onChoose={() => onChoose(task.id === chosen ? undefined : task.id)}
          />
        ))}
      </ul>
    </section>
  );
}

interface TaskRowProps {
  readonly task: TaskRun;
  readonly span: Span;
  readonly now: number;
  readonly isChosen: boolean;
  readonly onChoose: () => void;
}

function TaskRow({ task, span, now, isChosen, onChoose }: TaskRowProps): JSX.Element {
  const tone = toneOf(task.state_type, task.state_name);
  const start = instantOf(task.start_time);
  const end = instantOf(task.end_time) ?? now;
  const part = start === undefined ? undefined : percentOf(span, start, end);
  const message = task.state?.message ?? "";
  return (
    <li>
      <button
        type="button"
        class="task"
        data-row={task.id}
        aria-pressed={isChosen}
        title={`${task.state_name ?? ""}${message === "" ? "" : `: ${message}`}\nShows its logs only`}
        onClick={onChoose}
      >
        <span class="task-name">
          <span class="dot" data-tone={tone} aria-hidden="true" />
          <span class="run-name">{task.name}</span>
          {task.run_count > 1 && <span class="tag">{task.run_count} tries</span>}
          <span class="visually-hidden">{task.state_name}</span>
        </span>
        <span class="timeline-bars" aria-hidden="true">
          {part !== undefined && (
            <span
              class={task.end_time === null ? "bar open" : "bar"}
              data-tone={tone}
              style={{ left: `${part.left}%`, width: `${part.width}%` }}
            >
              <span class="segment whole" data-phase="running" />
            </span>
          )}
        </span>
        <span class="timeline-time">{start === undefined ? "" : formatDuration(end - start)}</span>
      </button>
    </li>
  );
}
