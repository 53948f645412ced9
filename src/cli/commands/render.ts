import { addSettingFlags } from "../../config/flags.ts";
import { WorkerError } from "../../errors.ts";
import { stringifyJson } from "../../json/stringify.ts";
import { maskSecret } from "../../templating/index.ts";
import { resolveJob } from "../../worker/job.ts";
import { apiLookups } from "../../worker/lookups.ts";
import { collect } from "../api-command.ts";
import { readKeyValues } from "../key-values.ts";
import { readDeploymentTarget } from "../deployment-target.ts";
import { openSession } from "../session.ts";

import type { Command } from "commander";

import type { FlagValues } from "../../config/flags.ts";
import type { JsonObject } from "../../json/value.ts";
import type { CommandContext } from "../api-command.ts";

const HELP = `
Prints, as JSON, what a worker would start for a run of the deployment: the pool's base job template filled with the job
variables, with blocks, variables and {{ $ENV }} resolved. What comes out of blocks is shown as ********. Nothing is started.

Example:
  $ lighterman render --deployment my-flow/nightly --job-variable env.DEBUG=1
`;

interface RenderFlags extends FlagValues {
  readonly deployment: string;
  readonly jobVariable?: readonly string[];
}

export function addRenderFlags(render: Command, { io, finish }: CommandContext): void {
  render
    .requiredOption("-d, --deployment <FLOW/NAME>", "deployment to render")
    .option(
      "--job-variable <KEY=VALUE>",
      "job variable of the imagined run; VALUE is JSON or text (repeatable)",
      collect,
    )
    .addHelpText("after", HELP);
  addSettingFlags(render, ["all"]);
  render.action(async (flags: RenderFlags) => {
    const session = await openSession(io, flags);
    try {
      const { deployment, workPool } = await readDeploymentTarget(session, flags.deployment);
      if (workPool === null) {
        throw new WorkerError("NOT_FOUND", `Deployment '${flags.deployment}' has no work pool`, {
          hint: "Only deployments with a work pool have a job configuration.",
        });
      }
      const job = await resolveJob({
        workPool,
        deployment,
        flowRun: { job_variables: readKeyValues(flags.jobVariable ?? [], "job variable") },
        env: io.env,
        lookups: apiLookups(session.client, new AbortController().signal, (secret) =>
          session.redactor.add(secret),
        ),
        onSecret: () => undefined,
        transform: maskSecret,
      });
      const shown: JsonObject = {
        deployment: flags.deployment,
        work_pool: workPool.name,
        work_pool_type: workPool.type,
        engine: job.engine,
        job_configuration: job.configuration,
      };
      io.stdout.write(`${session.redactor.redact(stringifyJson(shown, 2))}\n`);
      finish(0);
    } finally {
      await session.close();
    }
  });
}
