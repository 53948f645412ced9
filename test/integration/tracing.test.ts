import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, inject, it } from "vitest";
import { until } from "../support/deadline.ts";
import { startOtlpReceiver } from "../support/otlp-receiver.ts";
import { PrefectApi, uniqueName } from "../support/prefect-api.ts";
import { startWorker } from "../support/worker-process.ts";

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));
const api = new PrefectApi(inject("prefect3Url"));

describe("traces, on 3.8.8", () => {
  it("go from the worker to the engine, and from a flow to the run that it starts", async ({ expect }) => {
    const pool = uniqueName("traces");
    const directory = await mkdtemp(join(tmpdir(), "marks-"));
    try {
      await api.createPool(pool);
      await using receiver = await startOtlpReceiver();
      await using worker = await startWorker({
        apiUrl: api.url,
        pool,
        env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: "100" },
      });
      const marks = join(directory, "marks");
      const pullSteps = [{ "prefect.deployments.steps.set_working_directory": { directory: fixtures } }];
      const [child, parent] = await Promise.all(
        ["tells_its_trace", "starts_another"].map((flow) =>
          api.createDeployment({ pool, entrypoint: `traced_flows.py:${flow}`, pullSteps }),
        ),
      );
      if (child === undefined || parent === undefined) throw new Error("There are no deployments");
      const started = await api.run(parent, {
        parameters: { deployment: `${child.flowName}/${child.name}`, marks },
      });
      expect((await api.waitForEnd(started)).state).toMatchObject({ type: "COMPLETED" });

      const roots = await until(
        "both traces",
        () => {
          const found = receiver.spans.filter(({ name }) => name === "flow run");
          return found.length === 2 && found;
        },
        { detail: () => worker.process.output },
      );
      const ofParent = roots.find((span) => span.attributes["prefect.run.id"] === started.id);
      const ofChild = roots.find((span) => span !== ofParent);
      expect(ofParent?.parentSpanId).toBe("");
      expect(ofChild).toMatchObject({ traceId: ofParent?.traceId, parentSpanId: ofParent?.spanId });
      // Without an SDK in its Python, the engine hands on what it was given, and adds nothing.
      const traceparent = `00-${ofChild?.traceId ?? ""}-${ofChild?.spanId ?? ""}-01`;
      expect(JSON.parse(await readFile(marks, "utf8"))).toEqual({ env: traceparent, label: traceparent });
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
