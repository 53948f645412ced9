import { describe, it } from "vitest";

import { TERMINAL_STATES } from "../../../src/api/types.ts";
import { openScene, stop } from "./scene.ts";

import type { Fault } from "../../support/fake-prefect/faults.ts";
import type { FakeFlowRun } from "../../support/fake-prefect/store.ts";

const ANSWERS: readonly Fault[] = [
  { kind: "status", status: 500 },
  { kind: "status", status: 422 },
  { kind: "status", status: 404 },
  { kind: "html" },
];

/** Everything that is asked or told about one run. */
const ENDPOINTS: Readonly<Record<string, (run: FakeFlowRun) => Pick<Fault, "method" | "path">>> = {
  "its deployment": (run) => ({ path: `/deployments/${run.deployment_id ?? ""}` }),
  "its flow": (run) => ({ path: `/flows/${run.flow_id}` }),
  "its states": (run) => ({ path: `/flow_runs/${run.id}/set_state` }),
  "its state": (run) => ({ method: "GET", path: `/flow_runs/${run.id}` }),
  "its pid": (run) => ({ method: "PATCH", path: `/flow_runs/${run.id}` }),
  "its labels": (run) => ({ path: `/flow_runs/${run.id}/labels` }),
  "its block": (run) => ({ path: new RegExp(`/block_documents/name/${run.name}`) }),
  "its variable": (run) => ({ path: `/variables/name/${run.name}` }),
  "everything about it": (run) => ({ path: new RegExp(run.id) }),
};

const GLOBAL: Readonly<Record<string, Fault["path"]>> = {
  logs: "/logs/",
  events: "/events",
  cancellations: "/flow_runs/filter",
  heartbeats: /heartbeat$/,
};

describe.concurrent("one bad run", () => {
  it.for(Object.keys(ENDPOINTS))(
    "(bad answers for %s) keeps no slot and ends no worker",
    async (name, { expect }) => {
      await using scene = await openScene();
      const where = ENDPOINTS[name];
      if (where === undefined) throw new Error(name);
      const bad: FakeFlowRun[] = [];
      const good: FakeFlowRun[] = [];
      const faults = ANSWERS.map((answer, index) => {
        const run = scene.script("exit 0", { deployment: { flow: `flow-${index}` } });
        const deployment = scene.server.store.deployments.get(run.deployment_id ?? "");
        const secret = `{{ prefect.blocks.secret.${run.name} }}`;
        const env = { SECRET: secret, PLAIN: `{{ prefect.variables.${run.name} }}` };
        Object.assign(deployment?.job_variables ?? {}, { env });
        scene.server.addBlock("secret", run.name, { value: "hidden-value" });
        scene.server.store.variables.set(run.name, "plain");
        bad.push(run);
        good.push(scene.script("exit 0"));
        return scene.server.fault({ ...answer, ...where(run) });
      });
      const args = ["--limit", "1", "--drain-timeout", "0s"];
      const worker = await scene.worker({ args, env: { LIGHTERMAN_CANCELLATION_POLL: "0.2s" } });
      for (const { id } of good) expect((await scene.server.waitForEnd(id)).name).toBe("Completed");
      for (const fault of faults) {
        expect(fault.hits).toBeGreaterThan(0);
        fault.clear();
      }
      expect(scene.server.requests.length).toBeLessThan(300);
      expect(await stop(worker)).toBe(0);
      // What could not be concluded then is concluded now, but for runs that the server called deleted.
      const second = await scene.worker();
      await second.waitForLine(/started: pool/, 10_000);
      for (const { id } of bad.filter((_, index) => ANSWERS[index]?.status !== 404))
        expect(TERMINAL_STATES).toContain((await scene.server.waitForEnd(id)).type);
      expect(await stop(second)).toBe(0);
      expect(scene.leftovers()).toEqual([]);
    },
  );

  it.for(Object.entries(GLOBAL))("bad answers for %s disturb no run", async ([, path], { expect }) => {
    await using scene = await openScene();
    const run = scene.script("echo fine; sleep 0.3");
    for (const answer of ANSWERS)
      scene.server.fault({ ...answer, ...(path === undefined ? {} : { path }), times: 3 });
    const worker = await scene.worker({
      env: { LIGHTERMAN_CANCELLATION_POLL: "0.05s", PREFECT_WORKER_HEARTBEAT_SECONDS: "0.1" },
    });
    expect((await scene.server.waitForEnd(run.id)).name).toBe("Completed");
    expect(await stop(worker)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });
});
