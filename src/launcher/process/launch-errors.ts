import { existsSync, statSync } from "node:fs";

import { coerceError, WorkerError } from "../../errors.ts";

import type { LaunchSpec } from "../types.ts";

/** Says why a process could not be started, and what to do about it. */
export function launchError(spec: LaunchSpec, thrown: unknown): WorkerError {
  const cause = coerceError(thrown);
  const code = "code" in cause && typeof cause.code === "string" ? cause.code : "";
  const [program] = spec.command;
  const fail = (message: string, hint: string): WorkerError =>
    new WorkerError("LAUNCH_FAILED", message, { cause, hint });

  if (["ENOENT", "ENOTDIR", "EACCES"].includes(code) && !isDirectory(spec.cwd)) {
    return fail(
      `The working directory ${spec.cwd} of the flow run does not exist or cannot be entered`,
      "Correct the job variable `working_dir`, or the step that sets the directory.",
    );
  }
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return program.includes("/") && existsSync(program)
        ? fail(
            `The program ${program} cannot be started: the interpreter in its first line is missing`,
            "Correct the line that begins with #!, or install the interpreter.",
          )
        : fail(
            `The program ${program} was not found${program.includes("/") ? "" : " on PATH"}`,
            "Install it where the worker runs, or correct the job variable `command`, the setting for Python, or PATH.",
          );
    case "EACCES":
    case "EPERM":
      return fail(
        `The program ${program} may not be executed`,
        "Make the file executable for the worker's user, and check that its file system is not mounted noexec.",
      );
    case "E2BIG":
      return fail(
        "The command and environment of the flow run are too large for the system",
        "Make the job variable `env` smaller, or pass large values in files.",
      );
    case "EAGAIN":
    case "ENOMEM":
      return new WorkerError("LAUNCH_FAILED", "The system can start no more processes", {
        cause,
        retryable: true,
        hint: "Lower the worker's --limit, or raise the limits for processes and memory (ulimit -u, pids.max).",
      });
    case "EMFILE":
    case "ENFILE":
      return new WorkerError("LAUNCH_FAILED", "The worker has too many open files", {
        cause,
        retryable: true,
        hint: "Raise the limit for open files (ulimit -n), or lower the worker's --limit.",
      });
    case "ERR_INVALID_ARG_VALUE":
      return fail(
        `The command or environment of the flow run holds a character that the system does not allow: ${cause.message}`,
        "Remove the NUL character from the job variables `command` and `env`.",
      );
    default:
      return fail(
        `The program ${program} could not be started: ${cause.message}`,
        "See the system's message.",
      );
  }
}

/** The file for a child's output could not be opened. */
export function outputFileError(file: string, thrown: unknown): WorkerError {
  const cause = coerceError(thrown);
  return new WorkerError("LAUNCH_FAILED", `The output file ${file} cannot be opened: ${cause.message}`, {
    cause,
    hint: "Check that the worker may write to this directory, and that the disk is not full.",
  });
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
