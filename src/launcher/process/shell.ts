import { closeSync, existsSync, openSync, readSync, rmSync } from "node:fs";

import { findExecutable } from "../../steps/executables.ts";
import { RECORD_STATUS, statusFileOf } from "./exit-status.ts";
import { TAKE_PERMIT, permitFileOf } from "./start-permit.ts";

import type { LaunchSpec } from "../types.ts";

const SHELL = "/bin/sh";
const SHELL_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** What shells add to the environment of their own accord. */
const SHELL_VARIABLES = ["PWD", "OLDPWD", "SHLVL"];

/** False where there is no shell, and for an environment that not every shell hands on whole. */
export function canStartByShell(env: LaunchSpec["env"]): boolean {
  return Object.keys(env).every((name) => SHELL_NAME.test(name)) && existsSync(SHELL);
}

/**
 * The command line that takes the attempt's permit and becomes the command, or, with `keepStatus`, runs it and leaves its
 * exit status in a file.
 */
export function startByShell(
  spec: LaunchSpec & { readonly attempt: string },
  bootId: string,
): LaunchSpec["command"] {
  const added = SHELL_VARIABLES.filter((name) => spec.env[name] === undefined);
  const script = TAKE_PERMIT + (added.length === 0 ? "" : `unset ${added.join(" ")}; `);
  const permit = [permitFileOf(spec), bootId || "-"];
  if (spec.keepStatus !== true)
    return [SHELL, "-c", `${script}exec "$@"`, "lighterman-run", ...permit, ...spec.command];
  const statusFile = statusFileOf(spec.outputFile);
  rmSync(statusFile, { force: true }); // of an earlier attempt
  return [SHELL, "-c", script + RECORD_STATUS, "lighterman-run", ...permit, statusFile, ...spec.command];
}

/** The shell starts always, so what keeps the program from starting is noticed before: throws as the system would. */
export function checkProgram({ command: [program], env, cwd }: LaunchSpec): void {
  const path = findExecutable(program, env, cwd);
  const isMissing =
    path === undefined ? !(program.includes("/") && existsSync(program)) : lacksInterpreter(path);
  if (path !== undefined && !isMissing) return;
  const code = isMissing ? "ENOENT" : "EACCES";
  throw Object.assign(new Error(`spawn ${program} ${code}`), { code });
}

const LONGEST_FIRST_LINE = 256;

function lacksInterpreter(path: string): boolean {
  const buffer = Buffer.alloc(LONGEST_FIRST_LINE);
  try {
    const fd = openSync(path, "r");
    try {
      readSync(fd, buffer);
    } finally {
      closeSync(fd);
    }
  } catch {
    return false; // a program may be executable without being readable
  }
  const interpreter = /^#!\s*(\S+)/.exec(buffer.toString("latin1"))?.[1];
  return interpreter !== undefined && interpreter.startsWith("/") && !existsSync(interpreter);
}
