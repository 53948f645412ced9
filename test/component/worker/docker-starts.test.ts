import { describe, it } from "vitest";

import { FakeEngine } from "../../support/fake-engine.ts";
import { openScene, POOL, stop } from "./scene.ts";

describe("the start slots of a docker worker", () => {
  it("serve others while an image is pulled for minutes", async ({ expect }) => {
    await using scene = await openScene();
    const pool = scene.server.store.workPools.get(POOL);
    if (pool !== undefined) pool.type = "docker";
    await using engine = await FakeEngine.start();
    let onPulled = (): void => undefined;
    engine.pulls.set("slow:1", new Promise((resolve) => (onPulled = resolve)));
    const run = (name: string, image: string) =>
      scene.run({ engine: "none", command: "true", image }, { run: { name } });
    const slow = run("slow", "slow:1");
    const worker = await scene.worker({
      env: { DOCKER_HOST: engine.host, LIGHTERMAN_START_CONCURRENCY: "1" },
    });
    await scene.server.waitFor("its image is pulled", () =>
      engine.requests.includes("POST /images/create") ? true : undefined,
    );
    const quick = run("quick", "here:1");
    const begun = (name: string): Promise<unknown> =>
      scene.server.waitFor(
        `${name} has begun`,
        () => engine.named(name)?.status === "running" || undefined,
        20_000,
      );
    await begun("quick");
    expect(engine.named("slow")).toBeUndefined();
    engine.end(engine.named("quick")!);
    expect((await scene.server.waitForEnd(quick.id)).name).toBe("Completed");
    onPulled();
    await begun("slow");
    engine.end(engine.named("slow")!);
    expect((await scene.server.waitForEnd(slow.id)).name).toBe("Completed");
    expect(await stop(worker)).toBe(0);
    expect(scene.leftovers()).toEqual([]);
  });
});
