import { setTimeout as sleep } from "node:timers/promises";
import { it } from "vitest";

import { openScene, stop } from "./scene.ts";

it("kill -9 at any moment, again and again: each run is executed once and ends as it should", async ({
  expect,
}) => {
  await using scene = await openScene();
  const runs = Array.from({ length: 40 }, (_, index) => {
    const script = `echo $PREFECT__FLOW_RUN_ID >>${scene.path("diary")}; sleep 0.${index % 5}; exit ${index % 2}`;
    return scene.script(script);
  });
  const options = { args: ["--limit", "6"] };
  for (let round = 0; round < 6; round += 1) {
    const workers = [await scene.worker(options), await scene.worker(options)];
    await scene.server.waitForRequest({ path: /heartbeat$/ }, 2 * round + 2);
    await sleep(20 + 25 * round); // each time at another point of their work
    for (const worker of workers) worker.signal("SIGKILL");
    for (const worker of workers) await worker.end();
  }
  const last = await scene.worker(options);
  await last.waitForLine(/started: pool/, 10_000);
  for (const [index, { id }] of runs.entries()) {
    expect((await scene.server.waitForEnd(id)).name).toBe(index % 2 === 0 ? "Completed" : "Failed");
  }
  expect(await stop(last)).toBe(0);
  expect((await scene.written("diary", 40)).toSorted()).toEqual(runs.map(({ id }) => id).toSorted());
  expect(scene.leftovers()).toEqual([]);
});
