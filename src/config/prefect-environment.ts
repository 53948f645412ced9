import { SETTING_ENTRIES } from "./settings.ts";
import { filePath } from "./value-types.ts";

import type { Entry, Layer } from "./layer.ts";

/**
 * Older names of settings that a flow run reads, and the name that wins over them (validation aliases in
 * prefect/settings/models). Those of the server's settings are left out: no flow run reads them.
 */
export const NEWER_NAMES: ReadonlyMap<string, string> = new Map([
  ["PREFECT_CLIENT_ENABLE_METRICS", "PREFECT_CLIENT_METRICS_ENABLED"],
  ["PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE", "PREFECT_DEPLOYMENTS_DEFAULT_DOCKER_BUILD_NAMESPACE"],
  ["PREFECT_DEFAULT_RESULT_STORAGE_BLOCK", "PREFECT_RESULTS_DEFAULT_STORAGE_BLOCK"],
  ["PREFECT_DEFAULT_WORK_POOL_NAME", "PREFECT_DEPLOYMENTS_DEFAULT_WORK_POOL_NAME"],
  ["PREFECT_EXPERIMENTAL_WARN", "PREFECT_EXPERIMENTS_WARN"],
  ["PREFECT_EXPERIMENTS_PLUGINS_ALLOW", "PREFECT_PLUGINS_ALLOW"],
  ["PREFECT_EXPERIMENTS_PLUGINS_DENY", "PREFECT_PLUGINS_DENY"],
  ["PREFECT_EXPERIMENTS_PLUGINS_ENABLED", "PREFECT_PLUGINS_ENABLED"],
  ["PREFECT_EXPERIMENTS_PLUGINS_SAFE_MODE", "PREFECT_PLUGINS_SAFE_MODE"],
  ["PREFECT_EXPERIMENTS_PLUGINS_SETUP_TIMEOUT_SECONDS", "PREFECT_PLUGINS_SETUP_TIMEOUT_SECONDS"],
  ["PREFECT_EXPERIMENTS_PLUGINS_STRICT", "PREFECT_PLUGINS_STRICT"],
  ["PREFECT_FLOW_DEFAULT_RETRIES", "PREFECT_FLOWS_DEFAULT_RETRIES"],
  ["PREFECT_FLOW_DEFAULT_RETRY_DELAY_SECONDS", "PREFECT_FLOWS_DEFAULT_RETRY_DELAY_SECONDS"],
  ["PREFECT_LOCAL_STORAGE_PATH", "PREFECT_RESULTS_LOCAL_STORAGE_PATH"],
  ["PREFECT_LOGGING_INTERNAL_LEVEL", "PREFECT_INTERNAL_LOGGING_LEVEL"],
  ["PREFECT_LOGGING_SETTINGS_PATH", "PREFECT_LOGGING_CONFIG_PATH"],
  ["PREFECT_RUNNER_HEARTBEAT_FREQUENCY", "PREFECT_FLOWS_HEARTBEAT_FREQUENCY"],
  ["PREFECT_TASK_DEFAULT_RETRIES", "PREFECT_TASKS_DEFAULT_RETRIES"],
  ["PREFECT_TASK_DEFAULT_RETRY_DELAY_SECONDS", "PREFECT_TASKS_DEFAULT_RETRY_DELAY_SECONDS"],
  ["PREFECT_TASK_RUNNER_THREAD_POOL_MAX_WORKERS", "PREFECT_TASKS_RUNNER_THREAD_POOL_MAX_WORKERS"],
  ["PREFECT_TASK_SCHEDULING_DEFAULT_STORAGE_BLOCK", "PREFECT_TASKS_SCHEDULING_DEFAULT_STORAGE_BLOCK"],
  ["PREFECT_TASK_SCHEDULING_DELETE_FAILED_SUBMISSIONS", "PREFECT_TASKS_SCHEDULING_DELETE_FAILED_SUBMISSIONS"],
]);

/** Names that look like settings and are none: the choice of a profile, and what a worker tells its own children. */
const NO_SETTING = /^PREFECT_(_|PROFILE$)/;

/**
 * Every Prefect setting that is set anywhere, as variables for a flow run (protocol §3.4). Text is handed on as it
 * stood; other values as Python would write them. A setting that is known by an older name, too, gets its value under
 * each name in use, so that engines of every version agree on it.
 *
 * @param layers highest precedence first
 */
export function collectPrefectSettings(
  layers: readonly Layer[],
  homeDir: string,
): Readonly<Record<string, string>> {
  const winners = new Map<string, Entry>();
  const namesInUse = new Map<string, Set<string>>();
  for (const layer of layers) {
    const own = [...layer].filter(([name]) => name.startsWith("PREFECT_") && !NO_SETTING.test(name));
    // In one and the same source the newer name wins.
    for (const [name, entry] of own.sort(
      ([a], [b]) => Number(NEWER_NAMES.has(a)) - Number(NEWER_NAMES.has(b)),
    )) {
      const newest = NEWER_NAMES.get(name) ?? name;
      namesInUse.set(newest, (namesInUse.get(newest) ?? new Set([newest])).add(name));
      if (!winners.has(newest)) winners.set(newest, entry);
    }
  }
  const variables: Record<string, string> = {};
  for (const [newest, entry] of winners) {
    const text = toText(newest, entry, homeDir);
    for (const name of namesInUse.get(newest) ?? []) variables[name] = text;
  }
  return variables;
}

const PATH_NAMES: ReadonlySet<string> = new Set(
  SETTING_ENTRIES.filter(({ setting }) => setting.type === filePath).map(({ name }) => name),
);

function toText(name: string, { raw, baseDir, isOurs }: Entry, homeDir: string): string {
  // Relative to our file, which the flow run does not know.
  if (isOurs === true && PATH_NAMES.has(name)) return filePath.parse(raw, { baseDir, homeDir })?.value ?? "";
  return writeForPython(raw, name);
}

function writeForPython(raw: unknown, name: string): string {
  if (typeof raw === "string") return raw;
  if (typeof raw === "boolean") return raw ? "True" : "False";
  if (typeof raw === "bigint") return String(raw);
  if (raw instanceof Date) return raw.toISOString();
  // Prefect reads lists of names, and these codes, with commas between them; other lists as JSON.
  const isPlainList =
    Array.isArray(raw) &&
    (name === "PREFECT_CLIENT_RETRY_EXTRA_CODES" || raw.every((part) => typeof part === "string"));
  if (isPlainList) return raw.join(",");
  return (
    JSON.stringify(raw, (_, value: unknown) => (typeof value === "bigint" ? Number(value) : value)) ??
    String(raw)
  );
}
