import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { ChildProcess } from "node:child_process";

export interface TestProcessOptions {
  readonly cwd?: string;
  /** The whole environment, nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** What the error texts call it. */
  readonly name?: string;
}

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const alive = new Set<TestProcess>();
process.once("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});

/** A child in a process group of its own, whose output is kept as lines. */
export class TestProcess implements AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  /** stdout and stderr, interleaved as they came. */
  readonly lines: string[] = [];
  readonly ended: Promise<ProcessEnd>;
  /** Resolves when nobody holds its stdout and stderr any more: then `lines` is complete. */
  readonly closed: Promise<void>;
  #watchers = new Set<() => void>();
  #end: ProcessEnd | undefined;

  constructor(command: string, args: readonly string[], options: TestProcessOptions) {
    this.name = options.name ?? command;
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.pid = child.pid ?? 0;
    alive.add(this);
    this.closed = new Promise((resolve) => child.once("close", () => resolve()));
    this.ended = this.#watch(child);
    // A failure to start is reported to whoever waits; nobody may wait.
    this.ended.catch(() => undefined);
  }

  async #watch(child: ChildProcess): Promise<ProcessEnd> {
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on("line", (line) => {
        this.lines.push(line);
        this.#notify();
      });
    }
    try {
      // Not "close": a grandchild may hold the pipes for longer.
      const [code, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
      this.#end = { code, signal };
      return this.#end;
    } finally {
      alive.delete(this);
      this.#notify();
    }
  }

  #notify(): void {
    for (const watcher of this.#watchers) watcher();
  }

  get output(): string {
    return this.lines.join("\n");
  }

  get isRunning(): boolean {
    return this.#end === undefined;
  }

  /** The first line that matches, also one that has been there before. */
  waitForLine(pattern: RegExp, timeoutMs = 60_000): Promise<string> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        settle();
      };
      const fail = (why: string) =>
        finish(() =>
          reject(new Error(`${this.name}: ${why} without a line like ${pattern}\n${this.output}`)),
        );
      const look = () => {
        const line = this.lines.find((candidate) => pattern.test(candidate));
        if (line !== undefined) finish(() => resolve(line));
        // Its last lines may still be in the pipe when it has ended.
        else if (this.#end !== undefined) setTimeout(() => fail("ended"), 200).unref();
      };
      const timer = setTimeout(() => fail(`${timeoutMs / 1000} s passed`), timeoutMs);
      this.#watchers.add(look);
      look();
    });
  }

  /** Signals the process itself. */
  signal(name: NodeJS.Signals): void {
    if (this.isRunning) process.kill(this.pid, name);
  }

  /** Signals the whole group, also when its leader has ended. */
  kill(name: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, name);
    } catch {
      // Nobody is left in the group.
    }
  }

  /** Waits for the end and fails with the output when it does not come in time. */
  async end(timeoutMs = 60_000): Promise<ProcessEnd> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`${this.name} did not end within ${timeoutMs / 1000} s\n${this.output}`)),
        timeoutMs,
      );
    });
    try {
      return await Promise.race([this.ended, deadline]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends what is left of it at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL");
    await this.ended.catch(() => undefined);
  }
}
