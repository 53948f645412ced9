import { environmentName } from "./setting.ts";
import { SETTING_ENTRIES } from "./settings.ts";
import { isTable, leavesOf, valueAt } from "./tables.ts";

import type { SettingsFiles } from "./files.ts";
import type { Entry, Layer } from "./layer.ts";

/** Settings whose value is itself a table; every other table is a section. */
const MAPPINGS: ReadonlySet<string> = new Set([
  "client.custom_headers",
  "server.services.db_vacuum.event_retention_overrides",
]);

const KEY_BY_NAME: ReadonlyMap<string, string> = new Map(SETTING_ENTRIES.map(({ key, name }) => [name, key]));

export interface TomlSource {
  /** Absolute. */
  readonly path: string;
  /** Header of the table that holds the settings: `["tool", "prefect"]`, or none. */
  readonly header: readonly string[];
  readonly label: string;
}

/**
 * Prefect's settings in a TOML file. Each stands under its section and its own name, so that `[worker] query_seconds` is
 * PREFECT_WORKER_QUERY_SECONDS (prefect/settings/sources.py); those that our table does not know are read as well,
 * because flow runs get them too.
 */
export async function readTomlLayer(
  files: SettingsFiles,
  { path, header, label }: TomlSource,
  baseDir: string,
): Promise<Layer> {
  const layer = new Map<string, Entry>();
  const settings = valueAt((await files.toml(path)) ?? {}, header);
  if (!isTable(settings)) return layer;
  for (const [key, raw] of leavesOf(settings, (candidate) => MAPPINGS.has(candidate))) {
    const name = environmentName(key, "prefect");
    const isAnotherKey = (KEY_BY_NAME.get(name) ?? key) !== key;
    if (/^[a-z0-9_.]+$/.test(key) && !isAnotherKey) {
      layer.set(name, { raw, source: `${key} in ${label}`, baseDir });
    }
  }
  return layer;
}
