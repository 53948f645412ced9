import { textOf } from "../../api/fields.ts";
import { listFlows } from "../../api/manage/deployments.ts";
import { addApiAction } from "../api-command.ts";
import { wholeNumber } from "../numbers.ts";
import { relativeTime } from "../times.ts";
import { idColumn } from "../table.ts";

import type { Command } from "commander";

import type { ApiCall, CommandContext } from "../api-command.ts";

const DEFAULT_LIMIT = 15;

/** `lighterman flow`, with the words of `prefect flow` (prefect/cli/flow.py). */
export function addFlowCommands(group: Command, context: CommandContext): void {
  const ls = group
    .command("ls")
    .description("list flows, the newest first")
    .option("--limit <N>", `how many at most (default: ${DEFAULT_LIMIT})`, wholeNumber);
  addApiAction(ls, context, async ({ api, output, flags }: ApiCall<{ limit?: number }>) => {
    const now = Date.now();
    output.list(
      await listFlows(api, flags.limit ?? DEFAULT_LIMIT),
      [
        idColumn(),
        { title: "Name", value: ({ name }) => name, style: "green", weight: 2 },
        { title: "Created", value: ({ json }) => relativeTime(textOf(json, "created"), now), weight: 0 },
      ],
      "There are no flows.",
    );
  });
}
