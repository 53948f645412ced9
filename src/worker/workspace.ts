import { spawn } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { isAbsolute, join, resolve } from "node:path";

/** Where a run's pull steps and its process start. */
export interface Workspace {
  /** Absolute. */
  readonly directory: string;
  /** True for a fresh directory that goes away with the run; false for the configured `working_dir`. */
  readonly isTemporary: boolean;
  create(): Promise<void>;
  remove(): Promise<void>;
}

/**
 * Gives each run a fresh directory, or the job's `working_dir`, which is kept (protocol §3.5).
 * The output file of a run lies beside the workspace, never inside, so that the flow's code can't disturb it.
 */
export class Workspaces {
  readonly #root: string;
  readonly #outputs: string;

  /** `root` takes the temporary directories, `outputs` the files with the runs' output. */
  constructor(root: string, outputs: string) {
    this.#root = root;
    this.#outputs = outputs;
    mkdirSync(root, { recursive: true, mode: 0o700 });
    mkdirSync(outputs, { recursive: true, mode: 0o700 });
  }

  /**
   * Asks ext4 to put each workspace into another block group. For minutes after a tree was deleted, ext4 looks at each of its
   * inodes again for every new file of the same group: without this, fetching code after other runs have ended takes several
   * times as long. A hint, for the directories to come: other file systems refuse it, and nothing depends on it.
   */
  spreadOverDisk(): void {
    if (process.platform !== "linux") return;
    spawn("chattr", ["+T", this.#root], { stdio: "ignore" })
      .on("error", () => undefined) // there is no chattr
      .unref();
  }

  /** Each attempt has its own, which stays for a while for whoever wants to look. */
  outputFile(flowRunId: string, attempt: string): string {
    return join(this.#outputs, `${flowRunId}-${attempt.slice(0, 8)}.log`);
  }

  /** Says where an attempt's workspace will be, so that this can be noted before there is one. */
  place(flowRunId: string, attempt: string, workingDirectory: string | null, cwd: string): Workspace {
    if (workingDirectory !== null) {
      const directory = isAbsolute(workingDirectory) ? workingDirectory : resolve(cwd, workingDirectory);
      return {
        directory,
        isTemporary: false,
        create: async () => void (await mkdir(directory, { recursive: true })),
        remove: () => Promise.resolve(),
      };
    }
    // Named after the run, so that whoever looks at the disk sees whose it is; "prefect" as the Python worker ends its names.
    const directory = join(this.#root, `${flowRunId}-prefect-${attempt.slice(0, 8)}`);
    return {
      directory,
      isTemporary: true,
      create: () => mkdir(directory, { mode: 0o700 }),
      remove: () => this.remove(directory),
    };
  }

  /** Deletes a temporary workspace; refuses anything that is not below the root. */
  async remove(directory: string): Promise<void> {
    if (!this.owns(directory)) throw new Error(`${directory} is no workspace below ${this.#root}`);
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }

  owns(directory: string): boolean {
    return directory.startsWith(join(this.#root, "/")) && !directory.includes("/../");
  }

  /** Temporary workspaces and outputs that no known run uses and nobody has touched for `minAgeMs`. */
  async sweep(isKnownRun: (flowRunId: string) => boolean, now: number, minAgeMs: number): Promise<number> {
    let removed = 0;
    for (const root of [this.#root, this.#outputs]) {
      for (const name of readdirSync(root)) {
        const path = join(root, name);
        const flowRunId = name.slice(0, 36);
        const modified = lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? now;
        if (isKnownRun(flowRunId) || now - modified < minAgeMs) continue;
        await rm(path, { recursive: true, force: true });
        removed += 1;
      }
    }
    return removed;
  }
}
