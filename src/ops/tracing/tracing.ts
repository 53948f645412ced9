import { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from "@opentelemetry/api";

import { resultOf } from "../run-result.ts";

import type { Attributes, Context, Span, Tracer } from "@opentelemetry/api";
import type { ObservedRun, WorkerObserver } from "../../worker/observer.ts";
import type { RunEnd } from "../../worker/run.ts";

export interface TracingOptions {
  readonly tracer: Tracer;
  /** Of every run's first span. */
  readonly attributes: () => Attributes;
  readonly now: () => number;
  /** Masks secrets. */
  readonly redact: (text: string) => string;
}

/** The spans of a run in hand. */
interface RunTrace {
  readonly root: Span;
  readonly context: Context;
  phase: Span;
  /** Ended when it is known how the run ended: whatever failed, failed there. */
  decisive: { readonly span: Span; readonly endedAt: number } | undefined;
}

/**
 * Keeps a trace of each run: a span for the worker's part of it, and below it one for the poll that showed it and one for each
 * phase. A run whose labels name a parent (a flow that started it) goes on with the parent's trace, and the run's process with
 * this one.
 */
export function traceRuns({ tracer, attributes, now, redact }: TracingOptions): WorkerObserver {
  const traces = new Map<string, RunTrace>();
  let lastPoll: { readonly startedAt: number; readonly endedAt: number } | undefined;

  function start({ flowRun, timings }: ObservedRun): void {
    const isAdopted = timings === null;
    const startTime = isAdopted ? now() : (lastPoll?.startedAt ?? now());
    const root = tracer.startSpan(
      "flow run",
      {
        kind: SpanKind.CONSUMER,
        startTime,
        attributes: {
          ...attributes(),
          "prefect.run.id": flowRun.id,
          "prefect.run.name": redact(flowRun.name),
          "prefect.run.type": "flow",
          ...(flowRun.deployment_id == null ? {} : { "prefect.deployment.id": flowRun.deployment_id }),
          ...(flowRun.work_queue_name == null ? {} : { "prefect.work-queue.name": flowRun.work_queue_name }),
          "lighterman.adopted": isAdopted,
        },
      },
      parentOf(flowRun.labels),
    );
    const context = trace.setSpan(ROOT_CONTEXT, root);
    if (!isAdopted && lastPoll !== undefined) {
      tracer.startSpan("poll", { startTime: lastPoll.startedAt }, context).end(lastPoll.endedAt);
    }
    const phase = tracer.startSpan(timings?.phase ?? "adopted", { startTime: now() }, context);
    traces.set(flowRun.id, { root, context, phase, decisive: undefined });
  }

  function end({ flowRun, timings }: ObservedRun, runEnd: RunEnd | null): void {
    const found = traces.get(flowRun.id);
    if (found === undefined) return;
    traces.delete(flowRun.id);
    const { root, phase, decisive } = found;
    const endedAt = now();
    const result = timings?.phase === "claim" ? "not_claimed" : resultOf(runEnd);
    const { deploymentName, flowName } = timings?.facts ?? {};
    root.setAttributes({
      "lighterman.result": result,
      ...(runEnd?.kind === "ended" ? { "prefect.state.name": runEnd.state } : {}),
      ...(deploymentName === undefined ? {} : { "prefect.deployment.name": deploymentName }),
      ...(flowName === undefined ? {} : { "prefect.flow.name": flowName }),
    });
    if (result === "failed" || result === "crashed" || result === "unreported") {
      const text =
        runEnd?.kind === "ended" ? (runEnd.message ?? runEnd.state) : "Its end could not be reported";
      const status = { code: SpanStatusCode.ERROR, message: redact(text) };
      root.setStatus(status);
      (decisive?.span ?? phase).setStatus(status);
    }
    decisive?.span.end(decisive.endedAt);
    phase.end(endedAt);
    root.end(endedAt);
  }

  return {
    polled(_, durationMs) {
      const endedAt = now();
      lastPoll = { startedAt: endedAt - durationMs, endedAt };
    },
    runTaken: start,
    runEntered({ flowRun }, phase) {
      const found = traces.get(flowRun.id);
      if (found === undefined) return;
      const at = now();
      if (phase === "report") found.decisive = { span: found.phase, endedAt: at };
      else found.phase.end(at);
      found.phase = tracer.startSpan(phase, { startTime: at }, found.context);
    },
    runEnded: end,
    traceparent(flowRunId) {
      const found = traces.get(flowRunId)?.root.spanContext();
      if (found === undefined) return null;
      const flags = (found.traceFlags & TraceFlags.SAMPLED).toString(16).padStart(2, "0");
      return `00-${found.traceId}-${found.spanId}-${flags}`;
    },
  };
}

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** The span that a run's labels name as its parent, where Prefect's own engine looks for it (prefect/telemetry/run_telemetry.py). */
function parentOf(labels: ObservedRun["flowRun"]["labels"]): Context {
  const label = labels?.["__OTEL_TRACEPARENT"];
  const [, traceId = "", spanId = "", flags = "00"] =
    typeof label === "string" ? (TRACEPARENT.exec(label) ?? []) : [];
  const parent = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return traceId === "" ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
}
