import { describe, it } from "vitest";

import { traceSecrets, traceSettings } from "./trace-settings.ts";

const URL = "http://collector:4318";

describe("the settings of traces", () => {
  it.for<[Record<string, string>, string]>([
    [{}, "off"],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: " " }, "off"],
    [{ OTEL_SERVICE_NAME: "flows" }, "off"],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: URL }, "http/protobuf"],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: URL }, "http/protobuf"],
    [{ OTEL_TRACES_EXPORTER: "otlp" }, "http/protobuf"],
    [{ OTEL_TRACES_EXPORTER: "none, otlp", OTEL_EXPORTER_OTLP_ENDPOINT: URL }, "off"],
    [{ OTEL_TRACES_EXPORTER: "zipkin", OTEL_EXPORTER_OTLP_ENDPOINT: URL }, "unsupported"],
    [{ OTEL_SDK_DISABLED: "TRUE", OTEL_EXPORTER_OTLP_ENDPOINT: URL }, "off"],
    [{ OTEL_SDK_DISABLED: "1", OTEL_EXPORTER_OTLP_ENDPOINT: URL }, "http/protobuf"],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: "http/json", OTEL_EXPORTER_OTLP_ENDPOINT: URL }, "http/json"],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: "grpc", OTEL_EXPORTER_OTLP_ENDPOINT: URL }, "unsupported"],
    [
      {
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "",
        OTEL_EXPORTER_OTLP_ENDPOINT: URL,
      },
      "http/json",
    ],
    [
      {
        OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http/json",
        OTEL_EXPORTER_OTLP_ENDPOINT: URL,
      },
      "http/json",
    ],
  ])("%j: %s", ([env, expected], { expect }) => {
    const settings = traceSettings(env);
    expect(settings.kind === "otlp" ? settings.protocol : settings.kind).toBe(expected);
  });

  it.for<[Record<string, string>, RegExp]>([
    [
      { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" },
      /^OTEL_EXPORTER_OTLP_PROTOCOL=grpc is not.*http\/protobuf.*4318/,
    ],
    [
      { OTEL_EXPORTER_OTLP_PROTOCOL: "http/json", OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "grpc" },
      /^OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=grpc is not/,
    ],
    [{ OTEL_TRACES_EXPORTER: "zipkin" }, /^OTEL_TRACES_EXPORTER=zipkin is not supported. Set it to otlp/],
  ])(
    "that can't be met (%j) are told of by the variable's name, with what to do",
    ([env, text], { expect }) => {
      expect(traceSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: URL, ...env })).toEqual({
        kind: "unsupported",
        problem: expect.stringMatching(text),
      });
    },
  );

  it.for<[string, boolean]>([
    ["http://collector:4317", true],
    ["http://collector:4317/", true],
    ["http://collector:4318", false],
    ["http://collector:43170", false],
  ])("hold a doubt about gRPC's port (%s)", ([endpoint, isDoubtful], { expect }) => {
    const settings = traceSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint });
    expect(settings).toMatchObject({ doubt: isDoubtful ? expect.stringContaining("4318") : "" });
  });

  it("take the values of headers for secrets, as written and as sent", ({ expect }) => {
    const env = {
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20abcdef, x-kind=short,broken=%zzzzzzzz",
    };
    expect(new Set(traceSecrets(env))).toEqual(new Set(["Bearer%20abcdef", "Bearer abcdef", "%zzzzzzzz"]));
    expect(traceSecrets({})).toEqual([]);
  });
});
