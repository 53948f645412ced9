import { Option } from "commander";

import { WorkerError } from "../errors.ts";

import type { Command } from "commander";

import type { Io } from "./io.ts";

export interface ConfirmFlags {
  readonly yes?: boolean;
  readonly acceptYes?: boolean;
  /** False with `--no-prompt`. */
  readonly prompt?: boolean;
}

const OFF: ReadonlySet<string> = new Set(["0", "false", "f", "no", "n", "off"]);

/** Where somebody can be asked: undefined without a terminal, with `--no-prompt`, and with PREFECT_CLI_PROMPT=false (but for `--prompt`). */
export function terminalOf(
  io: Pick<Io, "terminal" | "env">,
  { prompt }: { readonly prompt?: boolean | undefined },
): ReturnType<Io["terminal"]> {
  const isOff = OFF.has((io.env["PREFECT_CLI_PROMPT"] ?? "").toLowerCase());
  return prompt === false || (prompt === undefined && isOff) ? undefined : io.terminal();
}

/** Declares `--yes` and `--no-prompt`. */
export function addConfirmFlags(command: Command): void {
  command
    .option("-y, --yes", "do it without asking")
    // Prefect's word for it, where it has one.
    .addOption(new Option("--accept-yes").hideHelp())
    .option("--no-prompt", "never ask: refuse where --yes is missing");
}

/**
 * Asks before something is lost. False when the answer is no. Throws a WorkerError where nobody can be asked and `--yes` is
 * missing: a script must say that it means it.
 */
export async function confirm(
  io: Pick<Io, "terminal">,
  { yes, acceptYes, prompt }: ConfirmFlags,
  question: string,
): Promise<boolean> {
  if (yes === true || acceptYes === true) return true;
  const terminal = prompt === false ? undefined : io.terminal();
  if (terminal === undefined) {
    throw new WorkerError("USAGE", `${question} Nobody can be asked here, so nothing was done`, {
      hint: "Give --yes if you mean it.",
    });
  }
  const prompts = await import("@clack/prompts");
  const answer = await prompts.confirm({ message: question, initialValue: false, ...terminal });
  if (answer !== true) terminal.output.write("Nothing was done.\n");
  return answer === true;
}
