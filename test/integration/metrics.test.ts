import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, it } from "vitest";

import { openScene } from "../component/worker/scene.ts";
import { watchedWorker } from "../component/ops/watched-worker.ts";

const promtool = fileURLToPath(new URL("../../.venvs/bin/promtool", import.meta.url));

describe("Prometheus' own linter", () => {
  it("has nothing to say about the metrics page", async ({ expect }) => {
    await using scene = await openScene();
    const worker = await watchedWorker(scene, { args: ["--limit", "2", "--name", 'a "quoted" \\ name'] });
    const runs = [scene.script("exit 0"), scene.script("exit 1")];
    for (const run of runs) await scene.server.waitForEnd(run.id);
    const { text } = await worker.until("/metrics", (page) =>
      page.text.includes('ended_total{result="failed"} 1'),
    );
    // It exits with 3 and names the metric for anything that is not as it should be.
    expect(execFileSync(promtool, ["check", "metrics"], { input: text, encoding: "utf8" })).toBe("");
    expect(() =>
      execFileSync(promtool, ["check", "metrics"], { input: `${text}a 1\n`, stdio: "pipe" }),
    ).toThrow(/no help text/);
  });
});
