import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync, constants, existsSync, openSync } from "node:fs";

import { WorkerError } from "../../errors.ts";
import { startLoop } from "../../lifecycle/loop.ts";
import { findExecutable } from "../../steps/executables.ts";
import { ATTEMPT_VARIABLE, STEPS_VARIABLE } from "../markers.ts";
import { Attempt } from "./attempt.ts";
import { createControlChannel } from "./control-channel.ts";
import { canRecordStatus, readStatusFile, recordingStatus, statusFileOf } from "./exit-status.ts";
import { launchError, outputFileError } from "./launch-errors.ts";
import { watchForOom } from "./oom.ts";
import { OutputTail } from "./output-tail.ts";
import { hasVariable, isAlive, listProcesses, readBootId, readStat } from "../../lifecycle/proc.ts";
import { ProcessTree } from "./process-tree.ts";

import type { ChildProcess } from "node:child_process";

import type { Clock } from "../../lifecycle/clock.ts";
import type { Logger } from "../../log/logger.ts";
import type { Infrastructure, Launcher, LaunchSpec } from "../types.ts";
import type { AttemptParts, ProcessEnd } from "./attempt.ts";
import type { ControlChannel } from "./control-channel.ts";
import type { ProcessIdentity } from "../../lifecycle/proc.ts";

export interface ProcessLauncherOptions {
  readonly clock: Clock;
  /** Closed together with the launcher. */
  readonly controlChannel?: ControlChannel;
  readonly logger?: Logger;
}

/** How often an adopted process is looked at; more often while it is being stopped. */
const ADOPTED_POLL_MS = 500;
const ADOPTED_STOP_POLL_MS = 50;

/**
 * Starts each attempt as a process in a session of its own, with its output straight in a file: it needs nothing of the
 * worker to go on living, and a later worker finds it again by its handle.
 */
export function createProcessLauncher(options: ProcessLauncherOptions): Launcher {
  const { clock, logger } = options;
  const channel = options.controlChannel ?? createControlChannel(logger === undefined ? {} : { logger });
  const bootId = readBootId();

  async function openTails(
    spec: Pick<LaunchSpec, "outputFile" | "onLine">,
    hasErrorFile: boolean,
    from: "start" | "end",
  ): Promise<OutputTail[]> {
    const { onLine, outputFile } = spec;
    if (onLine === undefined) return [];
    const tails = [
      await OutputTail.open({ file: outputFile, clock, from, onLine: (line) => onLine(line, "stdout") }),
    ];
    if (hasErrorFile) {
      const file = errorFileOf(outputFile);
      tails.push(await OutputTail.open({ file, clock, from, onLine: (line) => onLine(line, "stderr") }));
    }
    return tails;
  }

  function handleOf({ pid, startTicks }: ProcessIdentity, attempt: string): Infrastructure["handle"] {
    return { kind: "process", pid, startTicks, bootId, attempt };
  }

  function createAttempt(
    leader: ProcessIdentity,
    marker: string,
    parts: Pick<AttemptParts, "ended" | "tails" | "control" | "oom" | "isEngine">,
  ): Attempt {
    return new Attempt({
      ...parts,
      leader,
      handle: handleOf(leader, marker),
      tree: treeOf(leader, marker),
      clock,
      logger,
    });
  }

  return {
    async launch(spec) {
      const marker = spec.attempt ?? randomUUID();
      const control = await channel.register();
      try {
        const keepsStatus = spec.keepStatus === true && canRecordStatus(spec.env);
        const command = keepsStatus ? recordingCommand(spec) : spec.command;
        const child = start({ ...spec, command }, { ...control?.env, [ATTEMPT_VARIABLE]: marker });
        const childEnded = endOf(child);
        // At once: as long as Node has not reaped it, even a process that has ended can be read.
        const startTicks = child.pid === undefined ? undefined : readStat(child.pid)?.startTicks;
        const leader = { pid: await started(child), startTicks: startTicks ?? 0 };
        const ended = keepsStatus ? endOfRecorded(childEnded, treeOf(leader, marker), spec) : childEnded;
        const oom = watchForOom(leader);
        const tails = await openTails(spec, spec.splitStderr === true, "start").catch((err: unknown) => {
          logger?.warn({ err }, "A process's output cannot be followed; it is only kept in its file");
          return [];
        });
        return createAttempt(leader, marker, {
          ended,
          tails,
          control,
          oom,
          isEngine: spec.env["PREFECT__FLOW_ENTRYPOINT"] !== undefined,
        });
      } catch (error) {
        control?.release();
        throw error instanceof WorkerError ? error : launchError(spec, error);
      }
    },

    async adopt(handle, spec) {
      const { pid, startTicks, attempt } = handle;
      if (handle["kind"] !== "process" || handle["bootId"] !== bootId || bootId === "") return null;
      if (typeof pid !== "number" || typeof startTicks !== "number" || typeof attempt !== "string")
        return null;
      const leader = { pid, startTicks };
      if (startTicks === 0 || !isAlive(leader)) return null;
      const tails = await openTails(spec, existsSync(errorFileOf(spec.outputFile)), "end").catch(
        (err: unknown) => {
          logger?.warn({ err }, "The output of an adopted process cannot be followed");
          return [];
        },
      );
      return adoptedAttempt(leader, (gone) => {
        const ended = gone.then((end) => readStatusFile(statusFileOf(spec.outputFile)) ?? end);
        const rest = { control: undefined, oom: undefined, isEngine: false };
        return createAttempt(leader, attempt, { ended, tails, ...rest });
      });
    },

    find(attempt) {
      const marker = `${ATTEMPT_VARIABLE}=${attempt}`;
      const leader = listProcesses().find(({ pid, session }) => pid === session && hasVariable(pid, marker));
      return leader === undefined ? null : handleOf(leader, attempt);
    },

    endSteps(attempt) {
      const marker = `${STEPS_VARIABLE}=${attempt}`;
      for (const { pid } of listProcesses().filter((stat) => hasVariable(stat.pid, marker))) kill(pid);
    },

    endOf({ outputFile }) {
      const end = readStatusFile(statusFileOf(outputFile)) ?? { kind: "gone" };
      return end.kind === "signaled" ? { ...end, forced: false } : end;
    },

    close: () => channel.close(),
  };

  /** Nobody tells us when a process ends that is not our child, so it is looked at now and then. */
  function adoptedAttempt(
    leader: ProcessIdentity,
    create: (ended: Promise<ProcessEnd>) => Attempt,
  ): Infrastructure {
    let isStopping = false;
    const end = new AbortController();
    const loop = startLoop(
      async () => {
        if (!isAlive(leader)) end.abort();
        return isStopping ? ADOPTED_STOP_POLL_MS : undefined;
      },
      { intervalMs: ADOPTED_POLL_MS, clock, signal: end.signal },
    );
    const attempt = create(loop.done.then(() => ({ kind: "gone" }) as const));
    return {
      identifier: attempt.identifier,
      handle: attempt.handle,
      ready: attempt.ready,
      exited: attempt.exited,
      stop(stopOptions) {
        isStopping = true;
        const stopped = attempt.stop(stopOptions);
        loop.nudge();
        return stopped;
      },
    };
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has just ended.
  }
}

function treeOf(leader: ProcessIdentity, marker: string): ProcessTree {
  return new ProcessTree(leader, `${ATTEMPT_VARIABLE}=${marker}`);
}

/** The shell that records the status starts always, so a program that is not there is noticed before. */
function recordingCommand(spec: LaunchSpec): LaunchSpec["command"] {
  const [program] = spec.command;
  if (findExecutable(program, spec.env, spec.cwd) === undefined) {
    const code = program.includes("/") && existsSync(program) ? "EACCES" : "ENOENT";
    throw Object.assign(new Error(`spawn ${program} ${code}`), { code });
  }
  return recordingStatus(spec.command, statusFileOf(spec.outputFile));
}

/** When somebody kills the recording shell alone, its program goes as well: nobody would ever learn of its end. */
async function endOfRecorded(
  childEnded: Promise<ProcessEnd>,
  tree: ProcessTree,
  { outputFile }: LaunchSpec,
): Promise<ProcessEnd> {
  const end = await childEnded;
  const recorded = readStatusFile(statusFileOf(outputFile));
  if (recorded === undefined) tree.signalAll("SIGKILL", tree.members());
  return recorded ?? end;
}

function errorFileOf(outputFile: string): string {
  return `${outputFile}.err`;
}

/** Output goes to files, never to a pipe whose reader may die. Signals that we ignore are reset by Node. */
function start(spec: LaunchSpec, extraEnv: Readonly<Record<string, string>>): ChildProcess {
  const fds: number[] = [];
  try {
    const stdout = openOutput(spec.outputFile, fds);
    const stderr = spec.splitStderr === true ? openOutput(errorFileOf(spec.outputFile), fds) : stdout;
    // A channel that the worker itself was started with is not the child's.
    const { PREFECT__CONTROL_PORT: _port, PREFECT__CONTROL_TOKEN: _token, ...env } = spec.env;
    const [program, ...args] = spec.command;
    return spawn(program, args, {
      cwd: spec.cwd,
      env: { ...env, ...extraEnv },
      detached: true,
      stdio: ["ignore", stdout, stderr],
    });
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

function openOutput(file: string, fds: number[]): number {
  try {
    // What an earlier attempt of the run has left there was shown then.
    const { O_WRONLY, O_CREAT, O_TRUNC, O_APPEND } = constants;
    const fd = openSync(file, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0o600);
    fds.push(fd);
    return fd;
  } catch (error) {
    throw outputFileError(file, error);
  }
}

function started(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("spawn", () => {
      child.off("error", reject);
      child.on("error", () => undefined); // only a failed kill, which nobody asks it for
      if (child.pid === undefined) reject(new Error("the process has no pid"));
      else resolve(child.pid);
    });
  });
}

function endOf(child: ChildProcess): Promise<ProcessEnd> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => {
      resolve(signal === null ? { kind: "exited", code: code ?? 0 } : { kind: "signaled", signal });
    });
  });
}
