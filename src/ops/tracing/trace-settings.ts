type Env = Readonly<Record<string, string | undefined>>;

/** How traces are to be sent, as OpenTelemetry's own variables say. */
export type TraceSettings =
  | { readonly kind: "off" }
  | { readonly kind: "unsupported"; readonly problem: string }
  | {
      readonly kind: "otlp";
      readonly protocol: "http/protobuf" | "http/json";
      /** What may be wrong should nothing arrive; empty when nothing looks so. */
      readonly doubt: string;
    };

/**
 * Traces are kept where `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` names a collector, or
 * `OTEL_TRACES_EXPORTER` asks for `otlp`; `OTEL_SDK_DISABLED=true` and `OTEL_TRACES_EXPORTER=none` turn them off
 * (opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables). The official packages read the rest themselves.
 */
export function traceSettings(env: Env): TraceSettings {
  const exporters = wordsOf(env["OTEL_TRACES_EXPORTER"]);
  const endpoint = [env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"], env["OTEL_EXPORTER_OTLP_ENDPOINT"]].find(
    (address) => (address ?? "").trim() !== "",
  );
  const isDisabled = wordsOf(env["OTEL_SDK_DISABLED"]).includes("true");
  if (isDisabled || exporters.includes("none")) return { kind: "off" };
  if (exporters.length > 0 && !exporters.includes("otlp")) {
    return {
      kind: "unsupported",
      problem:
        `OTEL_TRACES_EXPORTER=${exporters.join(",")} is not supported. Set it to otlp and OTEL_EXPORTER_OTLP_ENDPOINT ` +
        "to a collector, or to none",
    };
  }
  if (exporters.length === 0 && endpoint === undefined) return { kind: "off" };
  const variable =
    ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"].find(
      (name) => wordsOf(env[name]).length > 0,
    ) ?? "";
  const [protocol = "http/protobuf"] = wordsOf(env[variable]);
  return protocol === "http/protobuf" || protocol === "http/json"
    ? { kind: "otlp", protocol, doubt: doubtOf(endpoint) }
    : {
        kind: "unsupported",
        problem:
          `${variable}=${protocol} is not supported. Set it to http/protobuf (or http/json), and the endpoint to the ` +
          "collector's port for HTTP: mostly 4318, where gRPC has 4317",
      };
}

function doubtOf(endpoint: string | undefined): string {
  return endpoint !== undefined && /:4317(?![0-9])/.test(endpoint)
    ? "The endpoint's port is 4317, which is mostly the collector's for gRPC: HTTP has 4318"
    : "";
}

/** What must not be shown of the variables: the values of the headers, such as tokens of a collector. */
export function traceSecrets(env: Env): readonly string[] {
  return [env["OTEL_EXPORTER_OTLP_HEADERS"], env["OTEL_EXPORTER_OTLP_TRACES_HEADERS"]]
    .flatMap((headers) => headers?.split(",") ?? [])
    .map((pair) => pair.slice(pair.indexOf("=") + 1).trim())
    .flatMap((value) => [value, decoded(value)])
    .filter((value) => value.length >= 8);
}

function wordsOf(value: string | undefined): readonly string[] {
  return (value ?? "")
    .toLowerCase()
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
