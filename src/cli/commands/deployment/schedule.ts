import {
  activateSchedule,
  deleteSchedule,
  listDeployments,
  listSchedules,
} from "../../../api/manage/deployments.ts";
import { newestFirst } from "../../../api/manage/resource.ts";
import { WorkerError } from "../../../errors.ts";
import { stringifyJson } from "../../../json/stringify.ts";
import { addApiAction } from "../../api-command.ts";
import { addConfirmFlags, confirm } from "../../confirm.ts";
import { pickOne } from "../../identify.ts";
import { fullName, getDeployment } from "./lookup.ts";
import { addCreateScheduleCommand } from "./schedule-create.ts";
import { idColumn } from "../../table.ts";

import type { Command } from "commander";

import type { Caller } from "../../../api/calls.ts";
import type { DeploymentSchedule, NamedDeployment } from "../../../api/manage/deployments.ts";
import type { WithJson } from "../../../api/manage/resource.ts";
import type { ApiCall, CommandContext } from "../../api-command.ts";
import type { ConfirmFlags } from "../../confirm.ts";

type Schedule = WithJson<DeploymentSchedule>;

/** `lighterman deployment schedule`, with the words of `prefect deployment schedule`. */
export function addScheduleCommands(group: Command, context: CommandContext): void {
  const ls = group.command("ls <DEPLOYMENT>").description("list the schedules of a deployment");
  addApiAction(ls, context, async ({ api, output }, name) => {
    const schedules = newestFirst(await listSchedules(api, (await getDeployment(api, name)).id));
    output.list(
      schedules,
      [
        idColumn(),
        { title: "Schedule", value: detailsOf, style: "blue", weight: 2 },
        {
          title: "Active",
          value: ({ active }) => (active ? "yes" : "no"),
          style: ({ active }) => (active ? "green" : "gray"),
          weight: 0,
        },
      ],
      "The deployment has no schedules.",
    );
  });

  addCreateScheduleCommand(group, context);
  for (const [word, isActive] of [
    ["pause", false],
    ["resume", true],
  ] as const) {
    const command = group
      .command(`${word} [DEPLOYMENT] [SCHEDULE]`)
      .description(`${word} a schedule, or --all of all deployments`)
      .option("--all", `${word} the schedules of all deployments`);
    addApiAction(command, context, (call: ApiCall<{ all?: boolean }>, name?: string, id?: string) =>
      call.flags.all === true && name === undefined
        ? activateAll(call, isActive)
        : activateOne(call, isActive, name, id),
    );
  }

  const remove = group.command("delete <DEPLOYMENT> <SCHEDULE>").description("delete a schedule");
  addConfirmFlags(remove);
  addApiAction(remove, context, async ({ api, io, output, flags }: ApiCall<ConfirmFlags>, name, id) => {
    const deployment = await getDeployment(api, name);
    const schedule = await getSchedule(api, deployment, id);
    if (!(await confirm(io, flags, `Delete schedule ${detailsOf(schedule)} of '${fullName(deployment)}'?`))) {
      return 1;
    }
    await deleteSchedule(api, deployment.id, schedule.id);
    output.done(schedule.json, output.paint("green", `Deleted schedule ${schedule.id}.`));
    return 0;
  });

  const clear = group.command("clear <DEPLOYMENT>").description("delete all schedules of a deployment");
  addConfirmFlags(clear);
  addApiAction(clear, context, async ({ api, io, output, flags }: ApiCall<ConfirmFlags>, name) => {
    const deployment = await getDeployment(api, name);
    const schedules = await listSchedules(api, deployment.id);
    if (
      !(await confirm(io, flags, `Delete all ${schedules.length} schedules of '${fullName(deployment)}'?`))
    ) {
      return 1;
    }
    for (const { id } of schedules) await deleteSchedule(api, deployment.id, id);
    if (output.isJson) output.json(schedules.map(({ json }) => json));
    else output.done({}, output.paint("green", `Deleted all schedules of '${fullName(deployment)}'.`));
    return 0;
  });
}

async function activateOne(
  { api, output }: ApiCall<object>,
  isActive: boolean,
  name: string | undefined,
  id: string | undefined,
): Promise<void> {
  if (name === undefined || id === undefined) {
    throw new WorkerError("USAGE", "Which schedule?", {
      hint: "Give a deployment and the id of its schedule, or --all alone.",
    });
  }
  const deployment = await getDeployment(api, name);
  const schedule = await getSchedule(api, deployment, id);
  await activateSchedule(api, deployment.id, schedule.id, isActive);
  const changed = await getSchedule(api, deployment, schedule.id);
  const done = `${isActive ? "Resumed" : "Paused"} schedule ${detailsOf(schedule)} of '${fullName(deployment)}'.`;
  output.done(changed.json, output.paint("green", done));
}

async function activateAll({ api, output }: ApiCall<object>, isActive: boolean): Promise<void> {
  const changed: Schedule[] = [];
  for (const { id } of await listDeployments(api)) {
    for (const schedule of await listSchedules(api, id)) {
      if (schedule.active === isActive) continue;
      await activateSchedule(api, id, schedule.id, isActive);
      changed.push({ ...schedule, json: { ...schedule.json, active: isActive } });
    }
  }
  const done = `${isActive ? "Resumed" : "Paused"} ${changed.length} schedules.`;
  if (output.isJson) output.json(changed.map(({ json }) => json));
  else output.done({}, output.paint("green", done));
}

async function getSchedule(api: Caller, deployment: NamedDeployment, id: string): Promise<Schedule> {
  return pickOne(await listSchedules(api, deployment.id), id, {
    noun: "schedule",
    nameOf: detailsOf,
    listedBy: `lighterman deployment schedule ls ${fullName(deployment)}`,
  });
}

/** Such as `cron: 0 9 * * *`. */
function detailsOf({ schedule }: DeploymentSchedule): string {
  const { cron, interval, rrule, timezone } = schedule;
  const zone = typeof timezone === "string" ? ` (${timezone})` : "";
  if (typeof cron === "string") return `cron: ${cron}${zone}`;
  if (typeof rrule === "string") return `rrule: ${rrule}${zone}`;
  return `interval: ${stringifyJson(interval ?? null)} s${zone}`;
}
