import { addSettingFlags } from "../../config/flags.ts";
import { collect } from "../api-command.ts";
import { runDeploy } from "../deploy-session.ts";

import { Option } from "commander";

import type { Command } from "commander";

import type { FlagValues } from "../../config/flags.ts";
import type { CommandContext } from "../api-command.ts";

const HELP = `
Registers what the prefect.yaml of this directory declares, in place of \`prefect deploy\`: builds and pushes what it says, and makes
or updates the deployments. Everything that can be checked is checked before any step runs.

Examples:
  $ lighterman deploy                                   the one deployment that prefect.yaml declares
  $ lighterman deploy -n nightly -n my-flow/weekly      these two
  $ lighterman deploy -n 'my-flow/*' --dry-run          what would change on the server for all of that flow
  $ lighterman deploy --all
  $ lighterman deploy flows/etl.py:main -n etl -p my-pool --cron '0 6 * * *'
`;

export interface DeployFlags extends FlagValues {
  readonly name?: readonly string[];
  readonly all?: boolean;
  readonly prefectFile?: string;
  readonly dryRun?: boolean;
  readonly prompt?: boolean;
  readonly watch?: boolean;
  readonly json?: boolean;
  readonly failFast?: boolean;
  readonly resolveBlocks?: boolean;
  readonly description?: string;
  readonly version?: string;
  readonly versionType?: string;
  readonly tag?: readonly string[];
  readonly concurrencyLimit?: string;
  readonly collisionStrategy?: string;
  readonly pool?: string;
  readonly workQueue?: string;
  readonly jobVariable?: readonly string[];
  readonly cron?: readonly string[];
  readonly interval?: readonly string[];
  readonly rrule?: readonly string[];
  readonly anchorDate?: string;
  readonly timezone?: string;
  readonly trigger?: readonly string[];
  readonly param?: readonly string[];
  readonly params?: string;
  readonly enforceParameterSchema?: boolean;
  readonly profile?: string;
  readonly sla?: readonly string[];
}

// `prefect deploy` has them too: they say what is so without them, or give an empty list.
const UNDERSTOOD = [
  "--no-all",
  "--enforce-parameter-schema",
  ...["name", "tag", "job-variable", "cron", "interval", "rrule", "trigger", "param", "sla"].map(
    (list) => `--empty-${list}`,
  ),
];

/** `lighterman deploy`, with the words of \`prefect deploy\`. */
export function addDeployFlags(deploy: Command, context: CommandContext): void {
  deploy
    .argument("[entrypoint]", "path/to/file.py:flow_function, or package.module.flow_function")
    .option(
      "-n, --name <NAME>",
      "deployment to deploy: a name, flow/name, or a pattern with * (repeatable)",
      collect,
    )
    .option("--all", "deploy everything that the file declares")
    .option("--prefect-file <FILE>", "another file than prefect.yaml")
    .option("--dry-run", "tell what would change on the server; run no steps, write nothing")
    .option("--watch", "deploy again whenever a file of the project changes, until Ctrl-C")
    // Before its opposite, which would be the default else.
    .addOption(new Option("--prompt").hideHelp())
    .option("--no-prompt", "never ask: refuse where something is missing")
    .option("--profile <NAME>", "Prefect profile of this command")
    .option("--json", "print the result as JSON")
    .option("--fail-fast", "stop at the first deployment that fails")
    .option("-d, --description <TEXT>", "description of the deployment")
    .option("--version <TEXT>", "version of the deployment")
    .option("--version-type <TYPE>", "where to take the version from: prefect:simple, vcs:git, vcs:github, …")
    .option("-t, --tag <TAG>", "tag of the deployment; replaces those of the file (repeatable)", collect)
    .option("-c, --concurrency-limit <N>", "how many runs of the deployment may go at once")
    .option("--collision-strategy <NAME>", "what becomes of a run beyond that: ENQUEUE or CANCEL_NEW")
    .option("-p, --pool <NAME>", "work pool for the deployment's runs")
    .option("-q, --work-queue <NAME>", "queue of that pool")
    .option(
      "-j, --job-variable <KEY=VALUE>",
      "job variable, or a JSON object of them; laid over the file's (repeatable)",
      collect,
    )
    .option("--cron <LINE>", "add a schedule by cron line (repeatable)", collect)
    .option("--interval <SECONDS>", "add a schedule by interval (repeatable)", collect)
    .option("--rrule <RULE>", "add a schedule by iCalendar rule (repeatable)", collect)
    .option("--anchor-date <DATE>", "instant from which all intervals count")
    .option("--timezone <NAME>", "IANA time zone of all schedules")
    .option(
      "--trigger <JSON|FILE>",
      "trigger, as JSON or a .yaml or .json file; replaces those of the file (repeatable)",
      collect,
    )
    .option("--sla <JSON|FILE>", "service level agreement; Prefect Cloud only (repeatable)", collect)
    .option("--param <KEY=VALUE>", "parameter; VALUE is JSON or text (repeatable)", collect)
    .option("--params <JSON>", "parameters as a JSON object")
    .option("--no-enforce-parameter-schema", "accept parameters that the flow's signature does not")
    .option(
      "--resolve-blocks",
      "store the values of blocks that job variables refer to in the deployment, as Prefect does",
    )
    .addHelpText("after", HELP);
  for (const flags of UNDERSTOOD) deploy.addOption(new Option(flags).hideHelp());
  addSettingFlags(deploy, ["all", "flow"]);
  deploy.action(async (entrypoint: string | undefined, flags: DeployFlags) => {
    await runDeploy(context, entrypoint, flags);
  });
}
