import { chown, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { prefectProgram } from "./prefect-server.ts";
import { listProcesses, readProcFile } from "./proc.ts";
import { TestProcess } from "./test-process.ts";
import type { PrefectMajor } from "./prefect-server.ts";
import type { RunningProcess } from "./proc.ts";

export const workerBundle = fileURLToPath(new URL("../../dist/lighterman.js", import.meta.url));

export interface WorkerOptions {
  readonly apiUrl: string;
  readonly pool: string;
  /** Release of the flow's interpreter (and of the worker itself, for Python's). */
  readonly major?: PrefectMajor;
  /** The flow's interpreter; the venv's own when absent. */
  readonly python?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Another user than the tests' own, who may look at everything, as the tests are anywhere, but changes only what is his. */
  readonly user?: number;
  /** Where it lives; it is left alone at the end then. Its own, swept at the end, when absent. */
  readonly home?: WorkerHome;
}

/** Home, temporary files and workspaces of one worker: everything that it may write stands below. */
export class WorkerHome implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async create(): Promise<WorkerHome> {
    const home = new WorkerHome(await mkdtemp(join(tmpdir(), "worker-home-")));
    await mkdir(join(home.path, "tmp"));
    return home;
  }

  get env(): Readonly<Record<string, string>> {
    return {
      PATH: process.env["PATH"] ?? "",
      HOME: this.path,
      PREFECT_HOME: join(this.path, ".prefect"),
      TMPDIR: join(this.path, "tmp"),
      LANG: "C.UTF-8",
      NODE_NO_WARNINGS: "1",
    };
  }

  /** Ends everything that lives in it, and removes it. */
  async sweep(): Promise<void> {
    for (const { pid } of processesOf(this)) killQuietly(pid);
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Processes whose environment names that home: the worker, its runs, and whatever those started. */
export function processesOf(home: WorkerHome): readonly RunningProcess[] {
  return listProcesses().filter(
    (running) => running.pid !== process.pid && readProcFile(running.pid, "environ").includes(home.path),
  );
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended in the meantime.
  }
}

export interface RunningWorker extends AsyncDisposable {
  readonly process: TestProcess;
  readonly home: WorkerHome;
}

function start(
  home: WorkerHome,
  command: readonly [string, ...string[]],
  options: WorkerOptions,
): RunningWorker {
  const [program, ...args] = command;
  const child = new TestProcess(
    program,
    [...args, "worker", "start", "--pool", options.pool, ...(options.args ?? [])],
    {
      name: args.length > 0 ? "lighterman worker" : "prefect worker",
      cwd: home.path,
      env: { ...home.env, PREFECT_API_URL: options.apiUrl, ...options.env },
    },
  );
  return {
    process: child,
    home,
    async [Symbol.asyncDispose]() {
      // SIGINT thrice is the shortest way to "end now"; the kill is for a worker that hangs.
      child.signal("SIGTERM");
      child.signal("SIGTERM");
      await child.end(15_000).catch(() => undefined);
      await child[Symbol.asyncDispose]();
      if (options.home !== undefined) return;
      // Runs are groups of their own: they outlive a worker that was killed.
      await home.sweep();
    },
  };
}

/** Our worker, from the bundle. Await using it: the end of the block stops it and sweeps its home. */
export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  const python = options.python ?? prefectProgram(options.major ?? 3, "python");
  const home = options.home ?? (await WorkerHome.create());
  const { user } = options;
  if (user !== undefined)
    for (const path of [home.path, home.env["TMPDIR"] ?? ""]) await chown(path, user, user);
  const command: readonly [string, ...string[]] = [process.execPath, workerBundle];
  return start(home, user === undefined ? command : [...asUser(user), ...command], {
    ...options,
    args: ["--python", python, ...(options.args ?? [])],
  });
}

function asUser(user: number): readonly [string, ...string[]] {
  const capabilities = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"];
  return ["setpriv", "--reuid", `${user}`, "--regid", `${user}`, "--clear-groups", ...capabilities];
}

/** Python's worker of that release, for comparisons. */
export async function startPythonWorker(options: WorkerOptions): Promise<RunningWorker> {
  return start(await WorkerHome.create(), [prefectProgram(options.major ?? 3, "prefect")], options);
}

/** Runs one command of the CLI to its end. */
export async function runCommand(
  args: readonly string[],
  options: {
    readonly apiUrl?: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly cwd?: string;
  } = {},
): Promise<{ readonly code: number | null; readonly output: string; readonly lines: readonly string[] }> {
  await using home = await WorkerHome.create();
  await using child = new TestProcess(process.execPath, [workerBundle, ...args], {
    name: `lighterman ${args.join(" ")}`,
    cwd: options.cwd ?? home.path,
    env: {
      ...home.env,
      ...(options.apiUrl === undefined ? {} : { PREFECT_API_URL: options.apiUrl }),
      ...options.env,
    },
  });
  const { code } = await child.end(60_000);
  await child.closed;
  return { code, output: child.output, lines: child.lines };
}
