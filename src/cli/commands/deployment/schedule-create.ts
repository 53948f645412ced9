import { createSchedule, deleteSchedule, listSchedules } from "../../../api/manage/deployments.ts";
import { WorkerError } from "../../../errors.ts";
import { addApiAction } from "../../api-command.ts";
import { addConfirmFlags, confirm } from "../../confirm.ts";
import { scheduleOf } from "../../schedule-flags.ts";
import { fullName, getDeployment } from "./lookup.ts";

import type { Command } from "commander";

import type { ApiCall, CommandContext } from "../../api-command.ts";
import type { ConfirmFlags } from "../../confirm.ts";
import type { ScheduleFlags } from "../../schedule-flags.ts";

interface CreateFlags extends ConfirmFlags, Omit<ScheduleFlags, "dayOr"> {
  /** False with --no-day_or. */
  readonly day_or?: boolean;
  /** False with --no-active. */
  readonly active?: boolean;
  readonly replace?: boolean;
}

/** `deployment schedule create`, as `prefect deployment schedule create`. */
export function addCreateScheduleCommand(group: Command, context: CommandContext): void {
  const create = group
    .command("create <DEPLOYMENT>")
    .description("give a deployment a schedule")
    .option("--cron <LINE>", "cron line, such as '0 9 * * mon-fri'")
    .option("--interval <DURATION>", "time between two runs: seconds, 1h30m, HH:MM:SS or ISO 8601")
    .option("--rrule <RULE>", "rule of RFC 5545, or a JSON object with rrule and timezone")
    .option("--anchor-date <TIME>", "instant from which intervals count")
    .option("--timezone <ZONE>", "time zone of the schedule, such as Europe/Vienna")
    .option("--no-day_or", "both day fields of a cron line must hold, not either of them")
    .option("--no-active", "create it paused")
    .option("--replace", "delete the deployment's other schedules");
  addConfirmFlags(create);
  addApiAction(create, context, async ({ api, io, output, flags }: ApiCall<CreateFlags>, name) => {
    const dayOr = flags.day_or === false ? { dayOr: false } : {};
    const schedule = scheduleOf({ ...flags, ...dayOr });
    if (typeof schedule["interval"] === "string") {
      throw new WorkerError("USAGE", "--interval must be seconds, or a duration such as 1h30m");
    }
    const deployment = await getDeployment(api, name);
    const old = flags.replace === true ? await listSchedules(api, deployment.id) : [];
    const question = `Replace ${old.length} schedules of '${fullName(deployment)}'?`;
    if (old.length > 0 && !(await confirm(io, flags, question))) return 1;
    for (const { id } of old) await deleteSchedule(api, deployment.id, id);
    const [created] = await createSchedule(api, deployment.id, schedule, flags.active !== false);
    const done = `Created a schedule for '${fullName(deployment)}'.`;
    output.done(created?.json ?? {}, output.paint("green", done));
    return 0;
  });
}
