import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { addSettingFlags } from "../../config/flags.ts";
import { fetchDeploymentCode } from "../../steps/deployment-code.ts";
import { discoverPython, interpreterOfCommand } from "../../steps/python.ts";
import { environmentWith } from "../../worker/environment.ts";
import { resolveJob } from "../../worker/job.ts";
import { apiLookups } from "../../worker/lookups.ts";
import { readDeploymentTarget } from "../deployment-target.ts";
import { untilInterrupted } from "../interrupt.ts";
import { openSession } from "../session.ts";

import type { Command } from "commander";

import type { FlagValues } from "../../config/flags.ts";
import type { StepLog } from "../../steps/types.ts";
import type { CommandContext } from "../api-command.ts";
import type { Io } from "../io.ts";
import type { Session } from "../session.ts";

const HELP = `
Runs only the pull steps of the deployment, as a worker does before it starts a flow run, and says where the code lies afterwards.
The directory stays for inspection.

Example:
  $ lighterman pull --deployment my-flow/nightly --into ./code
`;

interface PullFlags extends FlagValues {
  readonly deployment: string;
  readonly into?: string;
}

export function addPullFlags(pull: Command, { io, finish }: CommandContext): void {
  pull
    .requiredOption("-d, --deployment <FLOW/NAME>", "deployment whose code to pull")
    .option("--into <DIR>", "directory to pull into (default: a new temporary one)")
    .addHelpText("after", HELP);
  addSettingFlags(pull, ["all", "flow"]);
  pull.action(async (flags: PullFlags) => {
    const session = await openSession(io, flags);
    try {
      await untilInterrupted({ io, finish }, async (signal) => {
        const directory = await pullDeployment(session, io, flags, signal);
        io.stdout.write(`${directory}\n`);
      });
    } finally {
      await session.close();
    }
  });
}

async function pullDeployment(
  session: Session,
  io: Io,
  flags: PullFlags,
  signal: AbortSignal,
): Promise<string> {
  const { client, config, redactor } = session;
  const { deployment, workPool } = await readDeploymentTarget(session, flags.deployment);
  const registerSecret = (secret: string): void => redactor.add(secret);
  const lookups = apiLookups(client, signal, registerSecret);
  const job = await resolveJob({
    // Without its pool there is still the deployment's `env`.
    workPool: workPool ?? { base_job_template: { job_configuration: { env: "{{ env }}" }, variables: {} } },
    deployment,
    flowRun: null,
    env: io.env,
    lookups,
    onSecret: registerSecret,
  });
  const named = job.command === null ? null : interpreterOfCommand(job.command);
  const stage = {
    cwd: await targetDirectory(io, flags.into),
    env: environmentWith(io.env, { ...session.prefectSettings, ...job.env }),
    lookups,
    python: async () =>
      named ?? (await discoverPython({ configured: config.python, env: io.env, signal })).path,
    environmentsDir: config.environmentsDir,
    log: consoleLog(session, io),
    signal,
    registerSecret,
  };
  const pulled = await fetchDeploymentCode(stage, deployment);
  return pulled.directory;
}

async function targetDirectory(io: Io, into: string | undefined): Promise<string> {
  if (into === undefined) return await mkdtemp(join(tmpdir(), "lighterman-pull-"));
  const directory = resolve(io.cwd, into);
  await mkdir(directory, { recursive: true });
  return directory;
}

// The directory alone goes to stdout, for scripts; everything else is for the reader.
function consoleLog({ logger, redactor }: Session, io: Io): StepLog {
  return {
    debug: (message) => logger.debug(message),
    info: (message) => logger.info(message),
    warn: (message) => logger.warn(message),
    error: (message) => logger.error(message),
    output: (line) => void io.stderr.write(`${redactor.redact(line)}\n`),
  };
}
