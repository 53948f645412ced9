import { readLogs } from "../../../api/manage/flow-runs.ts";
import { WorkerError } from "../../../errors.ts";
import { stringifyJson } from "../../../json/stringify.ts";
import { addApiAction } from "../../api-command.ts";
import { logText } from "../../log-lines.ts";
import { wholeNumber } from "../../numbers.ts";
import { WATCH_HELP, watchRun } from "../../watch.ts";
import { getFlowRun } from "./lookup.ts";

import type { Command } from "commander";

import type { Caller } from "../../../api/calls.ts";
import type { LogLine } from "../../../api/manage/flow-runs.ts";
import type { WithJson } from "../../../api/manage/resource.ts";
import type { FlowRun } from "../../../api/types.ts";
import type { ApiCall, CommandContext } from "../../api-command.ts";

interface LogFlags {
  readonly head?: boolean;
  readonly tail?: boolean;
  readonly numLogs?: number;
  readonly reverse?: boolean;
  readonly follow?: boolean;
}

const DEFAULT_COUNT = 20;
const PAGE = 200;

const HELP = `
With --follow --json each line is one JSON object. ${WATCH_HELP.trim()}

Examples:
  $ lighterman flow-run logs 0198a3 --tail
  $ lighterman flow-run logs proud-otter --follow
`;

/** `flow-run logs`, as `prefect flow-run logs`, and --follow. */
export function addLogsCommand(group: Command, context: CommandContext): void {
  const logs = group
    .command("logs <RUN>")
    .description("print the log of a flow run")
    .option("-h, --head", `only the first lines (${DEFAULT_COUNT})`)
    .option("-t, --tail", `only the last lines (${DEFAULT_COUNT})`)
    .option("-n, --num-logs <N>", "how many lines", wholeNumber)
    .option("-r, --reverse", "the latest line first")
    .option("-f, --follow", "go on until the run ends")
    .addHelpText("after", HELP);
  addApiAction(logs, context, async (call: ApiCall<LogFlags>, reference) => {
    checkFlags(call.flags);
    const run = await getFlowRun(call.api, reference);
    return call.flags.follow === true ? follow(call, run) : print(call, run);
  });
}

function checkFlags({ head, tail, follow, reverse, numLogs }: LogFlags): void {
  if (head === true && tail === true) {
    throw new WorkerError("USAGE", "--head and --tail exclude each other");
  }
  if (follow === true && (head === true || tail === true || reverse === true || numLogs !== undefined)) {
    throw new WorkerError("USAGE", "--follow shows the whole log, from its first line", {
      hint: "Leave out --head, --tail, --num-logs and --reverse.",
    });
  }
}

async function follow(call: ApiCall<LogFlags>, run: FlowRun): Promise<number> {
  const { io, output } = call;
  return watchRun(call, run, {
    onNews(news) {
      if (news.kind !== "log") return;
      const text = output.isJson ? stringifyJson(news.line.json) : logText(news.line, run.name, output.paint);
      io.stdout.write(`${text}\n`);
    },
  });
}

async function print({ api, io, output, flags }: ApiCall<LogFlags>, run: FlowRun): Promise<number> {
  const { head, tail, numLogs, reverse } = flags;
  const isCounted = head === true || tail === true || numLogs !== undefined;
  const lines: WithJson<LogLine>[] = [];
  await eachPage(
    api,
    run,
    {
      count: isCounted ? (numLogs ?? DEFAULT_COUNT) : Infinity,
      sort: tail === true || reverse === true ? "TIMESTAMP_DESC" : "TIMESTAMP_ASC",
    },
    (page) => {
      // What need not be turned round is shown as it comes.
      if (tail === true || output.isJson) lines.push(...page);
      else show(page);
    },
  );
  if (tail === true && reverse !== true) lines.reverse();
  if (output.isJson) output.json(lines.map(({ json }) => json));
  else show(lines);
  return 0;

  function show(some: readonly LogLine[]): void {
    for (const line of some) io.stdout.write(`${logText(line, run.name, output.paint)}\n`);
  }
}

async function eachPage(
  api: Caller,
  { id: flowRunId }: FlowRun,
  { count, sort }: { readonly count: number; readonly sort: "TIMESTAMP_ASC" | "TIMESTAMP_DESC" },
  onPage: (page: readonly WithJson<LogLine>[]) => void,
): Promise<void> {
  for (let offset = 0; offset < count; offset += PAGE) {
    const limit = Math.min(PAGE, count - offset);
    const page = await readLogs(api, { flowRunId, sort, limit, offset });
    onPage(page);
    if (page.length < limit) break;
  }
}
