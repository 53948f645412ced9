import { availableParallelism } from "node:os";
import path from "node:path";

import { compileConfig } from "./config.ts";
import { readConfigFile } from "./config-file.ts";
import { parseDotenv } from "./dotenv.ts";
import { environmentLayer } from "./environment.ts";
import { SettingsFiles } from "./files.ts";
import { configFlag, flagLayer } from "./flags.ts";
import { ConfigError } from "./issues.ts";
import { collectPrefectSettings } from "./prefect-environment.ts";
import { readProfileLayer } from "./profile.ts";
import { readProxySettings } from "./proxy.ts";
import { resolveSettings } from "./resolve.ts";
import { SETTING_ENTRIES } from "./settings.ts";
import { readTomlLayer } from "./toml-layer.ts";
import { filePath } from "./value-types.ts";

import type { Config } from "./config.ts";
import type { EnvironmentVariables } from "./environment.ts";
import type { FlagValues } from "./flags.ts";
import type { Layer } from "./layer.ts";
import type { ProfilePlace } from "./profile.ts";
import type { EffectiveSetting } from "./resolve.ts";
import type { SettingKey } from "./settings.ts";

export interface LoadConfigOptions {
  /** commander's `opts()` of a command that has the flags of `addSettingFlags`. */
  readonly flags: FlagValues;
  readonly env: EnvironmentVariables;
  /** Absolute; `.env`, prefect.toml and pyproject.toml are looked for here. */
  readonly cwd: string;
  /** Absolute. */
  readonly homeDir: string;
  /** Our YAML file; instead of `--config` and LIGHTERMAN_CONFIG. */
  readonly configFile?: string;
  /** Settings without which the command makes no sense: their absence is an issue like any other. */
  readonly required?: readonly SettingKey[];
  readonly cpuCount?: number;
}

export interface LoadedConfig {
  readonly config: Config;
  /** Where each setting that is not left at its default came from, by key. */
  readonly sources: Readonly<Partial<Record<SettingKey, string>>>;
  /** Every setting as it was written, or its default. */
  readonly settings: readonly EffectiveSetting[];
  /** Where Prefect's own settings of this user stand. */
  readonly profile: ProfilePlace | undefined;
  /** For the log: unknown keys, old names. */
  readonly warnings: readonly string[];
  /** Every explicitly set Prefect setting as a variable for flow runs, secrets included (protocol §3.4). */
  readonly prefectSettings: Readonly<Record<string, string>>;
}

/**
 * Reads the settings from all their sources: flag, environment, our YAML file, `.env`, prefect.toml, `[tool.prefect]` of
 * pyproject.toml, the active profile, default; the first that has a setting wins.
 *
 * @throws ConfigError with all problems at once
 */
export async function loadConfig(options: LoadConfigOptions): Promise<LoadedConfig> {
  const { env, cwd, homeDir } = options;
  const files = new SettingsFiles(homeDir);
  const { layers, warnings, profile } = await readLayers(options, files);
  const resolved = resolveSettings(layers, homeDir, options.required);
  const issues = [...files.issues, ...resolved.issues];
  if (resolved.values === undefined || issues.length > 0) throw new ConfigError(issues);

  const certificates = filePath.parse(env["SSL_CERT_FILE"] ?? "", { baseDir: cwd, homeDir });
  const config = compileConfig(resolved.values, {
    homeDir,
    cpuCount: options.cpuCount ?? availableParallelism(),
    stateHome: env["XDG_STATE_HOME"],
    sslCertFile: certificates?.value,
    proxy: readProxySettings(env),
  });
  return {
    config,
    sources: resolved.sources,
    settings: resolved.settings,
    profile,
    warnings: [...warnings, ...resolved.warnings],
    prefectSettings: collectPrefectSettings(layers, homeDir),
  };
}

interface Layers {
  /** Highest precedence first. */
  readonly layers: readonly Layer[];
  readonly warnings: readonly string[];
  readonly profile: ProfilePlace | undefined;
}

async function readLayers(options: LoadConfigOptions, files: SettingsFiles): Promise<Layers> {
  const { flags, env, cwd, homeDir } = options;
  const configFile = findConfigFile(options);
  const yaml =
    configFile === undefined
      ? { layer: new Map(), warnings: [] }
      : await readConfigFile(files, path.resolve(cwd, configFile.file), configFile.source);
  const dotenvText = await files.text(path.join(cwd, ".env"));
  const dotenv = environmentLayer(parseDotenv(dotenvText ?? "", env), cwd, (name) => `${name} in .env`);
  const prefectToml = await readTomlLayer(
    files,
    { path: path.join(cwd, "prefect.toml"), header: [], label: "prefect.toml" },
    cwd,
  );
  const pyproject = await readTomlLayer(
    files,
    { path: path.join(cwd, "pyproject.toml"), header: ["tool", "prefect"], label: "pyproject.toml" },
    cwd,
  );
  const profile = await readProfileLayer(files, {
    env,
    cwd,
    homeDir,
    configuredPath: [dotenv, prefectToml, pyproject]
      .map((layer) => layer.get("PREFECT_PROFILES_PATH")?.raw)
      .find((raw): raw is string => typeof raw === "string" && raw !== ""),
  });
  const environment = environmentLayer(env, cwd, (name) => `environment variable ${name}`);
  return {
    layers: [flagLayer(flags, cwd), environment, yaml.layer, dotenv, prefectToml, pyproject, profile.layer],
    warnings: [...yaml.warnings, ...profile.warnings, ...findUnknownVariables([environment, dotenv])],
    profile: profile.place,
  };
}

function findConfigFile({
  configFile,
  flags,
  env,
}: LoadConfigOptions): { file: string; source: string } | undefined {
  if (configFile !== undefined) return { file: configFile, source: "configuration file" };
  const flag = configFlag(flags);
  if (flag !== undefined) return { file: flag, source: "flag --config" };
  const variable = env["LIGHTERMAN_CONFIG"];
  return variable ? { file: variable, source: "environment variable LIGHTERMAN_CONFIG" } : undefined;
}

/** Misspelt variables of our own; Prefect's are the engine's matter. */
function findUnknownVariables(layers: readonly Layer[]): string[] {
  const known = new Set(["LIGHTERMAN_CONFIG", ...SETTING_ENTRIES.map(({ name }) => name)]);
  return layers.flatMap((layer) =>
    [...layer]
      .filter(([name]) => /^LIGHTERMAN_(?!_|TEST_)/.test(name) && !known.has(name))
      .map(([name, { source }]) => `Unknown setting ${name} (${source}) is ignored.`),
  );
}
