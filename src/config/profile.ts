import path from "node:path";

import { isTable, valueAt } from "./tables.ts";

import type { EnvironmentVariables } from "./environment.ts";
import type { SettingsFiles } from "./files.ts";
import type { Entry, Layer } from "./layer.ts";
import type { Table } from "./tables.ts";

/** The profiles that Prefect has without any file (prefect/settings/profiles.toml). */
const BUILT_IN: Table = {
  active: "ephemeral",
  profiles: {
    ephemeral: { PREFECT_SERVER_EPHEMERAL_ENABLED: "true" },
    local: { PREFECT_API_URL: "http://127.0.0.1:4200/api" },
    test: {
      PREFECT_SERVER_EPHEMERAL_ENABLED: "true",
      PREFECT_SERVER_DATABASE_CONNECTION_URL: "sqlite+aiosqlite:///:memory:",
    },
    cloud: {},
  },
};

const TEST_MODE_NAMES = [
  "PREFECT_TEST_MODE",
  "PREFECT_UNIT_TEST_MODE",
  "PREFECT_TESTING_UNIT_TEST_MODE",
  "PREFECT_TESTING_TEST_MODE",
];

export interface ProfileSources {
  readonly env: EnvironmentVariables;
  readonly cwd: string;
  readonly homeDir: string;
  /** PREFECT_PROFILES_PATH of `.env`, prefect.toml and pyproject.toml, the first that has one. */
  readonly configuredPath: string | undefined;
}

/** The active profile, and the file in which it is or would be. */
export interface ProfilePlace {
  readonly file: string;
  readonly profile: string;
}

export interface ProfileLayer {
  readonly layer: Layer;
  readonly warnings: readonly string[];
  /** Undefined in Prefect's test mode, which has no profiles. */
  readonly place: ProfilePlace | undefined;
}

/**
 * The settings of the active profile, found as Prefect finds it (prefect/settings/sources.py:
 * ProfileSettingsTomlLoader): a file that does not exist, or a name that is not in it, leads to the built-in default.
 */
export async function readProfileLayer(files: SettingsFiles, sources: ProfileSources): Promise<ProfileLayer> {
  const { env, cwd } = sources;
  if (TEST_MODE_NAMES.some((name) => env[name])) return { layer: new Map(), warnings: [], place: undefined };
  const explicitPath =
    env["PREFECT_PROFILES_PATH"] ||
    sources.configuredPath ||
    (env["PREFECT_HOME"] && path.join(env["PREFECT_HOME"], "profiles.toml"));
  const file = path.resolve(cwd, explicitPath || path.join(sources.homeDir, ".prefect", "profiles.toml"));
  const problemsBefore = files.issues.length;
  const read = await files.toml(file);
  if (files.issues.length > problemsBefore) return { layer: new Map(), warnings: [], place: undefined };

  const isAbsent = read === undefined;
  // Without a file of the user's, a built-in profile may be chosen by name, unless a path was given.
  const table = isAbsent && !explicitPath ? BUILT_IN : (read ?? {});
  const wanted = env["PREFECT_PROFILE"] || table["active"];
  const chosen = typeof wanted === "string" ? valueAt(table, ["profiles", wanted]) : undefined;
  const label = isAbsent ? "Prefect's built-in profiles" : files.show(file);
  if (isTable(chosen)) {
    const profile = String(wanted);
    return {
      layer: layerOf(chosen, `profile '${profile}' in ${label}`, cwd),
      warnings: [],
      place: { file, profile },
    };
  }

  const fallback = valueAt(BUILT_IN, ["profiles", "ephemeral"]);
  const isNamed = typeof wanted === "string" && wanted !== "";
  return {
    layer: layerOf(
      isTable(fallback) ? fallback : {},
      "profile 'ephemeral' of Prefect's built-in profiles",
      cwd,
    ),
    warnings: isNamed
      ? [`Profile '${wanted}' is not in ${files.show(file)}: Prefect's default profile is used instead.`]
      : [],
    place: { file, profile: "ephemeral" },
  };
}

function layerOf(profile: Table, source: string, baseDir: string): Layer {
  const layer = new Map<string, Entry>();
  for (const [name, raw] of Object.entries(profile)) {
    if (/^PREFECT_[A-Z0-9_]+$/.test(name) && raw !== null) layer.set(name, { raw, source, baseDir });
  }
  return layer;
}
