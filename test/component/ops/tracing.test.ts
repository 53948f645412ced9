import { describe, it } from "vitest";

import { startOtlpReceiver } from "../../support/otlp-receiver.ts";
import { openScene, stop } from "../worker/scene.ts";

import type { ReceivedSpan } from "../../support/otlp-receiver.ts";

const QUICK_BATCHES = { OTEL_BSP_SCHEDULE_DELAY: "50" };
const PHASES = ["claim", "resolve", "pull", "launch", "run", "report"];

const isRoot = ({ name }: ReceivedSpan): boolean => name === "flow run";

describe("the traces of a worker", () => {
  it.for<["http/protobuf" | "http/json"]>([["http/protobuf"], ["http/json"]])(
    "have a span for each phase of a run, and hand the trace to its process (%s)",
    async ([protocol], { expect }) => {
      await using receiver = await startOtlpReceiver();
      await using scene = await openScene();
      const worker = await scene.worker({
        args: ["--name", "worker-1"],
        env: {
          ...QUICK_BATCHES,
          OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
          OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
          OTEL_EXPORTER_OTLP_HEADERS: "x-token=a%20token-of-mine",
          OTEL_SERVICE_NAME: "flows",
          OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
        },
      });
      const run = scene.script('echo "$TRACEPARENT" > "$HOME/traceparent"');
      await scene.server.waitForEnd(run.id);
      const spans = await receiver.trace(isRoot);
      const root = spans.find(isRoot);
      if (root === undefined) throw new Error("There is no root");

      expect(spans.map(({ name }) => name).toSorted()).toEqual(["flow run", "poll", ...PHASES].toSorted());
      expect(root).toMatchObject({
        parentSpanId: "",
        statusCode: 0,
        attributes: {
          "prefect.run.id": run.id,
          "prefect.run.name": run.name,
          "prefect.run.type": "flow",
          "prefect.deployment.id": run.deployment_id,
          "prefect.deployment.name": "deployment-1",
          "prefect.worker.name": "worker-1",
          "prefect.work-pool.name": "pool",
          "prefect.state.name": "Completed",
          "lighterman.result": "completed",
          "lighterman.adopted": false,
        },
        resource: {
          "service.name": "flows",
          "deployment.environment.name": "test",
          "service.version": "0.1.0",
        },
      });
      const phases = spans
        .filter((span) => !isRoot(span))
        .toSorted((a, b) => Number(a.startNanos - b.startNanos));
      for (const span of phases) {
        expect(span.parentSpanId).toBe(root.spanId);
        expect(span.endNanos).toBeGreaterThanOrEqual(span.startNanos);
        expect(span.startNanos).toBeGreaterThanOrEqual(root.startNanos);
        expect(span.endNanos).toBeLessThanOrEqual(root.endNanos);
      }
      const [traceparent] = await scene.written("traceparent");
      expect(traceparent).toBe(`00-${root.traceId}-${root.spanId}-01`);
      expect(receiver.requests[0]).toMatchObject({
        path: "/v1/traces",
        headers: {
          "content-type": protocol === "http/json" ? "application/json" : "application/x-protobuf",
          "x-token": "a token-of-mine",
        },
      });
      expect(worker.output).not.toContain("token-of-mine");
      // Where Prefect's engine looks for its parent.
      await scene.server.waitForRequest(
        ({ path, body }) =>
          path === `/flow_runs/${run.id}/labels` &&
          (body as Record<string, unknown>)["__OTEL_TRACEPARENT"] === traceparent,
      );
    },
  );

  it("go on with the trace of the flow that started the run, and mark where a run failed", async ({
    expect,
  }) => {
    await using receiver = await startOtlpReceiver();
    await using scene = await openScene();
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    await scene.worker({
      env: { ...QUICK_BATCHES, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/custom` },
    });
    const run = scene.script("exit 0", {
      steps: [{ "prefect.deployments.steps.git_clone": { repository: "/nowhere/at/all" } }],
      run: { labels: { __OTEL_TRACEPARENT: `00-${traceId}-b7ad6b7169203331-01` } },
    });
    const { type, message } = await scene.server.waitForEnd(run.id);
    expect(type).toBe("CRASHED");
    const spans = await receiver.trace(isRoot);
    expect(spans.find(isRoot)).toMatchObject({
      traceId,
      parentSpanId: "b7ad6b7169203331",
      statusCode: 2,
      statusMessage: message,
      attributes: { "lighterman.result": "crashed" },
    });
    expect(
      spans
        .filter(({ statusCode }) => statusCode === 2)
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(["flow run", "pull"]);
    expect(receiver.requests[0]?.path).toBe("/custom");
  });

  it("are sent before the worker ends", async ({ expect }) => {
    await using receiver = await startOtlpReceiver();
    await using scene = await openScene();
    const worker = await scene.worker({
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: "600000" },
    });
    await scene.server.waitForEnd(scene.script("exit 0").id);
    expect(await stop(worker)).toBe(0);
    expect(receiver.spans.some(isRoot)).toBe(true);
  });

  it.for<[string, Record<string, string>]>([
    ["no variable asks for them", {}],
    ["the SDK is disabled", { OTEL_EXPORTER_OTLP_ENDPOINT: "URL", OTEL_SDK_DISABLED: "true" }],
    ["no exporter is wanted", { OTEL_EXPORTER_OTLP_ENDPOINT: "URL", OTEL_TRACES_EXPORTER: "none" }],
    [
      "the protocol is not known",
      { OTEL_EXPORTER_OTLP_ENDPOINT: "URL", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" },
    ],
  ])("are not kept when %s", async ([, variables], { expect }) => {
    await using receiver = await startOtlpReceiver();
    await using scene = await openScene();
    const env = Object.fromEntries(
      Object.entries(variables).map(([name, value]) => [name, value.replace("URL", receiver.url)]),
    );
    const worker = await scene.worker({ env: { ...QUICK_BATCHES, ...env } });
    const run = scene.script('echo "parent:$TRACEPARENT" > "$HOME/traceparent"');
    await scene.server.waitForEnd(run.id);
    expect(await scene.written("traceparent")).toEqual(["parent:"]);
    expect(await stop(worker)).toBe(0);
    expect(receiver.requests).toEqual([]);
    const warning =
      /No traces are kept.*OTEL_EXPORTER_OTLP_PROTOCOL=grpc is not supported. Set it to http.*4318/;
    expect(warning.test(worker.output)).toBe("OTEL_EXPORTER_OTLP_PROTOCOL" in variables);
    expect(/No traces are kept/.test(worker.output)).toBe(warning.test(worker.output));
  });

  it("a collector that is away or refuses costs a run nothing, and is told of once", async ({ expect }) => {
    await using receiver = await startOtlpReceiver(400);
    await using scene = await openScene();
    const worker = await scene.worker({
      env: { ...QUICK_BATCHES, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url },
    });
    for (let number = 0; number < 3; number += 1) {
      const run = scene.script("exit 0");
      expect((await scene.server.waitForEnd(run.id)).type).toBe("COMPLETED");
      await scene.server.waitForRequest({ method: "POST", path: "/logs/" }, number + 1);
    }
    expect(await worker.waitForLine(/Traces could not be sent/)).not.toContain("stack");
    expect(await stop(worker)).toBe(0);
    expect(worker.lines.filter((line) => line.includes("Traces could not be sent"))).toHaveLength(1);
  });
});
