import { InvalidArgumentError } from "commander";

import { WorkerError } from "../../errors.ts";
import { localTimeText } from "../../schedules/date-time.ts";
import { readSchedule } from "../../schedules/schedule.ts";
import { offsetAt } from "../../schedules/zone.ts";
import { addOutputFlags } from "../api-command.ts";
import { wholeNumber } from "../numbers.ts";
import { createOutput } from "../output.ts";
import { scheduleOf } from "../schedule-flags.ts";
import { parseStartTime } from "../start-time.ts";
import { relativeTime } from "../times.ts";

import type { Command } from "commander";

import type { JsonObject } from "../../json/value.ts";
import type { CommandContext } from "../api-command.ts";
import type { Io } from "../io.ts";
import type { OutputFlags } from "../output.ts";
import type { ScheduleFlags } from "../schedule-flags.ts";
import type { Column } from "../table.ts";

const HELP = `
Dates are those of Prefect's own schedules, on the clock of the time zone, with its changes to and from summer time (shown in
yellow). No server is asked. Exit status 1 for a schedule that makes no sense, with the reason and what would be right.

Examples:
  $ lighterman schedule preview --cron "30 6 * * mon-fri" --timezone Europe/Berlin
  $ lighterman schedule preview --cron "0 12 13 * fri" --day-or false --count 3
  $ lighterman schedule preview --interval 1h30m --anchor-date 2026-01-01T00:15:00Z
  $ lighterman schedule preview --rrule "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;BYHOUR=17;BYMINUTE=0" --start 2027-01-01
`;

const DEFAULT_COUNT = 10;

interface PreviewFlags extends ScheduleFlags, OutputFlags {
  readonly start?: string;
  readonly count: number;
}

interface Coming {
  readonly local: string;
  readonly utc: string;
  readonly relative: string;
  /** The clocks have been changed since the one before. */
  readonly isShifted: boolean;
  readonly offset: number;
  readonly json: JsonObject;
}

const COLUMNS: readonly Column<Coming>[] = [
  {
    title: "Local time",
    value: ({ local }) => local,
    style: ({ isShifted }) => (isShifted ? "yellow" : "reset"),
    weight: 0,
  },
  { title: "UTC", value: ({ utc }) => utc, style: "cyan", weight: 0 },
  { title: "From now", value: ({ relative }) => relative, style: "gray" },
];

/** `lighterman schedule`: schedules without a server. */
export function addScheduleCommands(group: Command, { io, finish }: CommandContext): void {
  const preview = group
    .command("preview")
    .description("print the coming dates of a schedule")
    .option("--cron <LINE>", "cron line, such as '0 9 * * mon-fri' or @daily")
    .option("--interval <DURATION>", "time between two runs: seconds, 1h30m, HH:MM:SS or ISO 8601")
    .option("--rrule <RULE>", "rule of RFC 5545, or a JSON object with rrule and timezone")
    .option("--timezone <ZONE>", "time zone of the schedule, such as Europe/Berlin (default: UTC)")
    .option("--day-or <BOOL>", "false: both day fields of a cron line must match, not either", trueOrFalse)
    .option("--anchor-date <TIME>", "instant from which an interval counts (default: now)")
    .option("--start <TIME>", "dates from this time on, also as '9am' or 'tomorrow' (default: now)")
    .option("--count <N>", "how many dates", wholeNumber, DEFAULT_COUNT)
    .addHelpText("after", HELP);
  addOutputFlags(preview);
  preview.action((flags: PreviewFlags) => {
    finish(runPreview(io, flags));
  });
}

function runPreview(io: Io, flags: PreviewFlags): number {
  const nowMs = Math.floor(Date.now() / 1000) * 1000;
  const schedule = readSchedule(scheduleOf(flags), { nowMs });
  const startMs = flags.start === undefined ? nowMs : parseStartTime(flags.start, nowMs, schedule.zone);
  if (startMs === undefined) {
    throw new WorkerError("USAGE", `--start ${flags.start ?? ""} is no time`, {
      hint: "Write it as 2026-12-01T09:00, 2026-12-01T09:00:00Z, 'tomorrow 9am' or 'in 2 hours'.",
    });
  }
  const coming: Coming[] = [];
  for (const instant of flags.count === 0 ? [] : schedule.instants(startMs)) {
    coming.push(comingAt(instant, offsetAt(schedule.zone, instant), nowMs, coming.at(-1)));
    if (coming.length === flags.count) break;
  }
  const output = createOutput(io, flags);
  output.list(coming, COLUMNS, "No date comes any more.");
  if (coming.length > 0 && coming.length < flags.count) output.note("No further date comes.");
  return 0;
}

function comingAt(instant: number, offset: number, nowMs: number, before: Coming | undefined): Coming {
  const local = localTimeText(instant, offset);
  const utc = new Date(instant).toISOString().replace(".000Z", "Z");
  const words = local.replace("T", " ").replace(/[-+]\d\d:\d\d$/, " $&");
  return {
    local: `${weekdayOf(instant + offset)} ${words}`,
    utc,
    relative: relativeTime(utc, nowMs),
    isShifted: before !== undefined && before.offset !== offset,
    offset,
    json: { local, utc },
  };
}

function weekdayOf(wallMs: number): string {
  return new Intl.DateTimeFormat("en", { weekday: "short", timeZone: "UTC" }).format(wallMs);
}

function trueOrFalse(text: string): boolean {
  const word = text.toLowerCase();
  if (["true", "yes", "on", "1"].includes(word)) return true;
  if (["false", "no", "off", "0"].includes(word)) return false;
  throw new InvalidArgumentError("It must be true or false.");
}
