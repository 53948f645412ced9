import { API_SETTINGS } from "./api-settings.ts";
import { PROJECT_SETTINGS } from "./project-settings.ts";
import { RUN_SETTINGS } from "./run-settings.ts";
import { SERVER_SETTINGS } from "./server-settings.ts";
import { environmentName } from "./setting.ts";
import { WORKER_SETTINGS } from "./worker-settings.ts";

import type { Setting } from "./setting.ts";

/**
 * Every setting there is, by key. Flags, environment variables, files, config.example.yaml and the README's table all
 * come from here: to add a setting, add a row, give it a place in `compileConfig`, and run `npm run gen`.
 */
const SETTINGS = {
  ...API_SETTINGS,
  ...WORKER_SETTINGS,
  ...RUN_SETTINGS,
  ...SERVER_SETTINGS,
  ...PROJECT_SETTINGS,
};

export type SettingKey = keyof typeof SETTINGS;

/** The parsed value of every setting; numbers of time are milliseconds, paths absolute. */
export type SettingValues = {
  readonly [K in SettingKey]: (typeof SETTINGS)[K] extends Setting<infer T> ? T : never;
};

/** A row of the table with everything that its key implies. */
export interface SettingEntry {
  readonly key: SettingKey;
  readonly setting: Setting<unknown>;
  /** The environment variable; older names follow in `setting.deprecatedNames`. */
  readonly name: string;
}

/** The table as a list, in the order of the documents. */
export const SETTING_ENTRIES: readonly SettingEntry[] = (
  Object.entries(SETTINGS) as [SettingKey, Setting<unknown>][]
).map(([key, setting]) => ({ key, setting, name: environmentName(key, setting.owner) }));

/** A variable that is only ever read from the environment, because it leads to other sources or follows a custom. */
export interface EnvironmentOnly {
  readonly names: readonly string[];
  readonly flag?: string;
  readonly default: string;
  readonly doc: string;
}

export const ENVIRONMENT_ONLY: readonly EnvironmentOnly[] = [
  {
    names: ["LIGHTERMAN_CONFIG"],
    flag: "--config FILE",
    default: "none",
    doc: "YAML file with settings; see config.example.yaml.",
  },
  {
    names: ["PREFECT_HOME"],
    default: "~/.prefect",
    doc: "Prefect's home directory, where profiles.toml is.",
  },
  {
    names: ["PREFECT_PROFILES_PATH"],
    default: "profiles.toml in PREFECT_HOME",
    doc: "Prefect's file of profiles (also from .env, prefect.toml and pyproject.toml).",
  },
  {
    names: ["PREFECT_PROFILE"],
    default: "the file's `active`",
    doc: "The profile to use.",
  },
  {
    names: ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"],
    default: "none",
    doc: "Proxies for API calls, and hosts that need none; lower-case names win.",
  },
  {
    names: ["SSL_CERT_FILE"],
    default: "none",
    doc: "Default of api.ssl_cert_file.",
  },
];
