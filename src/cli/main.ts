import { Command, CommanderError } from "commander";

import { WorkerError, coerceError } from "../errors.ts";
import { addDemoCommand } from "./commands/demo.ts";
import { addServerCommand } from "./commands/server-start.ts";
import { addWorkerCommand } from "./commands/worker-start.ts";
import { addLazyCommands } from "./lazy-commands.ts";
import { longOptions } from "./two-letter-options.ts";
import { version } from "./version.ts";

import type { Io } from "./io.ts";

/** Runs one command line. Returns the exit status; everything that goes wrong has been said by then. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  let exitCode = 0;
  const program = new Command("lighterman")
    .description("A light, crash-proof worker for Prefect work pools.")
    .version(version, "-v, --version", "print the version")
    .helpOption("-h, --help", "show this help")
    // A command's own flags may be called like the program's, as `work-pool ls -v`.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
    })
    .showHelpAfterError("(run with --help to see what there is)");
  const finish = (code: number): void => {
    exitCode = code;
  };
  program.commandsGroup("Serve:");
  addDemoCommand(program, io, finish);
  addWorkerCommand(program, io, finish);
  addServerCommand(program, io, finish);
  try {
    const words = longOptions(argv);
    await addLazyCommands(program, words, { io, finish });
    const group = groupOf(program, words);
    if (group === undefined) await program.parseAsync(words, { from: "user" });
    else group.outputHelp();
    return exitCode;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
    return renderError(thrown, io);
  }
}

/** The group of commands that a command line names without saying which of them. */
function groupOf(program: Command, argv: readonly string[]): Command | undefined {
  let command: Command | undefined = program;
  for (const word of argv) {
    command = command?.commands.find((candidate) =>
      [candidate.name(), ...candidate.aliases()].includes(word),
    );
  }
  return command !== undefined && command.commands.length > 0 ? command : undefined;
}

/** One line with the cause, one with what to do next. */
function renderError(thrown: unknown, io: Io): number {
  const error = coerceError(thrown);
  if (!(error instanceof WorkerError)) {
    io.stderr.write(`Error: ${error.stack ?? error.message}\n`);
    return 1;
  }
  io.stderr.write(`Error: ${error.message}\n`);
  if (error.hint !== undefined) io.stderr.write(`  ${error.hint}\n`);
  return error.exitCode;
}
