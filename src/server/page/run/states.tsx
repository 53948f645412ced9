import { StateBadge } from "../runs/state-badge.tsx";
import { isOver } from "../runs/tone.ts";
import { formatDuration, formatMoment, instantOf } from "../time/duration.ts";

import type { JSX } from "preact";

import type { RunState } from "../api/types.ts";

/** The run's states with how long each lasted and what was said about it. */
export function States({
  states,
  now,
}: {
  readonly states: readonly RunState[];
  readonly now: number;
}): JSX.Element {
  return (
    <section class="card" aria-labelledby="states">
      <div class="card-head">
        <h2 id="states">States</h2>
      </div>
      <ol class="states" aria-label="States">
        {states.map((state, index) => {
          const at = instantOf(state.timestamp) ?? now;
          const next = instantOf(states[index + 1]?.timestamp) ?? now;
          return (
            <li key={state.id}>
              <StateBadge type={state.type} name={state.name} />
              <time dateTime={state.timestamp} class="muted">
                {formatMoment(at, now)}
              </time>
              <span class="state-span">{isOver(state.type) ? "" : formatDuration(next - at)}</span>
              {state.message !== null && state.message !== "" && <p class="state-message">{state.message}</p>}
            </li>
          );
        })}
      </ol>
    </section>
  );
}
