import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { parseJson } from "../json/parse.ts";
import { stringifyJson } from "../json/stringify.ts";
import { packageRoot } from "../lifecycle/package-root.ts";
import { StepError } from "./errors.ts";
import { MarkedLines } from "./marked-lines.ts";
import { endGroup, exitCodeOf } from "./tool.ts";

import type { ChildProcess } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { Json, JsonObject } from "../json/value.ts";

export interface BridgeOptions {
  readonly python: string;
  /** Absolute; modules in this directory can be imported, as with `python -m`. */
  readonly importPath: string;
  readonly env: Readonly<Record<string, string>>;
  /** Each line that the steps print. */
  readonly onLine: (line: string) => void;
  /** Ends the process and all that it has started. */
  readonly signal: AbortSignal;
}

/** A request's own fields; `bridge.py` says what it does with them. */
export interface BridgeRequest {
  readonly op: "step" | "storage";
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly [field: string]: Json;
}

/** What `bridge.py` answers when the step went through. */
export interface BridgeReply {
  /** Null when the step returned no mapping. */
  readonly outputs: JsonObject | null;
  /** Places in the outputs that JSON cannot hold and that became text. */
  readonly converted: readonly string[];
  readonly warnings: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | null>>;
  readonly python_path: readonly string[];
}

/** Its answer when something cannot be imported that `requires` may bring. */
export interface BridgeMissing {
  readonly install: readonly string[];
}

export interface BridgeFailure {
  readonly error: {
    readonly type: string;
    readonly message: string;
    readonly is_import: boolean;
    readonly trace: string;
  };
}

/** Runs in the flow's interpreter. */
export const BRIDGE_SCRIPT = join(packageRoot, "src", "steps", "bridge.py");
const EXIT_MS = 5000;
// The reply and the last lines come through different pipes; a step that closed its stdout never sends the latter.
const LAST_LINES_MS = 1000;
const TAIL_LINES = 20;

/**
 * A Python process in the flow's interpreter that runs steps for us, one at a time. It starts with the first request. Inputs
 * and outputs go through pipes of their own, so neither stands in an argv, and what the steps print is only output.
 */
export class PythonBridge {
  readonly #options: BridgeOptions;
  readonly #child: ChildProcess;
  readonly #requests: Writable;
  readonly #ended: Promise<number>;
  readonly #lines: readonly MarkedLines[];
  readonly #tail: string[] = [];
  readonly #abort: () => void;
  #reply: ((line: string) => void) | undefined;

  /** Rejecting to start shows at the first request. */
  constructor(options: BridgeOptions) {
    const { signal, env, importPath, python } = options;
    signal.throwIfAborted();
    this.#options = options;
    this.#child = spawn(python, ["-u", BRIDGE_SCRIPT], {
      cwd: importPath,
      env: { ...env },
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"],
      detached: true,
    });
    const [, stdout, stderr, requests, replies] = this.#child.stdio as [
      null,
      Readable,
      Readable,
      Writable,
      Readable,
    ];
    this.#ended = new Promise((resolve, reject) => {
      this.#child.once("error", (error) =>
        reject(new StepError(`${python} cannot be started: ${error.message}`, { cause: error })),
      );
      this.#child.once("exit", (code, name) => resolve(exitCodeOf(code, name)));
    });
    this.#ended.catch(() => undefined); // reported by the request that waits for it
    this.#requests = requests;
    requests.on("error", () => undefined); // the process has ended, which the request learns from #ended
    replies.on("error", () => undefined);
    this.#lines = [stdout, stderr].map((stream) => new MarkedLines(stream, (line) => this.#print(line)));
    createInterface({ input: replies, crlfDelay: Infinity }).on("line", (line) => this.#reply?.(line));
    this.#abort = () => void endGroup(this.#child.pid, this.#ended);
    signal.addEventListener("abort", this.#abort, { once: true });
    this.#send({ import_path: importPath });
  }

  /** Rejects with a StepError when the step fails or ends the process, with the signal's reason after an abort. */
  async call(request: BridgeRequest): Promise<BridgeReply | BridgeMissing> {
    const { signal } = this.#options;
    const marker = randomUUID();
    const reply = new Promise<string>((resolve) => {
      this.#reply = resolve;
    });
    const lastLines = this.#lines.map((lines) => lines.until(marker));
    this.#send({ ...request, marker });
    const answer = await Promise.race([reply, this.#ended.then(async (code) => await this.#died(code))]);
    signal.throwIfAborted();
    await within(Promise.all(lastLines), LAST_LINES_MS);
    // Our own script wrote it.
    const parsed = parseJson(answer) as unknown as BridgeReply | BridgeMissing | BridgeFailure;
    if ("error" in parsed) throw pythonError(parsed.error, this.#options.python);
    return parsed;
  }

  /** Lets the process end by itself (its exit hooks may still send logs), then ends it. */
  async stop(): Promise<void> {
    this.#options.signal.removeEventListener("abort", this.#abort);
    this.#requests.end();
    const isOver = await within(this.#ended, EXIT_MS);
    if (!isOver || this.#options.signal.aborted) await endGroup(this.#child.pid, this.#ended);
    await within(Promise.all(this.#lines.map(async (lines) => await lines.closed)), LAST_LINES_MS);
    for (const stream of this.#child.stdio) stream?.destroy();
  }

  #send(message: JsonObject): void {
    this.#requests.write(`${stringifyJson(message)}\n`);
  }

  #print(line: string): void {
    this.#tail.push(line);
    if (this.#tail.length > TAIL_LINES) this.#tail.shift();
    this.#options.onLine(line);
  }

  async #died(exitCode: number): Promise<never> {
    this.#options.signal.throwIfAborted();
    await within(Promise.all(this.#lines.map(async (lines) => await lines.closed)), LAST_LINES_MS);
    const how = exitCode < 0 ? `was ended by signal ${-exitCode}` : `ended with exit code ${exitCode}`;
    throw new StepError(`the Python process of the step ${how} before the step returned`, {
      exitCode,
      outputTail: this.#tail.join("\n"),
      hint:
        exitCode === -9
          ? "It may have run out of memory."
          : "A step must return instead of ending its process.",
    });
  }
}

async function within(promise: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } catch {
    return true; // it is over all the same
  } finally {
    clearTimeout(timer);
  }
}

/** The StepError of what `bridge.py` reports. */
export function pythonError(error: BridgeFailure["error"], python: string): StepError {
  const { type, message } = error;
  if (type === "NotThere") return new StepError(message); // our own words
  const reason = type === "SystemExit" ? message : message === "" ? type : `${type}: ${message}`;
  const hint = `It must be importable by ${python}: install the package there, or name it in the step's \`requires\`. Modules of the flow's own code are found only in the directory where the pull steps begin, or through PYTHONPATH.`;
  return new StepError(reason, { outputTail: error.trace, ...(error.is_import ? { hint } : {}) });
}
