import { addSettingFlags } from "../../config/flags.ts";
import { jsonSchema } from "../../project/schema.ts";
import { runProjectCheck } from "../project-session.ts";

import type { Command } from "commander";

import type { FlagValues } from "../../config/flags.ts";
import type { CommandContext } from "../api-command.ts";

const CHECK_HELP = `
Looks at prefect.yaml without a server: its form, schedules, triggers, time zones, entrypoint files and their functions, and
references to steps. Nothing of the project is run. Exit status 1 when something is wrong; warnings alone are fine.

As a hook for pre-commit:
  - repo: local
    hooks:
      - {id: prefect-yaml, name: prefect.yaml, entry: lighterman project check, language: system, pass_filenames: false}
`;

const SCHEMA_HELP = `
Prints the JSON Schema of prefect.yaml: completion, help and marked mistakes in every editor with the YAML language server (VS Code's
YAML extension, Neovim, Helix, Emacs, …). The package holds it too, as prefect.schema.json. Keep it beside prefect.yaml:
  $ lighterman project schema > prefect.schema.json
and write as the first line of prefect.yaml:
  # yaml-language-server: $schema=prefect.schema.json
`;

export interface ProjectCheckFlags extends FlagValues {
  readonly prefectFile?: string;
  readonly json?: boolean;
}

/** `lighterman project …`: what concerns prefect.yaml alone. */
export function addProjectCommands(project: Command, { io, finish }: CommandContext): void {
  const check = project
    .command("check")
    .description("tell what is wrong in prefect.yaml, without a server")
    .option("--prefect-file <FILE>", "another file than prefect.yaml")
    .option("--json", "print the problems as JSON")
    .addHelpText("after", CHECK_HELP);
  addSettingFlags(check, ["log", "flow"]);
  check.action(async (flags: ProjectCheckFlags) => {
    finish(await runProjectCheck(io, flags));
  });
  project
    .command("schema")
    .description("print the JSON Schema of prefect.yaml")
    .addHelpText("after", SCHEMA_HELP)
    .action(() => {
      io.stdout.write(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
    });
}
