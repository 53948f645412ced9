import { ENVIRONMENT_ONLY, SETTING_ENTRIES } from "./settings.ts";

import type { Layer } from "./layer.ts";
import type { Flag, FlagScope } from "./setting.ts";
import type { SettingEntry } from "./settings.ts";

/** What the command line gave, by commander's names (`workQueue`); options that are no settings may be among them. */
export type FlagValues = Readonly<Record<string, unknown>>;

/** One option to declare. */
export interface FlagSpec {
  /** In commander's form: `-q, --work-queue <NAME>`. */
  readonly flags: string;
  /** With default and environment variable. */
  readonly description: string;
  readonly repeatable: boolean;
}

/** The part of commander's Command that is needed here; both its plain and its typed variety have it. */
export interface OptionSink {
  option(flags: string, description: string): unknown;
  option(
    flags: string,
    description: string,
    collect: (value: string, previous: readonly string[] | undefined) => readonly string[],
  ): unknown;
}

const CONFIG_FLAG = "config";

/** The options of the given scopes; "all" brings those of "log", and both bring `--config`. Defaults are only described: they are ours to fill. */
export function settingFlags(scopes: readonly FlagScope[]): readonly FlagSpec[] {
  const wanted: readonly FlagScope[] = scopes.includes("all") ? [...scopes, "log"] : scopes;
  const specs = SETTING_ENTRIES.flatMap((entry) =>
    entry.setting.flag !== undefined && wanted.includes(entry.setting.flag.scope)
      ? describeFlag(entry, entry.setting.flag)
      : [],
  );
  const config = ENVIRONMENT_ONLY.find(({ flag }) => flag !== undefined);
  if (config === undefined || !wanted.includes("log")) return specs;
  return [
    ...specs,
    {
      flags: `--${CONFIG_FLAG} <FILE>`,
      description: `${config.doc} (env ${config.names.join(", ")})`,
      repeatable: false,
    },
  ];
}

/** Declares those options on a command; hand its `opts()` to `loadConfig` as `flags`. */
export function addSettingFlags(command: OptionSink, scopes: readonly FlagScope[]): void {
  for (const { flags, description, repeatable } of settingFlags(scopes)) {
    if (repeatable) command.option(flags, description, (value, previous) => [...(previous ?? []), value]);
    else command.option(flags, description);
  }
}

/** The flag as a user would write it: `--work-queue NAME`. */
export function showFlag({ name, short, metavar }: Flag): string {
  return `${short === undefined ? "" : `-${short}, `}--${name}${metavar === undefined ? "" : ` ${metavar}`}`;
}

/** The settings among the options. */
export function flagLayer(flags: FlagValues, cwd: string): Layer {
  return new Map(
    SETTING_ENTRIES.flatMap(({ name, setting: { flag } }) => {
      const raw = flag === undefined ? undefined : flags[attributeName(flag.name)];
      if (flag === undefined || raw === undefined) return [];
      return [[name, { raw, source: `flag --${raw === false ? "no-" : ""}${flag.name}`, baseDir: cwd }]];
    }),
  );
}

/** The file of `--config`, as given. */
export function configFlag(flags: FlagValues): string | undefined {
  const value = flags[CONFIG_FLAG];
  return typeof value === "string" ? value : undefined;
}

function describeFlag({ name, setting }: SettingEntry, flag: Flag): FlagSpec[] {
  const byDefault = setting.defaultDoc ?? setting.default ?? "none";
  const description = `${setting.doc} (default: ${byDefault}; env ${name})`;
  const short = flag.short === undefined ? "" : `-${flag.short}, `;
  const value = flag.metavar === undefined ? "" : ` <${flag.metavar}>`;
  const specs = [
    { flags: `${short}--${flag.name}${value}`, description, repeatable: flag.repeatable ?? false },
  ];
  if (flag.negatable === true) {
    specs.push({
      flags: `--no-${flag.name}`,
      description: `The opposite of --${flag.name}.`,
      repeatable: false,
    });
  }
  return specs;
}

/** As commander makes it: `work-queue` is `workQueue`. */
function attributeName(flag: string): string {
  return flag.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
