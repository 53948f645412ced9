import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync, constants, existsSync, openSync } from "node:fs";

import { WorkerError } from "../../errors.ts";
import { startLoop } from "../../lifecycle/loop.ts";
import { ATTEMPT_VARIABLE, STEPS_VARIABLE } from "../markers.ts";
import { AttemptWithdrawn } from "../withdrawn.ts";
import { Attempt } from "./attempt.ts";
import { createControlChannel } from "./control-channel.ts";
import { readStatusFile, statusFileOf } from "./exit-status.ts";
import { launchError, outputFileError } from "./launch-errors.ts";
import { watchForOom } from "./oom.ts";
import { lastLines } from "./last-lines.ts";
import { OutputTail } from "./output-tail.ts";
import { hasVariable, isAlive, listProcesses, readBootId, readStat } from "../../lifecycle/proc.ts";
import { ProcessTree } from "./process-tree.ts";
import { canStartByShell, checkProgram, startByShell } from "./shell.ts";
import { isWithdrawn, leaderIn, permitFileOf, takePermit, withdrawPermit } from "./start-permit.ts";

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
  /** Let the processes write where this one does, instead of into their files: nothing is kept, and there are no lines to follow. */
  readonly inheritsOutput?: boolean;
}

/** How often an adopted process is looked at; more often while it is being stopped. */
const ADOPTED_POLL_MS = 500;
const ADOPTED_STOP_POLL_MS = 50;

/** How long an attempt that has begun may stay without a trace: it may be between two programs, where it has no environment. */
const TRACE_PATIENCE_MS = 5000;
const TRACE_POLL_MS = 50;

/**
 * Starts each attempt as a process in a session of its own, with its output straight in a file: it needs nothing of the
 * worker to go on living, and a later worker finds it again by its handle.
 */
export function createProcessLauncher(options: ProcessLauncherOptions): Launcher {
  const { clock, logger, inheritsOutput = false } = options;
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
        const permit = permitFileOf({ ...spec, attempt: marker });
        const command = commandLine({ ...spec, attempt: marker }, permit);
        const env = { ...control?.env, [ATTEMPT_VARIABLE]: marker };
        const child = start({ ...spec, command }, env, inheritsOutput);
        const childEnded = endOf(child, permit);
        // At once: as long as Node has not reaped it, even a process that has ended can be read.
        const startTicks = child.pid === undefined ? undefined : readStat(child.pid)?.startTicks;
        const leader = { pid: await started(child), startTicks: startTicks ?? 0 };
        const keepsStatus = spec.keepStatus === true && command !== spec.command;
        const ended = keepsStatus ? endOfRecorded(childEnded, treeOf(leader, marker), spec) : childEnded;
        const oom = watchForOom(leader);
        const followed = inheritsOutput ? { outputFile: spec.outputFile } : spec;
        const tails = await openTails(followed, spec.splitStderr === true, "start").catch((err: unknown) => {
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
        if (error instanceof WorkerError || error instanceof AttemptWithdrawn) throw error;
        throw launchError(spec, error);
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

    async trace({ outputFile, attempt }) {
      const permit = permitFileOf({ outputFile, attempt });
      for (let waitedMs = 0; ; waitedMs += TRACE_POLL_MS) {
        // First what needs no permit: attempts of earlier releases have none.
        const visible = findVisible(attempt);
        if (visible !== undefined) return handleOf(visible, attempt);
        if (readStatusFile(statusFileOf(outputFile)) !== undefined) return {};
        if (withdrawPermit(permit)) return null;
        const leader = leaderIn(permit);
        if (leader !== undefined) return { ...handleOf(leader, attempt), bootId: leader.bootId };
        if (waitedMs >= TRACE_PATIENCE_MS) return {};
        await clock.sleep(TRACE_POLL_MS);
      }
    },

    lastLines: ({ outputFile }) => lastLines(outputFile),

    obstacle: null,
    isReady: () => Promise.resolve(true),
    sharesFiles: () => Promise.resolve(true),

    endSteps(attempt) {
      const marker = `${STEPS_VARIABLE}=${attempt}`;
      for (const { pid } of listProcesses().filter((stat) => hasVariable(stat.pid, marker))) kill(pid);
    },

    endOf({ outputFile }) {
      const end = readStatusFile(statusFileOf(outputFile)) ?? { kind: "gone" };
      return end.kind === "signaled" ? { ...end, forced: false } : end;
    },

    sweep: () => Promise.resolve(0), // its workspaces and outputs are the worker's
    removeFiles: () => Promise.reject(new Error("processes leave no files of other users")),

    close: () => channel.close(),
  };

  function commandLine(spec: LaunchSpec & { attempt: string }, permit: string): LaunchSpec["command"] {
    if (canStartByShell(spec.env)) {
      checkProgram(spec);
      return startByShell(spec, bootId);
    }
    // Nobody else can take it at the right moment: should we die before the start, the attempt counts as begun all the same.
    if (!takePermit(permit)) throw new AttemptWithdrawn();
    return spec.command;
  }

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

function findVisible(attempt: string): ProcessIdentity | undefined {
  const marker = `${ATTEMPT_VARIABLE}=${attempt}`;
  return listProcesses().find(({ pid, session }) => pid === session && hasVariable(pid, marker));
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
function start(
  spec: LaunchSpec,
  extraEnv: Readonly<Record<string, string>>,
  inheritsOutput: boolean,
): ChildProcess {
  const fds: number[] = [];
  try {
    // A channel that the worker itself was started with is not the child's.
    const { PREFECT__CONTROL_PORT: _port, PREFECT__CONTROL_TOKEN: _token, ...env } = spec.env;
    const [program, ...args] = spec.command;
    return spawn(program, args, {
      cwd: spec.cwd,
      env: { ...env, ...extraEnv },
      detached: true,
      stdio: inheritsOutput ? ["ignore", "inherit", "inherit"] : ["ignore", ...outputFiles(spec, fds)],
    });
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

function outputFiles(spec: LaunchSpec, fds: number[]): [stdout: number, stderr: number] {
  const stdout = openOutput(spec.outputFile, fds);
  return [stdout, spec.splitStderr === true ? openOutput(errorFileOf(spec.outputFile), fds) : stdout];
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

function endOf(child: ChildProcess, permit: string): Promise<ProcessEnd> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => {
      if (isWithdrawn(permit)) resolve({ kind: "withdrawn" });
      else resolve(signal === null ? { kind: "exited", code: code ?? 0 } : { kind: "signaled", signal });
    });
  });
}
