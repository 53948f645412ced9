import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { Command } from "commander";
import { afterEach, beforeEach, describe, it } from "vitest";
import { parse } from "yaml";

import { addSettingFlags, settingFlags } from "./flags.ts";
import { loadConfig } from "./load.ts";
import { environmentName } from "./setting.ts";
import { SETTING_ENTRIES } from "./settings.ts";
import { isTable, leavesOf } from "./tables.ts";

import type { Config } from "./config.ts";
import type { LoadedConfig } from "./load.ts";
import type { SettingEntry } from "./settings.ts";

let root = "";

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), "lighterman-settings-"));
});

afterEach(() => rm(root, { recursive: true, force: true }));

async function loadYaml(text: string): Promise<LoadedConfig> {
  await writeFile(path.join(root, "worker.yaml"), text);
  return loadConfig({ flags: {}, env: {}, cwd: root, homeDir: root, configFile: "worker.yaml", cpuCount: 4 });
}

/** `a.b.c: value` as nested YAML. */
function nest({ key }: SettingEntry, value: string): string {
  const names = key.split(".");
  return `${names.map((name, depth) => `${"  ".repeat(depth)}${name}:`).join("\n")} ${value}\n`;
}

function pathsOf(config: Config): Map<string, unknown> {
  const known: unknown = config;
  if (!isTable(known)) throw new Error("no table");
  return new Map(leavesOf(known, (key) => key === "client.customHeaders"));
}

describe("the settings table", () => {
  it("gives every setting an effect on the compiled settings", async ({ expect }) => {
    const untouched = JSON.stringify((await loadYaml("")).config);
    for (const entry of SETTING_ENTRIES) {
      // Only together with Prefect Cloud does its cap show; 20,000 differs from the default of 25,000 itself.
      const { config, sources, warnings } = await loadYaml(nest(entry, entry.setting.example));
      expect(warnings).toEqual([]);
      expect(Object.keys(sources), entry.key).toEqual([entry.key]);
      expect(JSON.stringify(config), `${entry.key} changes nothing`).not.toBe(untouched);
    }
  });

  it("gives every compiled setting a row", async ({ expect }) => {
    const changed = new Set<string>();
    const untouched = pathsOf((await loadYaml("")).config);
    for (const entry of SETTING_ENTRIES) {
      const touched = pathsOf((await loadYaml(nest(entry, entry.setting.example))).config);
      for (const key of new Set([...untouched.keys(), ...touched.keys()])) {
        if (JSON.stringify(touched.get(key)) !== JSON.stringify(untouched.get(key))) changed.add(key);
      }
    }
    const unreachable = [...untouched.keys()].filter((key) => !changed.has(key));
    expect(unreachable).toEqual([]);
  });

  it("has a default that its own type accepts", async ({ expect }) => {
    for (const { key, setting } of SETTING_ENTRIES) {
      if (setting.default === undefined) continue;
      expect(setting.type.parse(setting.default, { baseDir: root, homeDir: root }), key).toBeDefined();
    }
  });

  it("has names that are unique, also among the older ones and the flags", ({ expect }) => {
    const names = SETTING_ENTRIES.flatMap(({ name, setting }) => [name, ...setting.deprecatedNames]);
    expect(new Set(names).size).toBe(names.length);
    const flags = SETTING_ENTRIES.flatMap(({ setting: { flag } }) => (flag === undefined ? [] : [flag]));
    const spellings = flags.flatMap(({ name, short }) => (short === undefined ? [name] : [name, short]));
    expect(new Set(spellings).size).toBe(spellings.length);
  });

  it("never offers a secret as a flag", ({ expect }) => {
    const exposed = SETTING_ENTRIES.filter(({ setting }) => setting.secret && setting.flag !== undefined);
    expect(exposed).toEqual([]);
  });

  it("spells Prefect's names as Prefect does", ({ expect }) => {
    expect(environmentName("worker.query_seconds", "prefect")).toBe("PREFECT_WORKER_QUERY_SECONDS");
    expect(environmentName("drain_timeout", "own")).toBe("LIGHTERMAN_DRAIN_TIMEOUT");
  });
});

describe("config.example.yaml", () => {
  it("has every key of the table and no other, and is accepted as it stands", async ({ expect }) => {
    const example = await readFile("config.example.yaml", "utf8");
    const asIs = await loadYaml(example);
    expect(asIs.warnings).toEqual([]);
    expect(asIs.sources).toEqual({});

    const uncommented = example.replaceAll(/^(\s*)#(?=\w)/gm, "$1");
    const content: unknown = parse(uncommented);
    if (!isTable(content)) throw new Error("no table");
    const keys = [...leavesOf(content, (key) => key === "client.custom_headers")].map(([key]) => key);
    expect(keys.sort()).toEqual(SETTING_ENTRIES.map(({ key }) => key as string).sort());
    const all = await loadYaml(uncommented);
    expect(all.warnings).toEqual([]);
    expect(Object.keys(all.sources).sort()).toEqual([...keys].sort());
  });
});

describe("flags", () => {
  it("come from the table, with the scopes of a command", ({ expect }) => {
    const spellings = settingFlags(["all", "flow", "worker", "server"]).map(({ flags }) => flags);
    const withFlag = SETTING_ENTRIES.filter(({ setting }) => setting.flag !== undefined);
    expect(spellings.filter((flags) => !flags.startsWith("--no-"))).toHaveLength(withFlag.length + 1);
    expect(settingFlags(["all"]).map(({ flags }) => flags)).toEqual([
      "--api-url <URL>",
      "--log-format <FORMAT>",
      "--log-level <LEVEL>",
      "--config <FILE>",
    ]);
  });

  it("are declared on a commander command, and read from its options", async ({ expect }) => {
    const command = new Command();
    addSettingFlags(command, ["all", "flow", "worker"]);
    const argv =
      "-p my-pool -q high -q low,er -n w1 -t process -l 5 --run-once --with-healthcheck --install-policy never " +
      "--no-create-pool-if-not-found --prefetch-seconds 3 --drain-timeout 1m --python ./py --log-format JSON";
    command.parse(argv.split(" "), { from: "user" });
    const { config, sources } = await loadConfig({
      flags: command.opts(),
      env: {},
      cwd: root,
      homeDir: root,
    });
    expect(config.worker).toMatchObject({
      pool: "my-pool",
      workQueues: ["high", "low,er"],
      name: "w1",
      type: "process",
      limit: 5,
      runOnce: true,
      withHealthcheck: true,
      installPolicy: "never",
      createPoolIfNotFound: false,
      prefetchMs: 3000,
    });
    expect(config).toMatchObject({
      drainTimeoutMs: 60_000,
      python: path.join(root, "py"),
      log: { format: "json" },
    });
    expect(sources["worker.create_pool_if_not_found"]).toBe("flag --no-create-pool-if-not-found");
    const silent = new Command();
    addSettingFlags(silent, ["all", "flow", "worker"]);
    silent.parse([], { from: "user" });
    expect(silent.opts()).toEqual({});
  });
});
