import { formatDuration } from "../time/duration.ts";
import { percentOf } from "../time/axis.ts";
import { phaseTotals } from "./phases.ts";

import type { JSX } from "preact";

import type { Span } from "../time/axis.ts";
import type { Phase, Segment } from "./phases.ts";
import type { Tone } from "./tone.ts";

export const PHASE_NAMES: Readonly<Record<Phase, string>> = {
  late: "Late",
  pending: "Pending",
  pulling: "Pulling",
  running: "Running",
  waiting: "Waiting",
  cancelling: "Cancelling",
};

/** A run's phases on a span of time; `tone` colours what ran by how it ended. */
export function PhaseBar({
  segments,
  span,
  now,
  tone,
}: {
  readonly segments: readonly Segment[];
  readonly span: Span;
  readonly now: number;
  readonly tone: Tone;
}): JSX.Element | null {
  const first = segments[0];
  const last = segments.at(-1);
  if (first === undefined || last === undefined) return null;
  const whole = percentOf(span, first.from, last.to ?? now);
  if (whole === undefined) return null;
  const inner: Span = { from: Math.max(first.from, span.from), to: Math.min(last.to ?? now, span.to) };
  return (
    <span
      class={last.to === undefined ? "bar open" : "bar"}
      data-tone={tone}
      style={{ left: `${whole.left}%`, width: `${whole.width}%` }}
    >
      {segments.map((segment) => {
        const part = percentOf(inner, segment.from, segment.to ?? now);
        return (
          part !== undefined && (
            <span
              key={segment.from}
              class="segment"
              data-phase={segment.phase}
              style={{ left: `${part.left}%`, width: `${part.width}%` }}
            />
          )
        );
      })}
    </span>
  );
}

/** `Late 12 s, Pending 0.20 s, Running 3 m 05 s` */
export function phaseText(segments: readonly Segment[], now: number): string {
  return [...phaseTotals(segments, now)]
    .map(([phase, ms]) => `${PHASE_NAMES[phase]} ${formatDuration(ms)}`)
    .join(", ");
}

/** What the colours of the bars mean. */
export function PhaseLegend(): JSX.Element {
  return (
    <ul class="legend" aria-label="Colours of the bars">
      {(["late", "pending", "pulling", "running", "waiting"] as const).map((phase) => (
        <li key={phase}>
          <span class="swatch" data-phase={phase} data-tone="running" aria-hidden="true" />
          {PHASE_NAMES[phase]}
        </li>
      ))}
      {(["completed", "failed", "crashed", "cancelled"] as const).map((tone) => (
        <li key={tone} class="end">
          <span class="swatch" data-phase="running" data-tone={tone} aria-hidden="true" />
          {tone[0]?.toUpperCase()}
          {tone.slice(1)}
        </li>
      ))}
    </ul>
  );
}
