import { EventEmitter } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { stripVTControlCharacters } from "node:util";

import { main } from "../../src/cli/main.ts";

import type { Io } from "../../src/cli/io.ts";

export interface CliOptions {
  /** Becomes PREFECT_API_URL. */
  readonly apiUrl?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What standard input holds. */
  readonly stdin?: string;
  /** Makes standard output a terminal of that width. */
  readonly columns?: number;
  /**
   * What is typed on the terminal; without it there is none. A text is typed at the first question; of a list each at the question that it names.
   */
  readonly keys?: Keys;
  readonly cwd?: string;
}

/** Questions with what is typed there. */
export type Keys = string | readonly (readonly [question: RegExp, typed: string])[];

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs in this process. */
export interface RunningCli {
  readonly result: Promise<CliResult>;
  readonly stdout: string;
  readonly stderr: string;
  signal(name: NodeJS.Signals): void;
  /** Resolves as soon as that was written to standard output or standard error. */
  waitFor(pattern: RegExp): Promise<void>;
}

/** Runs a command line in this process, with a home of its own. */
export function startCli(argv: readonly string[], options: CliOptions = {}): RunningCli {
  const signals = new EventEmitter();
  const seen = { stdout: "", stderr: "" };
  const written = new EventEmitter();
  function sink(name: "stdout" | "stderr", isTTY: boolean): Io["stdout"] {
    return {
      isTTY,
      ...(options.columns === undefined ? {} : { columns: options.columns }),
      write(text: string) {
        seen[name] += text;
        written.emit("text");
      },
    };
  }

  async function run(): Promise<CliResult> {
    const home = await mkdtemp(join(tmpdir(), "cli-home-"));
    const stderr = sink("stderr", options.keys !== undefined);
    const log = { write: (text: string) => stderr.write(text), flushSync: () => undefined };
    try {
      const code = await main(argv, {
        env: {
          PREFECT_HOME: join(home, ".prefect"),
          TERM: "xterm",
          ...(options.apiUrl === undefined ? {} : { PREFECT_API_URL: options.apiUrl }),
          ...options.env,
        },
        cwd: options.cwd ?? home,
        homeDir: home,
        stdin: () => Readable.from([Buffer.from(options.stdin ?? "")]),
        terminal: () => (options.keys === undefined ? undefined : terminal(options.keys)),
        stdout: sink("stdout", options.columns !== undefined),
        stderr,
        log: log,
        output: log,
        signals: signals,
        exit: (exitCode) => {
          throw new Error(`exit ${exitCode}`);
        },
      });
      return { code, ...seen };
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  }

  return {
    result: run(),
    get stdout() {
      return seen.stdout;
    },
    get stderr() {
      return seen.stderr;
    },
    signal: (name) => signals.emit(name, name),
    async waitFor(pattern) {
      while (!pattern.test(seen.stdout + seen.stderr)) {
        await new Promise((resolve) => written.once("text", resolve));
      }
    },
  };
}

/** Runs a command line in this process to its end. */
export function runCli(argv: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return startCli(argv, options).result;
}

/** A keyboard on which the keys are pressed as soon as somebody asks. */
function terminal(keys: Keys): ReturnType<Io["terminal"]> {
  const input = new PassThrough() as PassThrough & { isTTY: boolean; setRawMode: () => void };
  input.isTTY = true;
  input.setRawMode = () => undefined;
  const output = new PassThrough();
  if (typeof keys === "string") {
    // Not within the prompt's own first write.
    output.once("data", () => setImmediate(() => input.write(keys)));
    return { input, output };
  }
  const answers = [...keys];
  let shown = "";
  output.on("data", (chunk: Buffer) => {
    shown += stripVTControlCharacters(chunk.toString());
    const [answer] = answers;
    if (answer === undefined || !answer[0].test(shown)) return;
    answers.shift();
    shown = "";
    setImmediate(() => input.write(answer[1]));
  });
  return { input, output };
}
