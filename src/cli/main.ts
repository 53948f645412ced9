import { Command, CommanderError } from "commander";

import { WorkerError, coerceError } from "../errors.ts";
import { addDeployCommand, deployArguments } from "./commands/deploy.ts";
import { addProjectCommand } from "./commands/project.ts";
import { addPullCommand } from "./commands/pull.ts";
import { addRenderCommand } from "./commands/render.ts";
import { addServerCommand } from "./commands/server-start.ts";
import { addWorkerCommand } from "./commands/worker-start.ts";
import { version } from "./version.ts";

import type { Io } from "./io.ts";

/** Runs one command line. Returns the exit status; everything that goes wrong has been said by then. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  let exitCode = 0;
  const program = new Command("lighterman")
    .description("A light, crash-proof worker for Prefect work pools.")
    .version(version, "-v, --version", "print the version")
    .helpOption("-h, --help", "show this help")
    .enablePositionalOptions() // a command may have a --version of its own
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
    })
    .showHelpAfterError("(run with --help to see what there is)");
  const finish = (code: number): void => {
    exitCode = code;
  };
  addWorkerCommand(program, io, finish);
  addServerCommand(program, io, finish);
  addRenderCommand(program, io, finish);
  addPullCommand(program, io, finish);
  addDeployCommand(program, io, finish);
  addProjectCommand(program, io, finish);
  try {
    await program.parseAsync(deployArguments(argv), { from: "user" });
    return exitCode;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
    return renderError(thrown, io);
  }
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
