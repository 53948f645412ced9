import { addSettingFlags } from "../../config/flags.ts";
import { showValue } from "../../config/issues.ts";
import { addOutputFlags } from "../api-command.ts";
import { createOutput } from "../output.ts";
import { readSettings } from "../session.ts";

import type { Command } from "commander";

import type { FlagValues } from "../../config/flags.ts";
import type { EffectiveSetting } from "../../config/resolve.ts";
import type { JsonObject } from "../../json/value.ts";
import type { CommandContext } from "../api-command.ts";
import type { OutputFlags } from "../output.ts";
import type { Column } from "../table.ts";

interface ShowFlags extends FlagValues, OutputFlags {
  readonly hideDefaults?: boolean;
}

interface ShownSetting {
  readonly key: string;
  readonly value: string;
  readonly source: string;
  readonly isDefault: boolean;
  readonly json: JsonObject;
}

const COLUMNS: readonly Column<ShownSetting>[] = [
  {
    title: "Setting",
    value: ({ key }) => key,
    style: ({ isDefault }) => (isDefault ? "gray" : "cyan"),
    weight: 3,
  },
  { title: "Value", value: ({ value }) => value, style: ({ isDefault }) => (isDefault ? "gray" : "reset") },
  {
    title: "Source",
    value: ({ source }) => source,
    style: ({ isDefault }) => (isDefault ? "gray" : "green"),
  },
];

/** `lighterman config`: the settings as they are; `prefect config set` and the files change them. */
export function addConfigCommands(group: Command, context: CommandContext): void {
  const { io, finish } = context;
  const show = group
    .command("show")
    .alias("view")
    .description("show every setting with its value and where that came from, secrets masked")
    .option("--hide-defaults", "only what is set somewhere");
  addOutputFlags(show);
  addSettingFlags(show, ["all", "flow", "worker", "server"]);
  show.action(async (flags: ShowFlags) => {
    const { settings, warnings, logger } = await readSettings(io, flags);
    for (const warning of warnings) logger.warn(warning);
    const shown = settings
      .filter(({ source }) => flags.hideDefaults !== true || source !== undefined)
      .map(shownOf);
    createOutput(io, flags).list(shown, COLUMNS, "Nothing is set: all settings are at their defaults.");
    finish(0);
  });
}

function shownOf({ key, name, setting, raw, source }: EffectiveSetting): ShownSetting {
  const isDefault = source === undefined;
  const value = raw === undefined ? null : textOf(raw, setting.secret);
  return {
    key,
    value: value ?? setting.defaultDoc ?? "none",
    source: source ?? "default",
    isDefault,
    json: { key, value, source: source ?? "default", environment: name },
  };
}

function textOf(raw: unknown, isSecret: boolean): string {
  const text = showValue(raw, isSecret);
  return typeof raw === "string" ? text.replaceAll(/^"|"$/g, "") : text;
}
