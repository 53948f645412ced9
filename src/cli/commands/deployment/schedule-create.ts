import { createSchedule, deleteSchedule, listSchedules } from "../../../api/manage/deployments.ts";
import { WorkerError } from "../../../errors.ts";
import { parseJson } from "../../../json/parse.ts";
import { isJsonObject } from "../../../json/value.ts";
import { addApiAction } from "../../api-command.ts";
import { addConfirmFlags, confirm } from "../../confirm.ts";
import { fullName, getDeployment } from "./lookup.ts";

import type { Command } from "commander";

import type { JsonObject } from "../../../json/value.ts";
import type { ApiCall, CommandContext } from "../../api-command.ts";
import type { ConfirmFlags } from "../../confirm.ts";

interface CreateFlags extends ConfirmFlags {
  readonly cron?: string;
  readonly interval?: string;
  readonly rrule?: string;
  readonly anchorDate?: string;
  readonly timezone?: string;
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
    .option("--interval <SECONDS>", "seconds between two runs")
    .option("--rrule <RULE>", "rule of RFC 5545, or a JSON object with rrule and timezone")
    .option("--anchor-date <TIME>", "instant from which intervals count")
    .option("--timezone <ZONE>", "time zone of the schedule, such as Europe/Vienna")
    .option("--no-day_or", "both day fields of a cron line must hold, not either of them")
    .option("--no-active", "create it paused")
    .option("--replace", "delete the deployment's other schedules");
  addConfirmFlags(create);
  addApiAction(create, context, async ({ api, io, output, flags }: ApiCall<CreateFlags>, name) => {
    const schedule = scheduleOf(flags);
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

function scheduleOf(flags: CreateFlags): JsonObject {
  const { cron, interval, rrule, anchorDate, timezone } = flags;
  if ([cron, interval, rrule].filter((given) => given !== undefined).length !== 1) {
    throw new WorkerError("USAGE", "Exactly one of --cron, --interval and --rrule makes a schedule");
  }
  if (anchorDate !== undefined && interval === undefined) {
    throw new WorkerError("USAGE", "--anchor-date goes with --interval");
  }
  const zone = timezone === undefined ? {} : { timezone };
  if (cron !== undefined) return { cron, day_or: flags.day_or !== false, ...zone };
  if (interval === undefined) return { ...ruleOf(rrule ?? ""), ...zone };
  if (!(Number(interval) > 0)) throw new WorkerError("USAGE", "--interval must be a number of seconds");
  // As Prefect's client fills them in.
  return {
    interval: Number(interval),
    anchor_date: anchorDate ?? new Date().toISOString(),
    timezone: timezone ?? "UTC",
  };
}

function ruleOf(text: string): JsonObject {
  if (!text.trim().startsWith("{")) {
    if (text.includes("TZID")) {
      throw new WorkerError("USAGE", "A rule with TZID must say its time zone apart", {
        hint: "Give --timezone, and leave TZID out.",
      });
    }
    return { rrule: text };
  }
  const value = parseJson(text);
  if (isJsonObject(value) && typeof value["rrule"] === "string") return value;
  throw new WorkerError(
    "USAGE",
    'The JSON of --rrule must be such as {"rrule": "FREQ=DAILY", "timezone": "UTC"}',
  );
}
