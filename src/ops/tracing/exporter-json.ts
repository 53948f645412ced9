// A module of its own, for a dynamic import of the package itself does not name its exports once it is bundled.
export { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
