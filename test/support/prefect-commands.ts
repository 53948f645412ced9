import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { prefectProgram } from "./prefect-server.ts";
import { WorkerHome } from "./worker-process.ts";
import type { ChildProcessByStdio } from "node:child_process";
import type { Readable, Writable } from "node:stream";

const PROGRAM = fileURLToPath(new URL("../integration/fixtures/prefect_commands.py", import.meta.url));

export interface CommandResult {
  readonly code: number;
  readonly output: string;
}

/** The real `prefect` command, all calls in one process with a home of its own. */
export class PrefectCommands implements AsyncDisposable {
  readonly home: WorkerHome;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #answers: AsyncIterator<string>;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(home: WorkerHome, apiUrl: string) {
    this.home = home;
    this.#child = spawn(prefectProgram(3, "python"), [PROGRAM], {
      cwd: home.path,
      env: { ...home.env, PREFECT_API_URL: apiUrl, PYTHONWARNINGS: "ignore" },
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  static async start(apiUrl: string): Promise<PrefectCommands> {
    const commands = new PrefectCommands(await WorkerHome.create(), apiUrl);
    await commands.#answer();
    return commands;
  }

  async #answer(): Promise<CommandResult> {
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error("The process of the prefect commands has ended");
    return JSON.parse(value) as CommandResult;
  }

  /** Runs a command to its end; calls wait for each other. */
  async try(...args: readonly string[]): Promise<CommandResult> {
    const call = this.#last.then(() => {
      this.#child.stdin.write(`${JSON.stringify(args)}\n`);
      return this.#answer();
    });
    this.#last = call.catch(() => undefined);
    return call;
  }

  /** Runs a command that must succeed; returns what it prints. */
  async run(...args: readonly string[]): Promise<string> {
    const { code, output } = await this.try(...args);
    if (code !== 0) throw new Error(`prefect ${args.join(" ")} ended with ${code}:\n${output}`);
    return output;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null) await once(this.#child, "exit");
    await this.home[Symbol.asyncDispose]();
  }
}
