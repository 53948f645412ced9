import { createWorkPool, findWorkPool, updateWorkPool } from "../../../api/manage/work-pools.ts";
import { WorkerError } from "../../../errors.ts";
import { addApiAction } from "../../api-command.ts";
import { readObject } from "../../json-file.ts";
import { setInProfile } from "../../profile-file.ts";
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
  readonly setAsDefault?: boolean;
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
    .option(
      "--set-as-default",
      "let deployments that name no work pool use it, by the active Prefect profile",
    )
    .option("--overwrite", "change the pool if there is one of that name");
  addApiAction(create, context, runCreate);
}

async function runCreate(call: ApiCall<CreateFlags>, name: string): Promise<void> {
  const { api, flags, output } = call;
  const existing = await findWorkPool(api, name);
  if (existing !== null && flags.overwrite !== true) {
    throw new WorkerError("USAGE", `There is a work pool '${name}' already`, {
      hint: "Use --overwrite to change it.",
    });
  }
  const pool = existing === null ? await createPool(call, name) : await overwritePool(call, existing);
  const made =
    existing === null
      ? `Created work pool '${name}' (${pool.type}, ${pool.id}).`
      : `Updated work pool '${name}'.`;
  output.done(
    pool.json,
    output.paint("green", made),
    ...(flags.setAsDefault === true ? [await setAsDefault(call, name)] : []),
    ...(existing !== null || pool.is_paused
      ? []
      : [`Start a worker for it: lighterman worker start --pool ${name}`]),
  );
}

/** As Prefect does it. Returns what was done. */
async function setAsDefault({ session: { profile } }: ApiCall<CreateFlags>, name: string): Promise<string> {
  if (profile === undefined)
    return "In test mode there is no profile, so the default work pool stays as it is.";
  await setInProfile(profile, "PREFECT_DEPLOYMENTS_DEFAULT_WORK_POOL_NAME", name);
  return `It is the default work pool of profile '${profile.profile}' now (${profile.file}).`;
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
