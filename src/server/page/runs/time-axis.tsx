import { percentAt, ticksOf } from "../time/axis.ts";

import type { JSX } from "preact";

import type { Span } from "../time/axis.ts";

const TICK_PX = 90;

/** The times above the bars. */
export function TimeAxis({
  span,
  width,
  now,
}: {
  readonly span: Span;
  readonly width: number;
  readonly now: number;
}): JSX.Element {
  return (
    <div class="axis" aria-hidden="true">
      {marks(span, width).map(({ at, label }) => (
        <span key={at} class="axis-label" style={{ left: `${percentAt(span, at)}%` }}>
          {label}
        </span>
      ))}
      {now < span.to && <span class="axis-now" style={{ left: `${percentAt(span, now)}%` }} />}
    </div>
  );
}

/** The lines behind the bars. */
export function TimeGrid({
  span,
  width,
  now,
}: {
  readonly span: Span;
  readonly width: number;
  readonly now: number;
}): JSX.Element {
  return (
    <div class="grid-lines" aria-hidden="true">
      {marks(span, width).map(({ at }) => (
        <span key={at} class="grid-line" style={{ left: `${percentAt(span, at)}%` }} />
      ))}
      {now < span.to && <span class="grid-line now" style={{ left: `${percentAt(span, now)}%` }} />}
    </div>
  );
}

function marks(span: Span, width: number): ReturnType<typeof ticksOf> {
  return ticksOf(span, Math.max(2, Math.floor(width / TICK_PX)));
}
