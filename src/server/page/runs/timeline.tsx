import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import { names } from "../api/names.ts";
import { useStore } from "../live/store.ts";
import { runHref } from "../routes.ts";
import { percentAt } from "../time/axis.ts";
import { formatDuration, formatMoment, formatRelative } from "../time/duration.ts";
import { PhaseBar, phaseText } from "./phase-bar.tsx";
import { phaseTotals, phasesOf, roughPhasesOf } from "./phases.ts";
import { startOf } from "./run-collection.ts";
import { TimeAxis, TimeGrid } from "./time-axis.tsx";
import { toneOf } from "./tone.ts";

import type { JSX } from "preact";

import type { Names } from "../api/names.ts";
import type { FlowRun } from "../api/types.ts";
import type { Span } from "../time/axis.ts";
import type { Histories } from "./histories.ts";
import type { Segment } from "./phases.ts";

const ROW_PX = 30;
const NARROW_ROW_PX = 52;
const OVERSCAN = 12;
const NARROW = "(max-width: 720px)";

export interface TimelineProps {
  readonly runs: readonly FlowRun[];
  readonly histories: Histories;
  readonly span: Span;
  readonly now: number;
  /** Called when the end of the list comes near. */
  readonly onEnd?: () => void;
  readonly label: string;
  /** Whether all runs are of one deployment, whose name need not be repeated. */
  readonly isOfOne?: boolean;
}

/**
 * One bar a run over the axis of time. Only the rows that are seen (and some around them) are in the document, so that
 * thousands scroll as easily as ten.
 */
export function Timeline(props: TimelineProps): JSX.Element {
  const { runs, histories, span, now, onEnd, label, isOfOne = false } = props;
  const known = useStore(names);
  const list = useRef<HTMLUListElement>(null);
  const bars = useRef<HTMLDivElement>(null);
  const { first, last, rowPx } = useWindow(list, runs.length);
  const width = useWidth(bars);
  const shown = runs.slice(first, last);

  useEffect(() => histories.want(shown.filter((run) => run.state_type !== "SCHEDULED" || isDue(run, now))));
  useEffect(() => {
    if (last >= runs.length - OVERSCAN) onEnd?.();
  }, [last, runs.length, onEnd]);

  return (
    <div class="timeline">
      <div class="timeline-head">
        <span class="timeline-name" />
        <div class="timeline-bars" ref={bars}>
          <TimeAxis span={span} width={width} now={now} />
        </div>
        <span class="timeline-time" />
      </div>
      <div class="timeline-body">
        <div class="timeline-grid">
          <TimeGrid span={span} width={width} now={now} />
        </div>
        <ul ref={list} aria-label={label} style={{ height: `${runs.length * rowPx}px` }}>
          {shown.map((run, index) => (
            <TimelineRow
              key={run.id}
              run={run}
              top={(first + index) * rowPx}
              segments={segmentsOf(run, histories, known, now)}
              span={span}
              now={now}
              source={isOfOne ? "" : sourceName(run, known)}
            />
          ))}
        </ul>
      </div>
    </div>
  );
}

interface RowProps {
  readonly run: FlowRun;
  readonly top: number;
  readonly segments: readonly Segment[];
  readonly span: Span;
  readonly now: number;
  readonly source: string;
}

function TimelineRow({ run, top, segments, span, now, source }: RowProps): JSX.Element {
  const tone = toneOf(run.state_type, run.state_name);
  const phases = phaseText(segments, now);
  const start = startOf(run) ?? now;
  const isAhead = segments.length === 0 && start > now;
  return (
    <li class="timeline-row" style={{ transform: `translateY(${top}px)` }} data-state={run.state_type}>
      <a
        href={runHref(run.id)}
        data-row={run.id}
        title={`${run.state_name ?? ""}, ${formatMoment(start, now)}${phases === "" ? "" : `\n${phases}`}`}
      >
        <span class="timeline-name">
          <span class="dot" data-tone={tone} />
          <span class="run-name">{run.name}</span>
          <span class="run-source">{source}</span>
          <span class="visually-hidden">, {run.state_name}</span>
        </span>
        <span class="timeline-bars" aria-hidden="true">
          <PhaseBar segments={segments} span={span} now={now} tone={tone} />
          {isAhead && <span class="ahead" style={{ left: `${percentAt(span, start)}%` }} />}
        </span>
        <span class="timeline-time">
          {isAhead ? formatRelative(start, now) : timeText(run, segments, now)}
        </span>
      </a>
    </li>
  );
}

/** The phases of a run by its history, or as far as the run itself tells them. */
function segmentsOf(run: FlowRun, histories: Histories, known: Names, now: number): Segment[] {
  const history = histories.get(run.id);
  if (history === undefined || history.states.length === 0) return roughPhasesOf(run, now);
  const steps = run.deployment_id === null ? null : known.deployments.get(run.deployment_id)?.pull_steps;
  return phasesOf({ ...history, pullStepCount: steps?.length ?? 0 }, now);
}

/** `flow / deployment` of a run, as far as it is known. */
function sourceName(run: FlowRun, { flows, deployments }: Names): string {
  const flow = flows.get(run.flow_id)?.name;
  const deployment = run.deployment_id === null ? undefined : deployments.get(run.deployment_id)?.name;
  return [flow, deployment].filter((name) => name !== undefined).join(" / ");
}

function timeText(run: FlowRun, segments: readonly Segment[], now: number): string {
  const totals = phaseTotals(segments, now);
  const ran = totals.get("running");
  if (ran !== undefined) return formatDuration(ran);
  const all = [...totals.values()].reduce((sum, ms) => sum + ms, 0);
  return run.state_type === "CANCELLED" ? "–" : formatDuration(all);
}

function isDue(run: FlowRun, now: number): boolean {
  return (startOf(run) ?? 0) <= now;
}

/** Which rows of the list are near the window. */
function useWindow(
  list: { readonly current: HTMLElement | null },
  count: number,
): { readonly first: number; readonly last: number; readonly rowPx: number } {
  const [range, setRange] = useState({ first: 0, last: 40, rowPx: ROW_PX });
  useLayoutEffect(() => {
    let frame = 0;
    const narrow = window.matchMedia(NARROW);
    const measure = (): void => {
      frame = 0;
      if (list.current === null) return;
      const rowPx = narrow.matches ? NARROW_ROW_PX : ROW_PX;
      const { top } = list.current.getBoundingClientRect();
      const first = Math.max(0, Math.floor(-top / rowPx) - OVERSCAN);
      const last = Math.max(first, Math.ceil((window.innerHeight - top) / rowPx) + OVERSCAN);
      setRange((old) =>
        old.first === first && old.last === last && old.rowPx === rowPx ? old : { first, last, rowPx },
      );
    };
    const soon = (): void => {
      if (frame === 0) frame = requestAnimationFrame(measure);
    };
    measure();
    window.addEventListener("scroll", soon, { passive: true });
    window.addEventListener("resize", soon);
    return () => {
      cancelAnimationFrame(frame);
      window.removeEventListener("scroll", soon);
      window.removeEventListener("resize", soon);
    };
  }, [list, count === 0]);
  return { ...range, last: Math.min(range.last, count) };
}

function useWidth(element: { readonly current: HTMLElement | null }): number {
  const [width, setWidth] = useState(600);
  useLayoutEffect(() => {
    if (element.current === null) return undefined;
    const observer = new ResizeObserver(([entry]) => setWidth(entry?.contentRect.width ?? 600));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return width;
}
