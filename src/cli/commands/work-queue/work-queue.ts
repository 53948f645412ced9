import { ApiError } from "../../../api/errors.ts";
import { textOf } from "../../../api/fields.ts";
import { readFlowNames } from "../../../api/manage/deployments.ts";
import { newestFirst } from "../../../api/manage/resource.ts";
import { previewWorkPool } from "../../../api/manage/work-pools.ts";
import {
  createWorkQueue,
  deleteWorkQueue,
  findWorkQueue,
  updateWorkQueue,
} from "../../../api/manage/work-queues.ts";
import { WorkerError } from "../../../errors.ts";
import { addApiAction } from "../../api-command.ts";
import { addConfirmFlags, confirm } from "../../confirm.ts";
import { wholeNumber } from "../../numbers.ts";
import { runColumns } from "../../run-columns.ts";
import { getWorkPool } from "../work-pool/lookup.ts";
import { getWorkQueue, queuesWithPools } from "./lookup.ts";
import { idColumn } from "../../table.ts";

import type { Command } from "commander";

import type { WithJson } from "../../../api/manage/resource.ts";
import type { PoolQueue } from "../../../api/manage/work-queues.ts";
import type { JsonObject } from "../../../json/value.ts";
import type { ApiCall, CommandContext } from "../../api-command.ts";
import type { ConfirmFlags } from "../../confirm.ts";
import type { Column } from "../../table.ts";
import type { FoundQueue } from "./lookup.ts";

interface PoolFlags {
  readonly pool?: string;
}

interface CreateFlags extends PoolFlags {
  readonly limit?: number;
  readonly priority?: number;
}

interface ListFlags extends PoolFlags {
  readonly match?: string;
  readonly verbose?: boolean;
}

const HOUR_MS = 3_600_000;
const POOL = ["-p, --pool <NAME>", "work pool of the queue"] as const;

/** `lighterman work-queue`, with the words of `prefect work-queue` (prefect/cli/work_queue.py). */
export function addWorkQueueCommands(group: Command, context: CommandContext): void {
  const create = group
    .command("create <NAME>")
    .description("create a work queue")
    .option("-p, --pool <NAME>", "work pool to create it in")
    .option("-l, --limit <N>", "how many of its runs may be in hand at once", wholeNumber)
    .option("-q, --priority <N>", "1 is served first", wholeNumber);
  addApiAction(create, context, runCreate);

  const ls = group
    .command("ls")
    .description("list work queues")
    .option(...POOL)
    .option("-m, --match <PREFIX>", "only queues whose names begin so")
    .option("-v, --verbose", "show the descriptions too");
  addApiAction(ls, context, async ({ api, output, flags }: ApiCall<ListFlags>) => {
    const queues = (await queuesWithPools(api, flags.pool)).filter(({ name }) =>
      name.startsWith(flags.match ?? ""),
    );
    output.list(newestFirst(queues), columns(flags.verbose ?? false), "There are no work queues.");
  });

  const inspect = group
    .command("inspect <NAME>")
    .description("show everything about a work queue")
    .option(...POOL);
  addApiAction(inspect, context, async ({ api, output, flags }: ApiCall<PoolFlags>, name) => {
    output.inspect((await getWorkQueue(api, name, flags.pool)).json);
  });

  const pause = group
    .command("pause <NAME>")
    .description("start no more runs of a work queue")
    .option(...POOL);
  addApiAction(pause, context, (call: ApiCall<PoolFlags>, name) =>
    change(call, name, { is_paused: true }, (queue) => `Paused ${queue}.`),
  );

  const resume = group
    .command("resume <NAME>")
    .description("go on with a paused work queue")
    .option(...POOL);
  addApiAction(resume, context, (call: ApiCall<PoolFlags>, name) =>
    change(call, name, { is_paused: false }, (queue) => `Resumed ${queue}.`),
  );

  const setLimit = group
    .command("set-concurrency-limit <NAME>")
    .argument("<LIMIT>", "how many of its runs may be in hand at once", wholeNumber)
    .description("limit how many runs of a work queue may be in hand at once")
    .option(...POOL);
  addApiAction(setLimit, context, (call: ApiCall<PoolFlags>, name, limit) =>
    change(
      call,
      name,
      { concurrency_limit: Number(limit) },
      (queue) => `Set concurrency limit for ${queue} to ${limit}.`,
    ),
  );

  const clearLimit = group
    .command("clear-concurrency-limit <NAME>")
    .description("take the limit of a work queue away")
    .option(...POOL);
  addApiAction(clearLimit, context, (call: ApiCall<PoolFlags>, name) =>
    change(call, name, { concurrency_limit: null }, (queue) => `Cleared concurrency limit for ${queue}.`),
  );

  const preview = group
    .command("preview <NAME>")
    .description("list the runs that workers of a queue are given next")
    .option(...POOL)
    .option("-h, --hours <N>", "how far to look ahead (default: 1)", wholeNumber);
  addApiAction(
    preview,
    context,
    async ({ api, output, flags }: ApiCall<PoolFlags & { hours?: number }>, name) => {
      const queue = await getWorkQueue(api, name, flags.pool);
      const now = Date.now();
      const runs = await previewWorkPool(api, queue.work_pool_name, {
        queue: queue.name,
        before: new Date(now + (flags.hours ?? 1) * HOUR_MS),
      });
      const flows = output.isJson ? new Map<string, string>() : await readFlowNames(api, runs);
      output.list(runs, runColumns(now, flows), "No runs are scheduled; --hours N looks further ahead.");
    },
  );

  const remove = group
    .command("delete <NAME>")
    .description("delete a work queue")
    .option(...POOL);
  addConfirmFlags(remove);
  addApiAction(
    remove,
    context,
    async ({ api, io, output, flags }: ApiCall<PoolFlags & ConfirmFlags>, name) => {
      const queue = await getWorkQueue(api, name, flags.pool);
      if (!(await confirm(io, flags, `Delete ${describe(queue)}?`))) return 1;
      await deleteWorkQueue(api, queue.work_pool_name, queue.name);
      output.done(queue.json, output.paint("green", `Deleted ${describe(queue)}.`));
      return 0;
    },
  );
}

async function runCreate({ api, output, flags }: ApiCall<CreateFlags>, name: string): Promise<void> {
  const pool = flags.pool === undefined ? undefined : (await getWorkPool(api, flags.pool)).name;
  const body = {
    name,
    ...(flags.limit === undefined ? {} : { concurrency_limit: flags.limit }),
    ...(flags.priority === undefined ? {} : { priority: flags.priority }),
  };
  let queue: WithJson<PoolQueue>;
  try {
    queue = await createWorkQueue(api, pool, body);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 409) {
      throw new WorkerError("USAGE", `There is a work queue '${name}' already`, { cause: error });
    }
    if (pool !== undefined || error.status !== 404) throw error;
    throw new WorkerError("USAGE", "This server has no work queues without a work pool", {
      hint: "Give --pool NAME.",
      cause: error,
    });
  }
  output.done(
    queue.json,
    output.paint("green", `Created work queue '${name}' (${queue.id}).`),
    ...(pool === undefined
      ? []
      : [`Start a worker for it: lighterman worker start --pool ${pool} --work-queue ${name}`]),
  );
}

async function change(
  { api, output, flags }: ApiCall<PoolFlags>,
  reference: string,
  patch: JsonObject,
  said: (queue: string) => string,
): Promise<void> {
  const queue = await getWorkQueue(api, reference, flags.pool);
  await updateWorkQueue(api, queue.work_pool_name, queue.name, patch);
  const changed = await findWorkQueue(api, queue.work_pool_name, queue.name);
  output.done((changed ?? queue).json, output.paint("green", said(describe(queue))));
}

function describe({ name, work_pool_name: pool }: FoundQueue): string {
  return `work queue '${name}' of work pool '${pool}'`;
}

function columns(isVerbose: boolean): readonly Column<FoundQueue>[] {
  return [
    { title: "Name", value: ({ name }) => name, style: "green", weight: 2 },
    { title: "Pool", value: (queue) => queue.work_pool_name, style: "magenta", weight: 2 },
    { title: "Priority", value: ({ priority }) => String(priority ?? ""), weight: 0 },
    {
      title: "Paused",
      value: ({ is_paused: isPaused }) => (isPaused ? "yes" : "no"),
      style: ({ is_paused: isPaused }) => (isPaused ? "red" : "reset"),
      weight: 0,
    },
    { title: "Concurrency Limit", value: ({ concurrency_limit: limit }) => String(limit ?? "none") },
    idColumn(),
    ...(isVerbose
      ? [{ title: "Description", value: ({ json }: FoundQueue) => textOf(json, "description") ?? "" }]
      : []),
  ];
}
