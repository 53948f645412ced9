import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { lstat, mkdir, open, realpath, rename, stat, unlink } from "node:fs/promises";
import { dirname, join, sep } from "node:path";

import { StepError } from "../errors.ts";
import { codeOf } from "./failure.ts";

import type { FileHandle } from "node:fs/promises";

/** A file that is being written under a name of its own; nothing of it remains unless it is committed. */
export interface PartialFile {
  /** Writes at a position of the file; calls may overlap. */
  writeAt(chunk: Buffer, position: number): Promise<void>;
  /** Puts it in its place, over what was there. */
  commit(): Promise<void>;
  discard(): Promise<void>;
}

const SLOW_CREATE_MS = 0.3;
const FILES_IN_POOL = 50;
const CREATE = fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_EXCL | fs.constants.O_NOFOLLOW;

/**
 * Where a key's file belongs, relative to the target: without the prefix, backslashes as slashes, no empty or `.` parts.
 * Throws a StepError for a key that would leave the target (Prefect writes it outside).
 */
export function relativePathOf(key: string, prefix: string): string {
  const parts: string[] = [];
  const rest = key.startsWith(prefix) ? key.slice(prefix.length) : undefined;
  for (const part of (rest ?? "..").replaceAll("\\", "/").split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) {
      throw new StepError(
        `The object key '${key}' would leave the target directory, so nothing of it was written`,
        {
          hint: "Remove or rename that object: a key must stay below its folder.",
        },
      );
    }
  }
  const path = parts.join("/");
  if (path !== "" && !path.includes("\0")) return path;
  throw new StepError(`The object key '${key}' names no file`, { hint: "Remove or rename that object." });
}

/** The directory that objects are written to. Nothing is ever written outside, through symbolic links neither. */
export class TargetDirectory {
  /** Absolute, without symbolic links. */
  readonly root: string;
  /** So many files to come are made in the thread pool. */
  #filesInPool = 0;
  readonly #made = new Map<string, Promise<void>>();

  private constructor(root: string) {
    this.root = root;
  }

  static async open(directory: string): Promise<TargetDirectory> {
    const root = await realpath(directory).catch((thrown: unknown) => {
      throw new StepError(`The directory ${directory} cannot be used (${codeOf(thrown)})`, { cause: thrown });
    });
    return new TargetDirectory(root);
  }

  /** Writes a small file in one go. */
  async writeFile(path: string, content: Buffer): Promise<void> {
    const place = await this.#place(path);
    try {
      fillNewFile(await this.#create(place), place, content);
    } catch (thrown) {
      if (codeOf(thrown) !== "EEXIST") throw inWords(thrown, path);
      const file = await this.openPartial(path);
      try {
        if (content.length > 0) await file.writeAt(content, 0);
        await file.commit();
      } finally {
        await file.discard();
      }
    }
  }

  async openPartial(path: string): Promise<PartialFile> {
    const place = await this.#place(path);
    const partial = join(dirname(place), `.lighterman-${randomBytes(6).toString("hex")}.part`);
    const handle = await open(partial, CREATE, 0o666).catch((thrown: unknown) => {
      throw inWords(thrown, path);
    });
    return createPartialFile(handle, partial, place, path);
  }

  /**
   * A hop to the thread pool costs ten times as much as making a small file, so that is done at once; but where the disk is
   * slow (a network file system, a busy machine) the pool does it, and the worker goes on with its other runs.
   */
  async #create(place: string): Promise<number> {
    if (this.#filesInPool > 0) {
      this.#filesInPool -= 1;
      return await createInPool(place);
    }
    const startedMs = performance.now();
    const fd = fs.openSync(place, CREATE, 0o666);
    if (performance.now() - startedMs > SLOW_CREATE_MS) this.#filesInPool = FILES_IN_POOL;
    return fd;
  }

  /** Makes the file's directory; returns the file's absolute path. */
  async #place(path: string): Promise<string> {
    const slash = path.lastIndexOf("/");
    if (slash !== -1) await this.#directory(path.slice(0, slash));
    return `${this.root}${sep}${path}`;
  }

  #directory(path: string): Promise<void> {
    const known = this.#made.get(path);
    if (known !== undefined) return known;
    const made = this.#makeDirectory(path);
    this.#made.set(path, made);
    return made;
  }

  /** One level after the other, so that no link is followed before it was looked at. */
  async #makeDirectory(path: string): Promise<void> {
    const slash = path.lastIndexOf("/");
    if (slash !== -1) await this.#directory(path.slice(0, slash));
    const place = join(this.root, path);
    try {
      await mkdir(place);
      return;
    } catch (thrown) {
      if (codeOf(thrown) !== "EEXIST") throw inWords(thrown, path);
    }
    if ((await lstat(place)).isDirectory()) return;
    const real = await realpath(place).catch(() => undefined);
    if (real === undefined || !(await stat(real)).isDirectory()) throw inTheWay(path);
    if (real !== this.root && !real.startsWith(`${this.root}${sep}`)) {
      throw new StepError(`'${path}' is a symbolic link that leads out of the target directory, to ${real}`, {
        hint: "Remove the link, or pull into another directory (set_working_directory).",
      });
    }
  }
}

function createPartialFile(handle: FileHandle, partial: string, place: string, path: string): PartialFile {
  let isOpen = true;
  let isThere = true;

  async function close(): Promise<void> {
    if (!isOpen) return;
    isOpen = false;
    await handle.close();
  }

  return {
    async writeAt(chunk, position) {
      let written = 0;
      while (written < chunk.length) {
        const { bytesWritten } = await handle
          .write(chunk, written, chunk.length - written, position + written)
          .catch((thrown: unknown) => {
            throw inWords(thrown, path);
          });
        written += bytesWritten;
      }
    },
    async commit() {
      await close();
      await rename(partial, place).catch((thrown: unknown) => {
        throw inWords(thrown, path);
      });
      isThere = false;
    },
    async discard() {
      await close();
      if (isThere) await unlink(partial).catch(() => undefined); // it is already an error that is being told
      isThere = false;
    },
  };
}

/** Writes a file that was just created. Leaves no partial file. */
function fillNewFile(fd: number, place: string, content: Buffer): void {
  try {
    try {
      for (let offset = 0; offset < content.length;) offset += fs.writeSync(fd, content, offset);
    } finally {
      fs.closeSync(fd);
    }
  } catch (thrown) {
    fs.unlinkSync(place);
    throw thrown;
  }
}

function createInPool(place: string): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.open(place, CREATE, 0o666, (error, fd) => (error === null ? resolve(fd) : reject(error)));
  });
}

function inTheWay(path: string): StepError {
  return new StepError(`'${path}' is a file here, but a folder in the bucket`, {
    hint: "Rename one of the two objects, or pull into an empty directory.",
  });
}

function inWords(thrown: unknown, path: string): unknown {
  if (thrown instanceof StepError) return thrown;
  const code = codeOf(thrown);
  switch (code) {
    case "EISDIR":
    case "ENOTEMPTY":
      return new StepError(`'${path}' is a folder here, but a file in the bucket`, {
        cause: thrown,
        hint: "Rename one of the two objects, or pull into an empty directory.",
      });
    case "ENOTDIR":
      return inTheWay(path);
    case "ENOSPC":
    case "EDQUOT":
      return new StepError(`There is no space left to write '${path}' (${code})`, {
        cause: thrown,
        hint: "Free some space on the worker's disk.",
      });
    default:
      return new StepError(`'${path}' cannot be written (${code})`, {
        cause: thrown,
        hint:
          code === "ENAMETOOLONG"
            ? "Shorten the object's key."
            : "Check the directory's owner and permissions on the worker's machine.",
      });
  }
}
