import { Option } from "commander";

import { addSettingFlags } from "../config/flags.ts";
import { exitCodeOf } from "../lifecycle/shutdown.ts";
import { createOutput } from "./output.ts";
import { openSession } from "./session.ts";

import type { Command } from "commander";

import type { Caller } from "../api/calls.ts";
import type { FlagValues } from "../config/flags.ts";
import type { Io } from "./io.ts";
import type { Output, OutputFlags } from "./output.ts";
import type { Session } from "./session.ts";

/** What the commands of a noun are made with. */
export interface CommandContext {
  readonly io: Io;
  /** Sets the exit status. */
  readonly finish: (exitCode: number) => void;
}

/** One call of a command that talks to the API. */
export interface ApiCall<Flags> {
  readonly io: Io;
  readonly session: Session;
  readonly api: Caller;
  readonly output: Output;
  readonly flags: Flags;
  /** All words behind the command. */
  readonly words: readonly string[];
}

/**
 * Declares the flags of the answer and of the settings on a command, and lets `act` run with an open session. `act` gets the
 * command's arguments (undefined where one that may be missing is missing), and returns the exit status where it is not 0.
 */
export function addApiAction<Flags extends object>(
  command: Command,
  { io, finish }: CommandContext,
  act: (call: ApiCall<Flags>, ...words: string[]) => Promise<number | void>,
): Command {
  addOutputFlags(command);
  addSettingFlags(command, ["all"]);
  return command.action(async () => {
    const flags = command.opts<Flags & OutputFlags & FlagValues>();
    // Who reads the beginning only, as head does, wants no more.
    io.stdout.on?.("error", () => io.exit(exitCodeOf("SIGPIPE")));
    const session = await openSession(io, flags);
    try {
      const output = createOutput(io, flags);
      const call = { io, session, api: session.client.caller, output, flags, words: command.args };
      finish((await act(call, ...(command.processedArgs as string[]))) ?? 0);
    } finally {
      await session.close();
    }
  });
}

/** Declares `--json`, and begins the part of the help in which the settings stand, too. */
export function addOutputFlags(command: Command): void {
  command
    .optionsGroup("Output and settings:")
    .option("--json", "print JSON (the API's own, where it comes from there), and nothing else")
    .addOption(
      new Option("-o, --output <FORMAT>", "the same, in Prefect's words")
        .choices(["json"])
        .argParser((text: string) => text.toLowerCase()),
    );
}

/** Collects the values of an option that may come several times. */
export function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}
