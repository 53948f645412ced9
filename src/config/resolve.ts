import { showFlag } from "./flags.ts";
import { showValue } from "./issues.ts";
import { SETTING_ENTRIES } from "./settings.ts";

import type { ConfigIssue } from "./issues.ts";
import type { Entry, Layer } from "./layer.ts";
import type { SettingEntry, SettingKey, SettingValues } from "./settings.ts";

/** A setting as somebody wrote it, or as its default reads. */
export interface EffectiveSetting extends SettingEntry {
  /** Undefined where there is no value, or the default is computed (`setting.defaultDoc` tells how). */
  readonly raw: unknown;
  /** Where it came from; undefined for the default. */
  readonly source: string | undefined;
}

export interface ResolvedSettings {
  /** Undefined when there are issues. */
  readonly values: SettingValues | undefined;
  readonly sources: Readonly<Partial<Record<SettingKey, string>>>;
  /** All of them, in the order of the documents. */
  readonly settings: readonly EffectiveSetting[];
  readonly issues: readonly ConfigIssue[];
  readonly warnings: readonly string[];
}

/**
 * Takes each setting from the first layer that has it, and parses it there.
 *
 * @param layers highest precedence first
 * @param required settings whose absence is an issue
 */
export function resolveSettings(
  layers: readonly Layer[],
  homeDir: string,
  required: readonly SettingKey[] = [],
): ResolvedSettings {
  const values: Partial<Record<SettingKey, unknown>> = {};
  const sources: Partial<Record<SettingKey, string>> = {};
  const issues: ConfigIssue[] = [];
  const warnings: string[] = [];
  const settings: EffectiveSetting[] = [];
  for (const entry of SETTING_ENTRIES) {
    const { key, name, setting } = entry;
    const found = findEntry(layers, [name, ...setting.deprecatedNames]);
    if (found !== undefined && found.name !== name) {
      warnings.push(`${found.name} (${found.entry.source}) is deprecated: use ${name} instead.`);
    }
    const { raw, source, baseDir } = found?.entry ?? {
      raw: setting.default,
      source: "default",
      baseDir: "/",
    };
    if (found !== undefined) sources[key] = source;
    settings.push({ ...entry, raw, source: found === undefined ? undefined : source });
    const parsed = raw === undefined ? { value: undefined } : setting.type.parse(raw, { baseDir, homeDir });
    if (parsed === undefined) {
      issues.push({ key, source, found: showValue(raw, setting.secret), expected: setting.type.expected });
    } else if (parsed.value === undefined && required.includes(key)) issues.push(missing(entry));
    else values[key] = parsed.value;
  }
  issues.push(...findContradictions(values, sources));
  // Every key was given a value of its own type above, or there is an issue.
  return {
    values: issues.length > 0 ? undefined : (values as SettingValues),
    sources,
    settings,
    issues,
    warnings,
  };
}

function findEntry(
  layers: readonly Layer[],
  names: readonly string[],
): { readonly name: string; readonly entry: Entry } | undefined {
  for (const layer of layers) {
    for (const name of names) {
      const entry = layer.get(name);
      if (entry !== undefined) return { name, entry };
    }
  }
  return undefined;
}

function missing({ key, name, setting }: SettingEntry): ConfigIssue {
  const ways = [setting.flag === undefined ? undefined : showFlag(setting.flag), name, `${key} in a file`];
  return {
    key,
    source: "not set",
    found: undefined,
    expected: `${setting.type.expected}, from ${ways.filter((way) => way !== undefined).join(" or ")}`,
  };
}

/** Settings that are right on their own, but not together (prefect/settings/models/logging.py). */
function findContradictions(
  values: Partial<Record<SettingKey, unknown>>,
  sources: Partial<Record<SettingKey, string>>,
): ConfigIssue[] {
  const size = values["logging.to_api.max_log_size"];
  const batch = values["logging.to_api.batch_size"];
  if (typeof size !== "number" || typeof batch !== "number" || size <= batch) return [];
  return [
    {
      key: "logging.to_api.max_log_size",
      source: sources["logging.to_api.max_log_size"] ?? "default",
      found: String(size),
      expected: `no more than logging.to_api.batch_size, which is ${batch}`,
    },
  ];
}
