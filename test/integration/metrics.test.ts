import { execFileSync } from "node:child_process";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, it } from "vitest";

import { openScene } from "../component/worker/scene.ts";
import { watchedWorker } from "../component/ops/watched-worker.ts";

const rules = fileURLToPath(new URL("../../deploy/prometheus/lighterman.rules.yaml", import.meta.url));
const testOfRules = fileURLToPath(new URL("fixtures/rules.test.yaml", import.meta.url));
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

describe("the alerts of deploy/prometheus", () => {
  it("are valid, and each fires when it should", async ({ expect }) => {
    const directory = await mkdtemp(join(tmpdir(), "rules-"));
    try {
      for (const file of [rules, testOfRules])
        await cp(file, join(directory, file.slice(file.lastIndexOf("/"))));
      const check = (...args: readonly string[]): string =>
        execFileSync(promtool, args, { cwd: directory, encoding: "utf8", stdio: "pipe" });
      expect(check("check", "rules", "lighterman.rules.yaml")).toMatch(/SUCCESS: 6 rules found/);
      expect(check("test", "rules", "rules.test.yaml")).toContain("SUCCESS");
      const alerts = (await readFile(rules, "utf8")).match(/(?<=alert: )\w+/g) ?? [];
      const test = await readFile(testOfRules, "utf8");
      expect(alerts.filter((name) => !test.includes(`"${name}"`))).toEqual([]);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  it("know the metrics by their names", async ({ expect }) => {
    const listed = await readFile(new URL("../../src/ops/README.md", import.meta.url), "utf8");
    const used = (await readFile(rules, "utf8")).match(/\blighterman_\w+/g) ?? [];
    const names = [...new Set(used.map((name) => name.replace(/_bucket$/, "")))];
    expect(names.length).toBeGreaterThan(6);
    expect(names.filter((name) => !listed.includes(`| \`${name}\` |`))).toEqual([]);
  });
});
