import type { Command } from "commander";

import type { CommandContext } from "./api-command.ts";

/** A command, or a group of commands, whose code is loaded only when the command line names it. */
interface LazyCommand {
  /** Under which it stands in the help. */
  readonly heading: string;
  readonly name: string;
  /** Prefect's second name for it. */
  readonly alias?: string;
  readonly description: string;
  /** Left out of the help. */
  readonly isHidden?: boolean;
  /** Gives the function that declares its flags, or its commands. */
  readonly load: () => Promise<(command: Command, context: CommandContext) => void>;
}

const DEPLOY = "Deploy:";
const MANAGE = "Look after what the server holds:";
const SET_UP = "Set up:";
const LOOK_INTO = "Look into a deployment:";

const COMMANDS: readonly LazyCommand[] = [
  {
    heading: DEPLOY,
    name: "init",
    description: "write a prefect.yaml for this directory",
    load: async () => (await import("./commands/init.ts")).addInitFlags,
  },
  {
    heading: DEPLOY,
    name: "deploy",
    description: "register the deployments that prefect.yaml declares",
    load: async () => (await import("./commands/deploy.ts")).addDeployFlags,
  },
  {
    heading: DEPLOY,
    name: "project",
    description: "look at prefect.yaml without a server",
    load: async () => (await import("./commands/project.ts")).addProjectCommands,
  },
  {
    heading: DEPLOY,
    name: "schedule",
    description: "print the coming dates of a schedule, without a server",
    load: async () => (await import("./commands/schedule.ts")).addScheduleCommands,
  },
  {
    heading: MANAGE,
    name: "work-pool",
    alias: "work-pools",
    description: "look after work pools",
    load: async () => (await import("./commands/work-pool/work-pool.ts")).addWorkPoolCommands,
  },
  {
    heading: MANAGE,
    name: "work-queue",
    alias: "work-queues",
    description: "look after work queues",
    load: async () => (await import("./commands/work-queue/work-queue.ts")).addWorkQueueCommands,
  },
  {
    heading: MANAGE,
    name: "deployment",
    alias: "deployments",
    description: "run and look after deployments",
    load: async () => (await import("./commands/deployment/deployment.ts")).addDeploymentCommands,
  },
  {
    heading: MANAGE,
    name: "flow",
    alias: "flows",
    description: "list flows",
    load: async () => (await import("./commands/flow.ts")).addFlowCommands,
  },
  {
    heading: MANAGE,
    name: "flow-run",
    alias: "flow-runs",
    description: "watch, cancel and look after flow runs",
    load: async () => (await import("./commands/flow-run/flow-run.ts")).addFlowRunCommands,
  },
  {
    heading: MANAGE,
    name: "variable",
    description: "set and get variables",
    load: async () => (await import("./commands/variable.ts")).addVariableCommands,
  },
  {
    heading: MANAGE,
    name: "block",
    alias: "blocks",
    description: "make and look after blocks and their types",
    load: async () => (await import("./commands/block/block.ts")).addBlockCommands,
  },
  {
    heading: SET_UP,
    name: "config",
    description: "show the settings and where they come from",
    load: async () => (await import("./commands/config.ts")).addConfigCommands,
  },
  {
    heading: SET_UP,
    name: "completion",
    description: "print the script by which a shell completes these commands",
    load: async () => (await import("./commands/completion.ts")).addCompletionFlags,
  },
  {
    heading: SET_UP,
    name: "__complete",
    description: "what the shells ask",
    isHidden: true,
    load: async () => (await import("./commands/completion.ts")).addCompleteFlags,
  },
  {
    heading: LOOK_INTO,
    name: "render",
    description: "print the finished job configuration of a deployment",
    load: async () => (await import("./commands/render.ts")).addRenderFlags,
  },
  {
    heading: LOOK_INTO,
    name: "pull",
    description: "run the pull steps of a deployment, and nothing else",
    load: async () => (await import("./commands/pull.ts")).addPullFlags,
  },
];

/** Declares them all on the program, and completes those that the command line names. */
export async function addLazyCommands(
  program: Command,
  argv: readonly string[],
  context: CommandContext,
): Promise<void> {
  // `help work-pool` names it second.
  const named = argv.filter((word) => !word.startsWith("-")).slice(0, 2);
  for (const { heading, name, alias, description, isHidden = false, load } of COMMANDS) {
    const command = program.command(name, { hidden: isHidden }).helpGroup(heading).description(description);
    if (alias !== undefined) command.alias(alias);
    if (named.includes(name) || (alias !== undefined && named.includes(alias))) {
      (await load())(command, context);
    }
  }
}
