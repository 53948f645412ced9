import { DiagLogLevel, diag } from "@opentelemetry/api";
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";

import type { Tracer } from "@opentelemetry/api";
import type { TraceSettings } from "./trace-settings.ts";

export interface ExporterOptions {
  readonly protocol: (TraceSettings & { readonly kind: "otlp" })["protocol"];
  readonly version: string;
  /** Told of each problem of the collector. */
  readonly onProblem: (message: string) => void;
}

export interface TraceExporter {
  readonly tracer: Tracer;
  /** Sends what is still there, for as long as the deadline allows. */
  close(deadlineMs: number): Promise<void>;
}

/**
 * OpenTelemetry's own pipeline to a collector. Endpoint, headers, timeouts, compression, certificates, sampler and batches are
 * what the `OTEL_…` variables of the process say.
 */
export async function openTraceExporter(options: ExporterOptions): Promise<TraceExporter> {
  const { OTLPTraceExporter } =
    options.protocol === "http/json"
      ? await import("./exporter-json.ts")
      : await import("./exporter-protobuf.ts");
  const report = (message: string, ...more: readonly unknown[]): void =>
    options.onProblem([plain(message), ...more.map(String)].join(" "));
  const silent = (): void => undefined;
  diag.setLogger(
    { error: report, warn: report, info: silent, debug: silent, verbose: silent },
    DiagLogLevel.WARN,
  );
  const provider = new BasicTracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes({ "service.name": "lighterman", "service.version": options.version }))
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  });
  return {
    tracer: provider.getTracer("lighterman", options.version),
    async close(deadlineMs) {
      let timer: NodeJS.Timeout | undefined;
      const deadline = new Promise<void>((resolve) => (timer = setTimeout(resolve, deadlineMs)));
      await Promise.race([provider.shutdown().catch((error: unknown) => report(String(error))), deadline]);
      clearTimeout(timer);
    },
  };
}

/** OpenTelemetry tells of errors as JSON objects with all that they hold; who reads the log wants their words. */
function plain(text: string): string {
  try {
    const error: unknown = JSON.parse(text);
    const isError = typeof error === "object" && error !== null && "message" in error;
    return isError && typeof error.message === "string" && error.message !== "" ? error.message : text;
  } catch {
    return text;
  }
}
