import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { constants } from "node:os";
import { createInterface } from "node:readline";

import { coerceError } from "../errors.ts";
import { StepError } from "./errors.ts";

import type { ChildProcessByStdio } from "node:child_process";
import type { Readable, Writable } from "node:stream";

export interface ToolOptions {
  /** Absolute. */
  readonly cwd: string;
  /** The tool's whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Ends the tool and all that it has started. */
  readonly signal: AbortSignal;
  /** Each line as it is written, without its end. */
  readonly onLine?: (line: string, stream: "stdout" | "stderr") => void;
  /** What the tool reads from stdin; nothing by default. */
  readonly input?: Readable;
}

export interface ToolResult {
  /** As Python counts it: the negative signal number when a signal ended the tool. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

type ToolProcess = ChildProcessByStdio<Writable | null, Readable, Readable>;

// How long a pipe may stay silent after the tool's end before we stop reading: something that the tool left running holds it.
const SILENT_PIPE_MS = 5000;
const END_GRACE_MS = 2000;

/**
 * Runs a program without a shell, in its own process group, and waits until it has ended and its output is read.
 * Any exit code is a result; rejects with a StepError when the program cannot be started, and with the signal's reason
 * after an abort, once the group has ended.
 */
export async function runTool(
  command: readonly [string, ...string[]],
  options: ToolOptions,
): Promise<ToolResult> {
  const { signal } = options;
  signal.throwIfAborted();
  const [program, ...args] = command;
  const child = start(program, args, options);
  const stdout = collect(child.stdout, (line) => options.onLine?.(line, "stdout"));
  const stderr = collect(child.stderr, (line) => options.onLine?.(line, "stderr"));
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", (error) => reject(startError(program, options.cwd, error)));
    child.once("close", (code, name) => resolve(exitCodeOf(code, name)));
  });
  giveUpOnSilentPipes(child);
  if (child.stdin !== null) {
    child.stdin.on("error", () => undefined); // it has ended before it has read everything
    options.input?.pipe(child.stdin);
  }
  const abort = (): void => void endGroup(child.pid, ended);
  signal.addEventListener("abort", abort, { once: true });
  try {
    const exitCode = await ended;
    signal.throwIfAborted();
    return { exitCode, stdout: stdout(), stderr: stderr() };
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function start(program: string, args: readonly string[], { cwd, env, input }: ToolOptions): ToolProcess {
  try {
    return spawn(program, args, {
      cwd,
      env: { ...env },
      stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      detached: true,
    }) as ToolProcess;
  } catch (thrown) {
    throw startError(program, cwd, coerceError(thrown)); // an empty name, or a zero byte in a word
  }
}

/** SIGTERM to the group, then SIGKILL to what is left of it once the leader has ended or the grace is over. */
export async function endGroup(pid: number | undefined, ended: Promise<unknown>): Promise<void> {
  if (pid === undefined) return;
  signalGroup(pid, "SIGTERM");
  let timer: NodeJS.Timeout | undefined;
  const grace = new Promise((resolve) => {
    timer = setTimeout(resolve, END_GRACE_MS);
  });
  await Promise.race([ended.catch(() => undefined), grace]);
  clearTimeout(timer);
  signalGroup(pid, "SIGKILL");
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // nobody is left in the group
  }
}

/** The exit code as Python's subprocess tells it. */
export function exitCodeOf(code: number | null, signal: NodeJS.Signals | null): number {
  return signal === null ? (code ?? 0) : -constants.signals[signal];
}

/** The last lines that a tool wrote to stderr, or to stdout when it said nothing there. */
export function outputTail(result: ToolResult, maxLines = 20): string {
  const text = result.stderr.trim() === "" ? result.stdout : result.stderr;
  return text.trimEnd().split("\n").slice(-maxLines).join("\n");
}

function collect(stream: Readable, onLine: (line: string) => void): () => string {
  const chunks: string[] = [];
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => chunks.push(chunk));
  createInterface({ input: stream, crlfDelay: Infinity }).on("line", onLine);
  return () => chunks.join("");
}

function giveUpOnSilentPipes(child: ToolProcess): void {
  let timer: NodeJS.Timeout | undefined;
  const giveUp = (): void => {
    child.stdout.destroy();
    child.stderr.destroy();
  };
  const wait = (): void => {
    clearTimeout(timer);
    timer = setTimeout(giveUp, SILENT_PIPE_MS);
  };
  child.once("exit", () => {
    wait();
    child.stdout.on("data", wait);
    child.stderr.on("data", wait);
  });
  child.once("close", () => clearTimeout(timer));
}

function startError(program: string, cwd: string, error: NodeJS.ErrnoException): StepError {
  if (statSync(cwd, { throwIfNoEntry: false })?.isDirectory() !== true) {
    return new StepError(`There is no directory ${cwd}`, { cause: error });
  }
  if (error.code === "ENOENT") {
    return new StepError(`Program not found: ${program}`, {
      cause: error,
      hint: `Install it on the worker's machine, or check the PATH of the flow run.`,
    });
  }
  const reason = error.code === "EACCES" ? "it is not executable" : error.message;
  return new StepError(`Program cannot be started: ${program}: ${reason}`, { cause: error });
}
