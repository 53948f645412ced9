import { randomUUID } from "node:crypto";

import { ApiError } from "../../../api/errors.ts";
import { createFlowRun } from "../../../api/manage/deployments.ts";
import { mapOf } from "../../../api/fields.ts";
import { WorkerError, coerceError } from "../../../errors.ts";
import { mergeObjects, keysOf } from "../../../json/object.ts";
import { parseJson } from "../../../json/parse.ts";
import { stringifyJson } from "../../../json/stringify.ts";
import { isJsonObject } from "../../../json/value.ts";
import { addApiAction, collect } from "../../api-command.ts";
import { parseDuration } from "../../duration.ts";
import { readText } from "../../io.ts";
import { readKeyValues } from "../../key-values.ts";
import { closest } from "../../../project/closest.ts";
import { wholeNumber } from "../../numbers.ts";
import { parseStartTime } from "../../start-time.ts";
import { localTime, relativeTime } from "../../times.ts";
import { WATCH_HELP, watchRun } from "../../watch.ts";
import { fullName, getNamedDeployment } from "./lookup.ts";
import { fillRunName } from "./run-name.ts";

import type { Command } from "commander";

import type { NamedDeployment } from "../../../api/manage/deployments.ts";
import type { WithJson } from "../../../api/manage/resource.ts";
import type { FlowRun } from "../../../api/types.ts";
import type { Json, JsonObject } from "../../../json/value.ts";
import type { ApiCall, CommandContext } from "../../api-command.ts";

interface RunFlags {
  readonly id?: string;
  readonly param?: readonly string[];
  readonly params?: string;
  readonly jobVariable?: readonly string[];
  readonly tag?: readonly string[];
  readonly startIn?: string;
  readonly startAt?: string;
  readonly flowRunName?: string;
  readonly name?: string;
  readonly watch?: boolean;
  readonly watchTimeout?: number;
}

const HELP = `
A VALUE is JSON, or else text. TIME is ISO 8601 or such as 17:30, 5:30pm, tomorrow 9am, friday 18:00, each with a zone if you like
(2026-12-01 09:00 Europe/Vienna, 9:00Z), else in this machine's time.
With --watch the exit status is that of the run's end, see below; with --json the run is printed once, at the end.
${WATCH_HELP.trim()}

Examples:
  $ lighterman deployment run my-flow/nightly -p day=2026-11-25 -p 'options={"full": true}' --watch
  $ echo '{"day": "2026-11-25"}' | lighterman deployment run my-flow/nightly --params - --start-in "2 hours"
`;

/** `deployment run`, as `prefect deployment run`. */
export function addRunCommand(group: Command, context: CommandContext): void {
  const run = group
    .command("run [DEPLOYMENT]")
    .description("create a flow run of a deployment")
    .option("--id <ID>", "the deployment's id instead of its name")
    .option("-p, --param <NAME=VALUE>", "parameter of the run (repeatable)", collect)
    .option("--params <JSON>", "parameters as a JSON object, - for standard input; --param goes first")
    .option("--job-variable <NAME=VALUE>", "job variable of the run (repeatable)", collect)
    .option("--tag <TAG>", "tag of the run (repeatable)", collect)
    .option("--start-in <DURATION>", 'start after a while, such as "2 hours" or 1h30m')
    .option("--start-at <TIME>", "start at a time")
    .option("--flow-run-name <NAME>", "name of the run; {parameter} stands for a parameter's value")
    .option("--name <NAME>", "short for --flow-run-name")
    .option("--watch", "show states and log live, until the run ends")
    .option("--watch-timeout <SECONDS>", "give up watching after so long", wholeNumber)
    .addHelpText("after", HELP);
  addApiAction(run, context, async (call: ApiCall<RunFlags>, name: string | undefined) => {
    const { api, flags, output } = call;
    const parameters = await readParameters(call);
    const nowMs = Date.now();
    const startMs = startTimeOf(flags, nowMs);
    const deployment = await getNamedDeployment(api, name, flags.id);
    checkParameters(deployment, parameters);
    const created = await create(call, deployment, parameters, new Date(startMs));
    if (flags.watch !== true) {
      output.done(created.json, ...summaryOf(created, deployment, nowMs));
      return 0;
    }
    if (!output.isJson) output.done(created.json, ...summaryOf(created, deployment, nowMs));
    return watchRun(call, created, { timeoutSeconds: flags.watchTimeout });
  });
}

async function readParameters({ io, output, flags }: ApiCall<RunFlags>): Promise<JsonObject> {
  const { params, param = [] } = flags;
  const single = readKeyValues(param, "parameter");
  if (params === undefined) return single;
  const text = params === "-" ? await readText(io.stdin()) : params;
  if (text.trim() === "") throw new WorkerError("USAGE", "Standard input holds no parameters");
  const all = parseObject(text);
  const both = keysOf(single).filter((key) => Object.hasOwn(all, key));
  if (both.length > 0) {
    output.note(`--param is used for ${both.join(", ")}, which --params gives too.`);
  }
  return mergeObjects(all, single);
}

function parseObject(text: string): JsonObject {
  let value: Json;
  try {
    value = parseJson(text);
  } catch (thrown) {
    throw new WorkerError("USAGE", `The parameters are no JSON: ${coerceError(thrown).message}`, {
      cause: thrown,
    });
  }
  if (isJsonObject(value)) return value;
  throw new WorkerError("USAGE", "The parameters must be a JSON object");
}

function startTimeOf({ startIn, startAt }: RunFlags, nowMs: number): number {
  if (startIn !== undefined && startAt !== undefined) {
    throw new WorkerError("USAGE", "--start-in and --start-at exclude each other");
  }
  if (startIn !== undefined) {
    const ms = parseDuration(startIn.replace(/^\s*in\s+/i, ""));
    if (ms !== undefined) return nowMs + ms;
    throw new WorkerError("USAGE", `'${startIn}' is no duration`, {
      hint: 'Write it like "2 hours", "1h30m" or "90 seconds".',
    });
  }
  if (startAt === undefined) return nowMs;
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const found = parseStartTime(startAt, nowMs, timeZone);
  if (found !== undefined) return found;
  throw new WorkerError("USAGE", `'${startAt}' is no time`, {
    hint: 'Write it like 2026-12-01T09:00:00Z, "2026-12-01 09:00 Europe/Vienna", 17:30 or "tomorrow 9am".',
  });
}

/** Only the names: the server checks the values. A deployment without a schema takes any. */
function checkParameters(deployment: NamedDeployment, parameters: JsonObject): void {
  const schema = mapOf(deployment.json, "parameter_openapi_schema");
  if (Object.keys(schema).length === 0) return;
  const known = Object.keys(mapOf(schema, "properties"));
  const unknown = keysOf(parameters).filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  const [first = ""] = unknown;
  const suggestion = closest(first, known);
  throw new WorkerError(
    "USAGE",
    `Deployment '${fullName(deployment)}' has no parameter ${unknown.map((name) => `'${name}'`).join(", ")}`,
    {
      hint:
        known.length === 0
          ? "It takes no parameters."
          : `${suggestion === undefined ? "" : `Did you mean '${suggestion}'? `}It takes ${known.join(", ")}.`,
    },
  );
}

async function create(
  { api, flags }: ApiCall<RunFlags>,
  deployment: NamedDeployment,
  parameters: JsonObject,
  start: Date,
): Promise<WithJson<FlowRun>> {
  const template = flags.flowRunName ?? flags.name;
  const name =
    template === undefined
      ? undefined
      : fillRunName(template, mergeObjects(deployment.parameters, parameters));
  try {
    return await createFlowRun(api, deployment.id, {
      parameters,
      // A call that is tried again makes no second run.
      idempotency_key: randomUUID(),
      job_variables: readKeyValues(flags.jobVariable ?? [], "job variable"),
      state: {
        type: "SCHEDULED",
        name: "Scheduled",
        state_details: { scheduled_time: start.toISOString() },
      },
      ...(flags.tag === undefined ? {} : { tags: flags.tag }),
      ...(name === undefined ? {} : { name }),
    });
  } catch (error) {
    if (!(error instanceof ApiError) || (error.status !== 409 && error.status !== 422)) throw error;
    throw new WorkerError("REFUSED", `No run of '${fullName(deployment)}' was created: ${error.detail}`, {
      cause: error,
    });
  }
}

function summaryOf(run: WithJson<FlowRun>, deployment: NamedDeployment, nowMs: number): readonly string[] {
  const start = run.expected_start_time ?? new Date(nowMs).toISOString();
  const isNow = Math.abs(Date.parse(start) - nowMs) < 1000;
  return [
    `Created flow run '${run.name}' of deployment '${fullName(deployment)}'.`,
    `  ID:             ${run.id}`,
    `  Parameters:     ${stringifyJson(run.parameters)}`,
    `  Job variables:  ${stringifyJson(run.job_variables)}`,
    `  Start:          ${localTime(start)} (${isNow ? "now" : relativeTime(start, nowMs)})`,
  ];
}
