import { addSettingFlags } from "../../config/flags.ts";
import { WorkerError } from "../../errors.ts";
import {
  findRecipe,
  guessRecipe,
  lookAround,
  PREFECT_VERSION,
  prefectIgnore,
  prefectYamlOf,
  writeFiles,
} from "../../project/init.ts";
import { RECIPES } from "../../project/recipes.ts";
import { environmentWith } from "../../worker/environment.ts";
import { collect } from "../api-command.ts";
import { terminalOf } from "../confirm.ts";

import { Option } from "commander";

import type { Command } from "commander";

import type { FlagValues } from "../../config/flags.ts";
import type { Recipe } from "../../project/recipes.ts";
import type { CommandContext } from "../api-command.ts";
import type { Io } from "../io.ts";

const HELP = `
Writes a prefect.yaml and a .prefectignore for this directory, in place of \`prefect init\`. Files that are there already stay as they are.
Without --recipe one is guessed from what is here: a git remote, a Dockerfile.

Recipes:
${RECIPES.map(({ name, description, required }) => {
  const fields = Object.keys(required).map((field) => `--field ${field}=…`);
  return `  ${name.padEnd(13)} ${description}${fields.length === 0 ? "" : `  (${fields.join(" ")})`}`;
}).join("\n")}

Examples:
  $ lighterman init
  $ lighterman init --recipe s3 --field bucket=my-bucket
`;

interface InitFlags extends FlagValues {
  readonly name?: string;
  readonly recipe?: string;
  readonly field?: readonly string[];
  readonly prompt?: boolean;
}

/** `lighterman init`, with the words of `prefect init`. */
export function addInitFlags(init: Command, { io, finish }: CommandContext): void {
  init
    .option("--name <NAME>", "name of the project (default: the directory's)")
    .option("--recipe <RECIPE>", "how the code is stored; see below")
    .option("-f, --field <KEY=VALUE>", "a field of the recipe (repeatable)", collect)
    // Before its opposite, which would be the default else.
    .addOption(new Option("--prompt").hideHelp())
    .option("--no-prompt", "never ask: refuse where something is missing")
    .addHelpText("after", HELP);
  addSettingFlags(init, ["log"]);
  init.action(async (flags: InitFlags) => {
    const { signal } = new AbortController();
    const terminal = terminalOf(io, flags);
    const env = environmentWith(io.env, {});
    const surroundings = await lookAround({ cwd: io.cwd, env, signal });
    const recipe =
      flags.recipe === undefined
        ? ((await chooseRecipe(terminal)) ?? guessRecipe(surroundings))
        : findRecipe(flags.recipe);
    const isGuess = flags.recipe === undefined && terminal === undefined;
    const given = fieldsOf(flags.field ?? []);
    const extra = Object.keys(given).filter((field) => !Object.hasOwn(recipe.required, field));
    if (extra.length > 0 && flags.recipe !== undefined) {
      io.stderr.write(
        `Warning: the recipe '${recipe.name}' asks for no ${extra.join(", ")}; used where a placeholder of that name stands.\n`,
      );
    }
    const fields = await completeFields(recipe, given, { terminal, isGuess });
    const options = { cwd: io.cwd, env, signal, name: flags.name, fields, version: PREFECT_VERSION };
    const files = {
      ".prefectignore": prefectIgnore(),
      "prefect.yaml": prefectYamlOf(recipe, surroundings, options),
    };
    const written = await writeFiles(io.cwd, files, async (name) => {
      if (name !== "prefect.yaml" || terminal === undefined) return false;
      const prompts = await import("@clack/prompts");
      const message = "There is a prefect.yaml already. Write a new one over it?";
      const answer = await prompts.confirm({ message, initialValue: false, ...terminal });
      if (prompts.isCancel(answer)) throw new WorkerError("DEPLOY_REFUSED", "Cancelled; nothing was written");
      return answer;
    });
    io.stdout.write(
      written.length === 0
        ? "No new files: prefect.yaml and .prefectignore are there already.\n"
        : `Created project in ${surroundings.directory} (recipe ${recipe.name}) with the following new files:\n${written.map((name) => `${name}\n`).join("")}`,
    );
    finish(0);
  });
}

type Terminal = NonNullable<ReturnType<Io["terminal"]>>;

/** Undefined: as it looks best. */
async function chooseRecipe(terminal: Terminal | undefined): Promise<Recipe | undefined> {
  if (terminal === undefined) return undefined;
  const prompts = await import("@clack/prompts");
  const chosen = await prompts.select({
    message: "How is the flows' code stored?",
    options: [
      { value: "", label: "as it looks best here" },
      ...RECIPES.map(({ name, description }) => ({ value: name, label: name, hint: description })),
    ],
    ...terminal,
  });
  if (prompts.isCancel(chosen)) throw new WorkerError("DEPLOY_REFUSED", "Cancelled; nothing was written");
  return chosen === "" ? undefined : findRecipe(chosen);
}

/** Asks for what the recipe needs; where nobody can be asked, it is refused. A guessed recipe leaves its placeholders. */
async function completeFields(
  recipe: Recipe,
  given: Readonly<Record<string, string>>,
  { terminal, isGuess }: { readonly terminal: Terminal | undefined; readonly isGuess: boolean },
): Promise<Readonly<Record<string, string>>> {
  const missing = Object.entries(recipe.required).filter(([field]) => given[field] === undefined);
  if (missing.length === 0 || isGuess) return given;
  if (terminal === undefined) {
    throw new WorkerError(
      "DEPLOY_REFUSED",
      `The recipe '${recipe.name}' needs ${missing.map(([field, what]) => `${field} (${what})`).join(" and ")}`,
      { hint: `Give ${missing.map(([field]) => `--field ${field}=…`).join(" ")}. Nothing was written.` },
    );
  }
  const prompts = await import("@clack/prompts");
  const answers: Record<string, string> = { ...given };
  for (const [field, what] of missing) {
    const answer = await prompts.text({
      message: `${field}: ${what}`,
      validate: (value) => (value === undefined || value.trim() === "" ? "It is needed." : undefined),
      ...terminal,
    });
    if (prompts.isCancel(answer)) throw new WorkerError("DEPLOY_REFUSED", "Cancelled; nothing was written");
    answers[field] = answer;
  }
  return answers;
}

function fieldsOf(texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    texts.map((text) => {
      const equals = text.indexOf("=");
      if (equals < 1) {
        throw new WorkerError("USAGE", `--field '${text}' has no value`, { hint: "Write it as key=value." });
      }
      return [text.slice(0, equals), text.slice(equals + 1)];
    }),
  );
}
