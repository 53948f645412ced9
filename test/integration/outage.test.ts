import { fileURLToPath } from "node:url";
import { describe, it } from "vitest";
import { PrefectApi } from "../support/prefect-api.ts";
import { PrefectServer } from "../support/prefect-server.ts";
import { startWorker } from "../support/worker-process.ts";

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));

describe("an outage of the API, on 3.8.8", () => {
  it("the worker outlives it, finishes what runs, and goes on with new runs", async ({ expect }) => {
    await using server = await PrefectServer.start();
    const api = new PrefectApi(server.url);
    await api.createPool("outage");
    const deployment = await api.createDeployment({
      pool: "outage",
      entrypoint: "none",
      jobVariables: { engine: "none", command: "sleep 4" },
    });
    await using worker = await startWorker({
      apiUrl: server.url,
      pool: "outage",
      env: { PREFECT_WORKER_QUERY_SECONDS: "1", PREFECT_WORKER_HEARTBEAT_SECONDS: "2" },
    });
    const during = await api.run(deployment);
    await api.waitFor(during, ["RUNNING"]);
    await server.pause();
    await worker.process.waitForLine(/reach|connect|outage|unavailable|refused/i);
    await server.resume();

    expect((await api.waitForEnd(during)).state.type, worker.process.output).toBe("COMPLETED");
    const flow = await api.createDeployment({
      pool: "outage",
      entrypoint: "flows.py:greet",
      pullSteps: [{ "prefect.deployments.steps.set_working_directory": { directory: fixtures } }],
    });
    const after = await api.run(flow);
    expect((await api.waitForEnd(after)).state.type, worker.process.output).toBe("COMPLETED");
    expect(worker.process.isRunning).toBe(true);
  });
});
