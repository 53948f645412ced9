import { describe, it } from "vitest";

import { open } from "./open.ts";

describe("work-queue", () => {
  it("create, change and delete, by the name within a pool", async ({ expect }) => {
    const { api, run } = await open();
    await run("work-pool create mine");
    const created = await run("work-queue create urgent --pool mine --limit 2 -q 1 --json");
    expect(created.code, created.stderr).toBe(0);
    expect(JSON.parse(created.stdout)).toMatchObject({ name: "urgent", concurrency_limit: 2, priority: 1 });
    expect(await run("work-queue create urgent -p mine")).toMatchObject({ code: 2 });
    for (const [line, wanted] of [
      ["pause urgent -p mine", { is_paused: true }],
      ["resume urgent", { is_paused: false }],
      ["set-concurrency-limit urgent 5 -p mine", { concurrency_limit: 5 }],
      ["clear-concurrency-limit urgent", { concurrency_limit: null }],
    ] as const) {
      const result = await run(`work-queue ${line} --json`);
      expect(result.code, result.stderr).toBe(0);
      expect(JSON.parse(result.stdout)).toMatchObject(wanted);
      expect(await api.get("/work_pools/mine/queues/urgent")).toMatchObject(wanted);
    }
    expect((await run("work-queue inspect urgent")).stdout).toContain("name: urgent");
    expect(await run("work-queue delete urgent -p mine")).toMatchObject({ code: 2 });
    expect(await run("work-queue delete urgent -p mine -y")).toMatchObject({ code: 0 });
    expect((await api.call("GET", "/work_pools/mine/queues/urgent")).status).toBe(404);
  });

  it("a name that several pools have needs --pool; unknown queues and pools are told", async ({ expect }) => {
    const { run } = await open();
    await run("work-pool create one");
    await run("work-pool create two");
    expect(await run("work-queue pause default")).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/one.*two|two.*one/),
    });
    expect(await run("work-queue pause defualt -p one")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("Did you mean 'default'?"),
    });
    expect(await run("work-queue ls --pool three")).toMatchObject({ code: 1 });
  });

  it("create without a pool makes a queue of the pool for agents, as Prefect does", async ({ expect }) => {
    const { run } = await open();
    expect(await run("work-queue create q")).toMatchObject({ code: 0 });
    const pools = JSON.parse((await run("work-queue ls --json")).stdout).map(
      (queue: { readonly work_pool_name: string }) => queue.work_pool_name,
    );
    expect([...new Set(pools)]).toEqual(["default-agent-pool"]);
  });

  it("ls shows pools, priorities and limits, of one pool or of all, and by the beginning of the name", async ({
    expect,
  }) => {
    const { run } = await open();
    await run("work-pool create one");
    await run("work-queue create extra -p one -l 3");
    await run("work-pool create two");
    const names = async (line: string): Promise<string[]> =>
      (await run(line)).stdout.split("\n").map((text) => text.split("\t").slice(0, 5).join(" "));
    expect(await names("work-queue ls -p one")).toEqual(["extra one 2 no 3", "default one 1 no none", ""]);
    expect(await names("work-queue ls --match de")).toEqual([
      "default two 1 no none",
      "default one 1 no none",
      "",
    ]);
    expect(JSON.parse((await run("work-queue ls --json")).stdout)).toHaveLength(3);
  });

  it("preview lists only the queue's runs", async ({ expect }) => {
    const { api, run } = await open();
    await run("work-pool create mine");
    await run("work-queue create other -p mine");
    const flow = await api.post("/flows/", { name: "flow" });
    const deployment = await api.post("/deployments/", {
      name: "dep",
      flow_id: flow.id,
      work_pool_name: "mine",
      work_queue_name: "other",
    });
    const { id } = await api.post(`/deployments/${deployment.id}/create_flow_run`, {});
    expect((await run("work-queue preview other")).stdout).toContain(id);
    expect((await run("work-queue preview default -p mine")).stderr).toContain("No runs");
  });
});
