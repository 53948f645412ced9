import { spawn } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { isAbsolute, join, resolve } from "node:path";

import { coerceError, WorkerError } from "../errors.ts";

import type { Rubbish } from "../launcher/types.ts";

/** Where a run's pull steps and its process start. */
export interface Workspace {
  /** Absolute. */
  readonly directory: string;
  /** True for a fresh directory that goes away with the run; false for the configured `working_dir`. */
  readonly isTemporary: boolean;
  create(): Promise<void>;
}

/** Removes what this process may not, as `Launcher.removeFiles` does. */
export type RemoveFiles = (rubbish: Rubbish) => Promise<void>;

export interface WorkspaceSweep {
  readonly isKnownRun: (flowRunId: string) => boolean;
  readonly now: number;
  readonly minAgeMs: number;
  readonly removeFiles?: RemoveFiles;
  /** Told of what could not be removed; the rest goes on. */
  readonly onError: (path: string, error: Error) => void;
}

/** In a workspace that a container sees: its image, by whose means others can remove what it has left there. */
const IMAGE_FILE = "image";

/** Notes that a container of this image will see what is in the workspace's directories. */
export async function noteImage(workspace: string, image: string): Promise<void> {
  await writeFile(join(workspace, IMAGE_FILE), image);
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
      };
    }
    // Named after the run, so that whoever looks at the disk sees whose it is; "prefect" as the Python worker ends its names.
    const directory = join(this.#root, `${flowRunId}-prefect-${attempt.slice(0, 8)}`);
    return {
      directory,
      isTemporary: true,
      create: () => mkdir(directory, { mode: 0o700 }),
    };
  }

  /**
   * Deletes a temporary workspace; refuses anything that is not below the root. Files that a container has left there as another
   * user go by means of `removeFiles`, which is not asked otherwise.
   */
  async remove(directory: string, removeFiles?: RemoveFiles): Promise<void> {
    if (!this.owns(directory)) throw new Error(`${directory} is no workspace below ${this.#root}`);
    const image = await readFile(join(directory, IMAGE_FILE), "utf8").catch(() => null);
    try {
      if (image !== null && removeFiles !== undefined) await removeShown(directory, image, removeFiles);
      await removeTree(directory);
    } catch (thrown) {
      throw isDenied(thrown) ? notRemovable(directory, thrown) : thrown;
    }
  }

  owns(directory: string): boolean {
    return directory.startsWith(join(this.#root, "/")) && !directory.includes("/../");
  }

  /** Temporary workspaces and outputs that no known run uses and nobody has touched for `minAgeMs`; resolves with their number. */
  async sweep({ isKnownRun, now, minAgeMs, removeFiles, onError }: WorkspaceSweep): Promise<number> {
    let removed = 0;
    for (const root of [this.#root, this.#outputs]) {
      for (const name of readdirSync(root)) {
        const path = join(root, name);
        const flowRunId = name.slice(0, 36);
        const modified = lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? now;
        if (isKnownRun(flowRunId) || now - modified < minAgeMs) continue;
        try {
          await (root === this.#root ? this.remove(path, removeFiles) : removeTree(path));
          removed += 1;
        } catch (thrown) {
          onError(path, coerceError(thrown));
        }
      }
    }
    return removed;
  }
}

/** Empties a workspace that a container has seen. The note of its image stays to the last, for whoever has to try again. */
async function removeShown(workspace: string, image: string, removeFiles: RemoveFiles): Promise<void> {
  const names = (await readdir(workspace)).filter((name) => name !== IMAGE_FILE);
  const directories = names.map((name) => join(workspace, name));
  try {
    for (const path of directories) await removeTree(path);
  } catch (denied) {
    if (!isDenied(denied)) throw denied;
    await removeFiles({ directories, image }).catch((thrown: unknown) => {
      throw notRemovable(workspace, thrown, ` and a container of ${image} cannot remove them`);
    });
    for (const path of directories) await removeTree(path);
  }
}

async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 3 });
}

function isDenied(thrown: unknown): boolean {
  const { code }: NodeJS.ErrnoException = coerceError(thrown);
  return code === "EACCES" || code === "EPERM";
}

function notRemovable(directory: string, cause: unknown, more = ""): WorkerError {
  return new WorkerError("NOT_REMOVABLE", `${directory} holds files of another user${more}`, {
    cause,
    hint: `Remove it by hand: sudo rm -rf ${directory}`,
  });
}
