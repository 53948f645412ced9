import { codeEnvironment } from "../steps/environment.ts";
import { commandLine } from "./job.ts";
import { startAttempt } from "./launch.ts";

import type { Attempt } from "./attempt.ts";
import type { PreparedRun } from "./prepare.ts";
import type { PulledCode } from "./pull.ts";
import type { RunRoom } from "./room.ts";

/** Starts Prefect's engine (or the configured command) on the pulled code (protocol §6.2). */
export async function launchEngine(run: PreparedRun, code: PulledCode, room: RunRoom): Promise<Attempt> {
  const python = run.job.command === null ? (code.python ?? (await room.python())) : "";
  await run.announced;
  return await startAttempt(run, run.job.command === null ? "engine" : "custom", room, {
    command: commandLine(run.job, python, run.workspace.directory),
    cwd: code.directory,
    env:
      code.entrypoint === null
        ? code.env
        : codeEnvironment(code.env, { ...code, entrypoint: code.entrypoint }),
  });
}
