import {
  deleteDeployment,
  findDeployment,
  listDeployments,
  pauseDeployment,
} from "../../../api/manage/deployments.ts";
import { newestFirst } from "../../../api/manage/resource.ts";
import { WorkerError } from "../../../errors.ts";
import { addApiAction } from "../../api-command.ts";
import { addConfirmFlags, confirm } from "../../confirm.ts";
import { fullName, getDeployment, getNamedDeployment } from "./lookup.ts";
import { addRunCommand } from "./run.ts";
import { addScheduleCommands } from "./schedule.ts";
import { idColumn } from "../../table.ts";

import type { Command } from "commander";

import type { NamedDeployment } from "../../../api/manage/deployments.ts";
import type { ApiCall, CommandContext } from "../../api-command.ts";
import type { ConfirmFlags } from "../../confirm.ts";
import type { Column } from "../../table.ts";

interface DeleteFlags extends ConfirmFlags {
  readonly id?: string;
  readonly all?: boolean;
}

const COLUMNS: readonly Column<NamedDeployment>[] = [
  { title: "Name", value: fullName, style: "blue", weight: 3 },
  idColumn(),
  { title: "Work Pool", value: (deployment) => deployment.work_pool_name ?? "", style: "green", weight: 2 },
  {
    title: "Paused",
    value: ({ json }) => (json["paused"] === true ? "yes" : "no"),
    style: ({ json }) => (json["paused"] === true ? "red" : "reset"),
    weight: 0,
  },
];

/** `lighterman deployment`, with the words of `prefect deployment` (prefect/cli/deployment.py), and pause and resume. */
export function addDeploymentCommands(group: Command, context: CommandContext): void {
  group.addHelpText(
    "after",
    "\nDEPLOYMENT is FLOW/NAME, an id, its beginning or end, or a NAME that only one deployment has.\n",
  );
  const ls = group
    .command("ls [FLOW...]")
    .description("list deployments, of all flows or of the named ones")
    .option("--by-created", "the newest first, instead of by name");
  addApiAction(ls, context, async ({ api, output, flags, words }: ApiCall<{ byCreated?: boolean }>) => {
    const deployments = await listDeployments(api, words);
    const sorted =
      flags.byCreated === true
        ? newestFirst(deployments)
        : deployments.sort((a, b) => fullName(a).localeCompare(fullName(b)));
    output.list(sorted, COLUMNS, "There are no deployments.");
  });

  const inspect = group.command("inspect <DEPLOYMENT>").description("show everything about a deployment");
  addApiAction(inspect, context, async ({ api, output }, name) => {
    output.inspect((await getDeployment(api, name)).json);
  });

  addRunCommand(group, context);

  for (const [word, done, isPaused] of [
    ["pause", "Paused", true],
    ["resume", "Resumed", false],
  ] as const) {
    const command = group
      .command(`${word} <DEPLOYMENT>`)
      .description(isPaused ? "make no more runs from a deployment's schedules" : "go on with its schedules");
    addApiAction(command, context, async ({ api, output }, name) => {
      const deployment = await getDeployment(api, name);
      await pauseDeployment(api, deployment.id, isPaused);
      const changed = (await findDeployment(api, deployment.id)) ?? deployment;
      output.done(changed.json, output.paint("green", `${done} deployment '${fullName(deployment)}'.`));
    });
  }

  const remove = group
    .command("delete [DEPLOYMENT]")
    .description("delete a deployment; its runs stay")
    .option("--id <ID>", "the deployment's id instead of its name")
    .option("--all", "delete all deployments");
  addConfirmFlags(remove);
  addApiAction(remove, context, runDelete);

  const schedule = group.command("schedule").description("look after the schedules of a deployment");
  addScheduleCommands(schedule, context);
}

async function runDelete(call: ApiCall<DeleteFlags>, name: string | undefined): Promise<number> {
  const { api, io, flags, output } = call;
  if (flags.all === true && (name ?? flags.id) !== undefined) {
    throw new WorkerError("USAGE", "--all goes without the name or id of a deployment");
  }
  const deployments =
    flags.all === true ? await listDeployments(api) : [await getNamedDeployment(api, name, flags.id)];
  const [first] = deployments;
  const what =
    flags.all !== true && first !== undefined
      ? `deployment '${fullName(first)}'`
      : `all ${deployments.length} deployments`;
  if (!(await confirm(io, flags, `Delete ${what}?`))) return 1;
  for (const { id } of deployments) await deleteDeployment(api, id);
  if (output.isJson && flags.all === true) output.json(deployments.map(({ json }) => json));
  else output.done(first?.json ?? {}, output.paint("green", `Deleted ${what}.`));
  return 0;
}
