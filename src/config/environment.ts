import type { Layer } from "./layer.ts";

export type EnvironmentVariables = Readonly<Record<string, string | undefined>>;

/** Python reads names of settings in any case (pydantic-settings). */
const SETTING_NAME = /^(PREFECT|LIGHTERMAN)_\w+$/i;

/** The settings among a set of variables; `describe` names the source of one of them. */
export function environmentLayer(
  env: EnvironmentVariables,
  baseDir: string,
  describe: (name: string) => string,
): Layer {
  const layer = new Map<string, { raw: string; source: string; baseDir: string }>();
  for (const [name, raw] of Object.entries(env)) {
    if (raw === undefined || !SETTING_NAME.test(name)) continue;
    layer.set(name.toUpperCase(), { raw, source: describe(name), baseDir });
  }
  return layer;
}
