import { createWorkPool, findWorkPool, updateWorkPool } from "../../../api/manage/work-pools.ts";
import { WorkerError } from "../../../errors.ts";
import { addApiAction } from "../../api-command.ts";
import { readObject } from "../../json-file.ts";
import { OWN_TYPE, defaultTemplate } from "./template.ts";

import type { Command } from "commander";

import type { WithJson } from "../../../api/manage/resource.ts";
import type { WorkPool } from "../../../api/types.ts";
import type { ApiCall, CommandContext } from "../../api-command.ts";

interface CreateFlags {
  readonly type?: string;
  readonly baseJobTemplate?: string;
  readonly paused?: boolean;
  readonly overwrite?: boolean;
}

/** `work-pool create`, as `prefect work-pool create`; without --type it makes a process pool. */
export function addCreateCommand(group: Command, context: CommandContext): void {
  const create = group
    .command("create <NAME>")
    .description("create a work pool")
    .option("-t, --type <TYPE>", `type of the pool (default: ${OWN_TYPE})`)
    .option(
      "--base-job-template <FILE>",
      "JSON or YAML file with the base job template (default: that of the type)",
    )
    .option("--paused", "create it paused")
    .option("--overwrite", "change the pool if there is one of that name");
  addApiAction(create, context, runCreate);
}

async function runCreate(call: ApiCall<CreateFlags>, name: string): Promise<void> {
  const { api, flags, output } = call;
  const existing = await findWorkPool(api, name);
  if (existing === null) {
    const pool = await createPool(call, name);
    output.done(
      pool.json,
      output.paint("green", `Created work pool '${name}' (${pool.type}, ${pool.id}).`),
      ...(pool.is_paused ? [] : [`Start a worker for it: lighterman worker start --pool ${name}`]),
    );
    return;
  }
  if (flags.overwrite !== true) {
    throw new WorkerError("USAGE", `There is a work pool '${name}' already`, {
      hint: "Use --overwrite to change it.",
    });
  }
  const pool = await overwritePool(call, existing);
  output.done(pool.json, output.paint("green", `Updated work pool '${name}'.`));
}

async function createPool(
  { api, io, flags }: ApiCall<CreateFlags>,
  name: string,
): Promise<WithJson<WorkPool>> {
  const { type = OWN_TYPE, baseJobTemplate: file } = flags;
  return createWorkPool(api, {
    name,
    type,
    base_job_template:
      file === undefined ? await defaultTemplate(api, type) : await readObject(io, file, "base job template"),
    is_paused: flags.paused ?? false,
  });
}

/** As Prefect does it: the type stays, template and pause are those of the command. */
async function overwritePool(
  { api, io, flags }: ApiCall<CreateFlags>,
  pool: WithJson<WorkPool>,
): Promise<WithJson<WorkPool>> {
  const { baseJobTemplate: file } = flags;
  await updateWorkPool(api, pool.name, {
    base_job_template:
      file === undefined
        ? await defaultTemplate(api, pool.type)
        : await readObject(io, file, "base job template"),
    is_paused: flags.paused ?? false,
  });
  return (await findWorkPool(api, pool.name)) ?? pool;
}
