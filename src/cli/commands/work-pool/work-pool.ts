import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";

import { readFlowNames } from "../../../api/manage/deployments.ts";
import {
  deleteWorkPool,
  listWorkPools,
  previewWorkPool,
  updateWorkPool,
} from "../../../api/manage/work-pools.ts";
import { newestFirst } from "../../../api/manage/resource.ts";
import { WorkerError } from "../../../errors.ts";
import { stringifyJson } from "../../../json/stringify.ts";
import { addApiAction } from "../../api-command.ts";
import { addConfirmFlags, confirm } from "../../confirm.ts";
import { readObject } from "../../json-file.ts";
import { wholeNumber } from "../../numbers.ts";
import { runColumns } from "../../run-columns.ts";
import { addCreateCommand } from "./create.ts";
import { getWorkPool } from "./lookup.ts";
import { OWN_TYPE, defaultTemplate } from "./template.ts";
import { idColumn } from "../../table.ts";

import type { Command } from "commander";

import type { WithJson } from "../../../api/manage/resource.ts";
import type { WorkPool } from "../../../api/types.ts";
import type { JsonObject } from "../../../json/value.ts";
import type { ApiCall, CommandContext } from "../../api-command.ts";
import type { ConfirmFlags } from "../../confirm.ts";
import type { Column } from "../../table.ts";

interface UpdateFlags {
  readonly baseJobTemplate?: string;
  readonly concurrencyLimit?: number;
  readonly description?: string;
}

const NAME = "<NAME>";
const HOUR_MS = 3_600_000;

/** `lighterman work-pool`, with the words of `prefect work-pool` (prefect/cli/work_pool.py). */
export function addWorkPoolCommands(group: Command, context: CommandContext): void {
  addCreateCommand(group, context);
  const ls = group
    .command("ls")
    .description("list work pools, the newest first")
    .option("-v, --verbose", "show the base job templates too");
  addApiAction(ls, context, async ({ api, output, flags }: ApiCall<{ verbose?: boolean }>) => {
    const pools = newestFirst(await listWorkPools(api));
    output.list(pools, poolColumns(flags.verbose ?? false), "There are no work pools.");
  });

  const inspect = group.command(`inspect ${NAME}`).description("show everything about a work pool");
  addApiAction(inspect, context, async ({ api, output }, name) => {
    output.inspect((await getWorkPool(api, name)).json);
  });

  const update = group
    .command(`update ${NAME}`)
    .description("change a work pool")
    .option("--base-job-template <FILE>", "JSON or YAML file with the new base job template")
    .option("--concurrency-limit <N>", "how many runs may be in hand at once", wholeNumber)
    .option("--description <TEXT>", "what the pool is for");
  addApiAction(update, context, async (call: ApiCall<UpdateFlags>, name) => {
    const { io, flags } = call;
    const { baseJobTemplate: file, concurrencyLimit: limit, description } = flags;
    const patch: JsonObject = {
      ...(file === undefined ? {} : { base_job_template: await readObject(io, file, "base job template") }),
      ...(limit === undefined ? {} : { concurrency_limit: limit }),
      ...(description === undefined ? {} : { description }),
    };
    if (Object.keys(patch).length === 0) {
      throw new WorkerError("USAGE", "Nothing is to be changed", {
        hint: "Give --concurrency-limit, --description or --base-job-template.",
      });
    }
    await change(call, name, patch, (pool) => `Updated work pool '${pool}'.`);
  });

  const pause = group.command(`pause ${NAME}`).description("start no more runs of a work pool");
  addApiAction(pause, context, (call, name) =>
    change(call, name, { is_paused: true }, (pool) => `Paused work pool '${pool}'.`),
  );

  const resume = group.command(`resume ${NAME}`).description("go on with a paused work pool");
  addApiAction(resume, context, (call, name) =>
    change(call, name, { is_paused: false }, (pool) => `Resumed work pool '${pool}'.`),
  );

  const setLimit = group
    .command(`set-concurrency-limit ${NAME}`)
    .argument("<LIMIT>", "how many runs may be in hand at once", wholeNumber)
    .description("limit how many runs of a work pool may be in hand at once");
  addApiAction(setLimit, context, (call, name, limit) =>
    change(
      call,
      name,
      { concurrency_limit: Number(limit) },
      (pool) => `Set concurrency limit for work pool '${pool}' to ${limit}.`,
    ),
  );

  const clearLimit = group
    .command(`clear-concurrency-limit ${NAME}`)
    .description("take the limit of a work pool away");
  addApiAction(clearLimit, context, (call, name) =>
    change(
      call,
      name,
      { concurrency_limit: null },
      (pool) => `Cleared concurrency limit for work pool '${pool}'.`,
    ),
  );

  const preview = group
    .command(`preview ${NAME}`)
    .description("list the runs that workers of a pool are given next")
    .option("-h, --hours <N>", "how far to look ahead (default: 1)", wholeNumber);
  addApiAction(preview, context, async ({ api, output, flags }: ApiCall<{ hours?: number }>, name) => {
    const pool = await getWorkPool(api, name);
    const now = Date.now();
    const runs = await previewWorkPool(api, pool.name, {
      before: new Date(now + (flags.hours ?? 1) * HOUR_MS),
    });
    const flows = output.isJson ? new Map<string, string>() : await readFlowNames(api, runs);
    output.list(runs, runColumns(now, flows), "No runs are scheduled; --hours N looks further ahead.");
  });

  const template = group
    .command("get-default-base-job-template")
    .description("print the default base job template of a type")
    .option("-t, --type <TYPE>", `type of work pool (default: ${OWN_TYPE})`)
    .option("-f, --file <FILE>", "write it to a file instead");
  addApiAction(
    template,
    context,
    async ({ api, io, output, flags }: ApiCall<{ type?: string; file?: string }>) => {
      const found = await defaultTemplate(api, flags.type ?? OWN_TYPE);
      if (flags.file === undefined) output.json(found);
      else await writeFile(resolve(io.cwd, flags.file), `${stringifyJson(found, 2)}\n`);
    },
  );

  const remove = group
    .command(`delete ${NAME}`)
    .description("delete a work pool, with its queues and workers");
  addConfirmFlags(remove);
  addApiAction(remove, context, async ({ api, io, output, flags }: ApiCall<ConfirmFlags>, name) => {
    const pool = await getWorkPool(api, name);
    if (!(await confirm(io, flags, `Delete work pool '${pool.name}'?`))) return 1;
    await deleteWorkPool(api, pool.name);
    output.done(pool.json, output.paint("green", `Deleted work pool '${pool.name}'.`));
    return 0;
  });
}

async function change(
  { api, output }: ApiCall<object>,
  reference: string,
  patch: JsonObject,
  said: (name: string) => string,
): Promise<void> {
  const { name } = await getWorkPool(api, reference);
  await updateWorkPool(api, name, patch);
  output.done((await getWorkPool(api, name)).json, output.paint("green", said(name)));
}

function poolColumns(isVerbose: boolean): readonly Column<WithJson<WorkPool>>[] {
  return [
    { title: "Name", value: ({ name }) => name, style: "green", weight: 2 },
    { title: "Type", value: ({ type }) => type, style: "magenta" },
    {
      title: "Status",
      value: ({ is_paused: isPaused, status }) => (isPaused ? "PAUSED" : (status ?? "")),
      style: ({ is_paused: isPaused, status }) => (isPaused ? "red" : status === "READY" ? "green" : "gray"),
      weight: 0,
    },
    { title: "Concurrency Limit", value: ({ concurrency_limit: limit }) => String(limit ?? "none") },
    idColumn(),
    ...(isVerbose
      ? [
          {
            title: "Base Job Template",
            value: ({ base_job_template: template }: WorkPool) => stringifyJson(template),
          },
        ]
      : []),
  ];
}
