import { resolve } from "node:path";

import { splitCommand } from "../launcher/command.ts";
import { StepError } from "./errors.ts";
import { pythonStrip } from "./python-text.ts";
import { StepInputs } from "./step-inputs.ts";
import { outputTail, runTool } from "./tool.ts";

import type { JsonObject } from "../json/value.ts";
import type { ToolResult } from "./tool.ts";
import type { NativeStep, StepContext, StepOutcome } from "./types.ts";

/**
 * Runs each line of a script as a process of its own, without a shell unless `shell` is true (protocol §5.4,
 * prefect/deployments/steps/utility.py). Ends with the first line that fails.
 */
export const runShellScript: NativeStep = {
  names: [
    "prefect.deployments.steps.run_shell_script",
    "prefect.deployments.steps.utility.run_shell_script",
    "prefect.projects.steps.run_shell_script",
    "prefect.projects.steps.utility.run_shell_script",
  ],
  run,
};

const INPUTS = ["script", "directory", "env", "stream_output", "expand_env_vars", "shell"];
// What Python's str.splitlines takes for the end of a line.
const LINE_END = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/; // eslint-disable-line no-control-regex -- Python's list

async function run(inputs: JsonObject, context: StepContext): Promise<StepOutcome> {
  const given = new StepInputs("run_shell_script", inputs, INPUTS);
  const script = given.text("script");
  const directory = given.optionalText("directory");
  const env = { ...context.env, ...given.texts("env") };
  const isShell = given.flag("shell", false);
  const isExpanded = given.flag("expand_env_vars", false);
  const onLine = given.flag("stream_output", true) ? (line: string) => context.log.output(line) : undefined;
  if (directory === "") throw new StepError("The input 'directory' of run_shell_script is empty");

  let stdout = "";
  let stderr = "";
  for (const [index, written] of script.split(LINE_END).entries()) {
    // The line itself stays out of all messages: values of variables and of the environment are in it by now.
    const place = `line ${index + 1} of the script`;
    const line = isExpanded ? expandVariables(written, env) : written;
    const command = isShell ? shellCommand(line) : words(line, place);
    if (command === null) continue;
    if (!isShell) refuseShellSyntax(command[0], place);
    const result = await runTool(command, {
      cwd: directory === null ? context.cwd : resolve(context.cwd, directory),
      env,
      signal: context.signal,
      ...(onLine === undefined ? {} : { onLine }),
    });
    stdout += result.stdout;
    stderr += result.stderr;
    if (result.exitCode !== 0) throw failure(place, { ...result, stdout, stderr });
  }
  return { outputs: { stdout: pythonStrip(stdout), stderr: pythonStrip(stderr) } };
}

type Command = readonly [string, ...string[]];

function shellCommand(line: string): Command | null {
  const command = pythonStrip(line);
  return command === "" ? null : ["/bin/sh", "-c", command];
}

function words(line: string, place: string): Command | null {
  if (/^[ \t\r\n]*$/.test(line)) return null;
  try {
    return splitCommand(line);
  } catch {
    // Its message quotes the whole line.
    throw new StepError(`${place} cannot be split into words`, {
      hint: "A quotation mark or a backslash at the end is left open. Each line of the script is a command of its own.",
    });
  }
}

/** `$NAME` and `${NAME}` as Python's string.Template.safe_substitute: `$$` is a dollar, unknown names stay. */
export function expandVariables(text: string, env: Readonly<Record<string, string>>): string {
  return text.replaceAll(
    /\$(?:(\$)|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})/g,
    (match: string, dollar?: string, bare?: string, braced?: string) => {
      if (dollar !== undefined) return "$";
      const name = bare ?? braced ?? "";
      return Object.hasOwn(env, name) ? (env[name] ?? "") : match;
    },
  );
}

function failure(place: string, result: ToolResult): StepError {
  return new StepError(`\`run_shell_script\` failed with error code ${result.exitCode} in ${place}`, {
    exitCode: result.exitCode,
    outputTail: outputTail(result),
  });
}

// These exist in a shell only; "Program not found" alone would not say so.
const BUILTINS = new Set([
  ".",
  "alias",
  "cd",
  "exit",
  "export",
  "for",
  "if",
  "set",
  "source",
  "ulimit",
  "unset",
  "while",
]);

function refuseShellSyntax(program: string, place: string): void {
  const assigned = /^([A-Za-z_][A-Za-z0-9_]*)=/.exec(program)?.[1];
  if (assigned === undefined && !BUILTINS.has(program)) return;
  const what = assigned === undefined ? `begins with ${program}` : `sets ${assigned}`;
  throw new StepError(`${place} ${what}, which needs a shell`, {
    hint: "Each line runs as a process of its own without a shell: set `shell: true`, or use the inputs `directory` and `env`.",
  });
}
