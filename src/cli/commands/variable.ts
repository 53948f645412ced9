import {
  createVariable,
  deleteVariable,
  findVariable,
  listVariables,
  updateVariable,
} from "../../api/manage/variables.ts";
import { textOf } from "../../api/fields.ts";
import { WorkerError } from "../../errors.ts";
import { parseJson } from "../../json/parse.ts";
import { stringifyJson } from "../../json/stringify.ts";
import { addApiAction, collect } from "../api-command.ts";
import { addConfirmFlags, confirm } from "../confirm.ts";
import { notFound } from "../identify.ts";
import { wholeNumber } from "../numbers.ts";
import { relativeTime } from "../times.ts";

import type { Command } from "commander";

import type { Caller } from "../../api/calls.ts";
import type { WithJson } from "../../api/manage/resource.ts";
import type { Variable } from "../../api/manage/variables.ts";
import type { Json } from "../../json/value.ts";
import type { ApiCall, CommandContext } from "../api-command.ts";
import type { ConfirmFlags } from "../confirm.ts";
import type { Column } from "../table.ts";

interface SetFlags {
  readonly overwrite?: boolean;
  readonly tag?: readonly string[];
}

const DEFAULT_LIMIT = 100;

/** `lighterman variable`, with the words of `prefect variable` (prefect/cli/variable.py). */
export function addVariableCommands(group: Command, context: CommandContext): void {
  const set = group
    .command("set <NAME> <VALUE>")
    .description("set a variable; VALUE is JSON or text")
    .option("--overwrite", "change the variable if it is there")
    .option("--tag <TAG>", "tag of the variable (repeatable)", collect);
  addApiAction(set, context, async ({ api, output, flags }: ApiCall<SetFlags>, name, value) => {
    const variable = { name, value: jsonOrText(value), tags: flags.tag ?? [] };
    const existing = await findVariable(api, name);
    if (existing !== null && flags.overwrite !== true) {
      throw new WorkerError("USAGE", `There is a variable '${name}' already`, {
        hint: "Use --overwrite to change it.",
      });
    }
    if (existing === null) await createVariable(api, variable);
    else await updateVariable(api, variable);
    output.done((await getVariable(api, name)).json, output.paint("green", `Set variable '${name}'.`));
  });

  const get = group.command("get <NAME>").description("print the value of a variable, as JSON");
  addApiAction(get, context, async ({ api, io, output }, name) => {
    const variable = await getVariable(api, name);
    if (output.isJson) output.json(variable.json);
    else io.stdout.write(`${stringifyJson(variable.value)}\n`);
  });

  const inspect = group.command("inspect <NAME>").description("show everything about a variable");
  addApiAction(inspect, context, async ({ api, output }, name) => {
    output.inspect((await getVariable(api, name)).json);
  });

  const ls = group
    .command("ls")
    .description("list variables by name")
    .option("--limit <N>", `how many at most (default: ${DEFAULT_LIMIT})`, wholeNumber);
  addApiAction(ls, context, async ({ api, output, flags }: ApiCall<{ limit?: number }>) => {
    const variables = await listVariables(api, flags.limit ?? DEFAULT_LIMIT);
    output.list(variables, columns(Date.now()), "There are no variables.");
  });

  const unset = group.command("unset <NAME>").alias("delete").description("delete a variable");
  addConfirmFlags(unset);
  addApiAction(unset, context, async ({ api, io, output, flags }: ApiCall<ConfirmFlags>, name) => {
    const variable = await getVariable(api, name);
    if (!(await confirm(io, flags, `Unset variable '${name}'?`))) return 1;
    await deleteVariable(api, name);
    output.done(variable.json, output.paint("green", `Unset variable '${name}'.`));
    return 0;
  });
}

async function getVariable(api: Caller, name: string): Promise<WithJson<Variable>> {
  const variable = await findVariable(api, name);
  if (variable !== null) return variable;
  throw notFound(
    name,
    (await listVariables(api)).map((each) => each.name),
    { noun: "variable", listedBy: "lighterman variable ls" },
  );
}

/** As `prefect variable set` reads it: what is no JSON is text. */
function jsonOrText(text: string): Json {
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}

function columns(nowMs: number): readonly Column<WithJson<Variable>>[] {
  return [
    { title: "Name", value: ({ name }) => name, style: "blue", weight: 2 },
    { title: "Value", value: ({ value }) => stringifyJson(value) },
    { title: "Tags", value: ({ tags }) => tags.join(", ") },
    { title: "Updated", value: ({ json }) => relativeTime(textOf(json, "updated"), nowMs), weight: 0 },
  ];
}
