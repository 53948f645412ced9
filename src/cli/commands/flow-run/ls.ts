import { listFlowRuns } from "../../../api/manage/flow-runs.ts";
import { readFlowNames } from "../../../api/manage/deployments.ts";
import { WorkerError } from "../../../errors.ts";
import { addApiAction, collect } from "../../api-command.ts";
import { closest } from "../../../project/closest.ts";
import { wholeNumber } from "../../numbers.ts";
import { runColumns } from "../../run-columns.ts";

import type { Command } from "commander";

import type { JsonObject } from "../../../json/value.ts";
import type { ApiCall, CommandContext } from "../../api-command.ts";

interface ListFlags {
  readonly flowName?: readonly string[];
  readonly limit?: number;
  readonly state?: readonly string[];
  readonly stateType?: readonly string[];
}

const DEFAULT_LIMIT = 15;

const STATE_TYPES: readonly string[] = [
  "SCHEDULED",
  "PENDING",
  "RUNNING",
  "COMPLETED",
  "FAILED",
  "CANCELLED",
  "CRASHED",
  "PAUSED",
  "CANCELLING",
];

/** Names of states that Prefect gives itself; others are a flow's own. */
const STATE_NAMES: readonly string[] = [
  "Scheduled",
  "Pending",
  "Running",
  "Completed",
  "Failed",
  "Cancelled",
  "Crashed",
  "Paused",
  "Cancelling",
  "Suspended",
  "AwaitingRetry",
  "Retrying",
  "Late",
];

const HELP = `
Examples:
  $ lighterman flow-run ls --state Late --state Running
  $ lighterman flow-run ls --state-type FAILED --flow-name my-flow --limit 100 --json
`;

/** `flow-run ls`, as `prefect flow-run ls`. */
export function addListCommand(group: Command, context: CommandContext): void {
  const ls = group
    .command("ls")
    .description("list flow runs, the latest first")
    .option("--flow-name <NAME>", "only runs of this flow (repeatable)", collect)
    .option("--limit <N>", `how many at most (default: ${DEFAULT_LIMIT})`, wholeNumber)
    .option("--state <NAME>", "only runs in a state of this name, such as Late (repeatable)", collect)
    .option("--state-type <TYPE>", "only runs in a state of this type, such as RUNNING (repeatable)", collect)
    .addHelpText("after", HELP);
  addApiAction(ls, context, async ({ api, output, flags }: ApiCall<ListFlags>) => {
    const runs = await listFlowRuns(api, filterOf(flags), flags.limit ?? DEFAULT_LIMIT);
    const flows = output.isJson ? new Map<string, string>() : await readFlowNames(api, runs);
    output.list(runs, runColumns(Date.now(), flows), "There are no such flow runs.");
  });
}

function filterOf({ flowName, state, stateType }: ListFlags): JsonObject {
  const states = {
    ...(state === undefined ? {} : { name: { any_: state.map((name) => knownName(name)) } }),
    ...(stateType === undefined ? {} : { type: { any_: stateType.map((type) => knownType(type)) } }),
  };
  return {
    ...(flowName === undefined ? {} : { flows: { name: { any_: flowName } } }),
    ...(Object.keys(states).length === 0 ? {} : { flow_runs: { state: states } }),
  };
}

/** Prefect's spelling of a state's name, whatever the case; a name that is not Prefect's stays as it is. */
function knownName(name: string): string {
  return STATE_NAMES.find((known) => known.toLowerCase() === name.toLowerCase()) ?? name;
}

function knownType(type: string): string {
  const upper = type.toUpperCase();
  if (STATE_TYPES.includes(upper)) return upper;
  const suggestion = closest(upper, STATE_TYPES);
  throw new WorkerError("USAGE", `'${type}' is no type of state`, {
    hint: `${suggestion === undefined ? "" : `Did you mean ${suggestion}? `}There are ${STATE_TYPES.join(", ")}.`,
  });
}
