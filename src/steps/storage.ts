import { cp, lstat, mkdir, realpath, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join, relative, resolve } from "node:path";

import { pythonRepr } from "../json/python.ts";
import { StepError } from "./errors.ts";
import { readIgnoreFile } from "./ignore-file.ts";
import { PythonSteps } from "./python-steps.ts";

import type { PulledCode, PullStage } from "./pull-stage.ts";

/** The fields of a deployment that say where its code lies when no pull step does. */
export interface StorageFields {
  readonly path: string | null;
  readonly storageDocumentId: string | null;
  readonly entrypoint?: string | null;
}

export interface StorageOptions extends PullStage, StorageFields {
  /** Do nothing when a local path does not hold the entrypoint either. */
  readonly onlyForEntrypoint?: boolean;
}

const PLACEHOLDER = "$STORAGE_BASE_PATH";

/**
 * Fetches the code of a deployment without pull steps: its storage block's files, or else a copy of its local path, are put
 * into `cwd` (protocol §5.1, prefect/runner/_workspace_resolver.py). A path that is null or `.` means that they are there.
 */
export async function prepareStorage(options: StorageOptions): Promise<PulledCode> {
  const { env, log, path, storageDocumentId, entrypoint } = options;
  const cwd = await realpath(options.cwd);
  const base = storageBase(env);
  const sourceCwd = options.sourceCwd ?? cwd;
  const source = path === null ? sourceCwd : resolve(sourceCwd, withHome(withBase(path, base), env));
  const untouched = { directory: cwd, outputs: {}, env, pythonPath: [] };
  if (options.onlyForEntrypoint === true && storageDocumentId === null) {
    if (!(await entrypointExists(entrypoint, source))) return untouched;
  }
  const target = targetDirectory(path, base, cwd);
  if (storageDocumentId === null) {
    log.info(`Downloading flow code from storage at ${pythonRepr(source)}`);
    await copyDirectory(source, target);
  } else {
    const fromPath = path === null || path === "" ? null : withBase(path, base);
    log.info(`Downloading flow code from storage at ${pythonRepr(fromPath)}`);
    await pullBlock(storageDocumentId, fromPath, target, cwd, options);
  }
  const isElsewhere =
    !(await entrypointExists(entrypoint, target)) && (await entrypointExists(entrypoint, source));
  return { ...untouched, directory: isElsewhere ? source : target };
}

/** True when the entrypoint's file lies in the directory; false for a module path and when there is none. */
export async function entrypointExists(
  entrypoint: string | null | undefined,
  directory: string,
): Promise<boolean> {
  const file = entrypoint?.slice(0, Math.max(0, entrypoint.lastIndexOf(":"))) ?? "";
  if (!file.endsWith(".py")) return false;
  return (await stat(resolve(directory, file)).catch(() => undefined))?.isFile() === true;
}

async function pullBlock(
  documentId: string,
  fromPath: string | null,
  localPath: string,
  cwd: string,
  options: StorageOptions,
): Promise<void> {
  const python = new PythonSteps(options, options.sourceCwd ?? cwd);
  try {
    await mkdir(localPath, { recursive: true });
    await python.pullStorage({ documentId, fromPath, localPath }, { cwd, env: options.env });
  } catch (thrown) {
    options.signal.throwIfAborted();
    if (!(thrown instanceof StepError)) throw thrown;
    throw new StepError(`The deployment's storage block ${documentId} gave no code: ${thrown.message}`, {
      cause: thrown,
      hint:
        thrown.hint ??
        "Check that the block exists and that the flow's interpreter has the package of its type.",
      ...(thrown.outputTail === undefined ? {} : { outputTail: thrown.outputTail }),
    });
  } finally {
    await python.stop();
  }
}

/** Copies what the directory's .prefectignore does not exclude, over what is there; symbolic links stay links. */
async function copyDirectory(source: string, target: string): Promise<void> {
  const from = await realpath(source).catch(() => undefined);
  if (from === undefined || !(await stat(from)).isDirectory()) {
    throw new StepError(`The deployment's path ${source} is no directory on this machine`, {
      hint: "A deployment without pull steps runs where its code lies. Add a pull section, or put the code there.",
    });
  }
  if (from === target) return;
  if (isInside(target, from)) {
    throw new StepError(`The deployment's path ${from} holds the run's own working directory ${target}`, {
      hint: "Choose another working directory for the work pool, or a deployment path that does not contain it.",
    });
  }
  const isIgnored = await readIgnoreFile(join(from, ".prefectignore"));
  await cp(from, target, {
    recursive: true,
    force: true,
    verbatimSymlinks: true,
    filter: async (file) => {
      const name = relative(from, file);
      return name === "" || !isIgnored(name, (await lstat(file)).isDirectory());
    },
  });
}

function storageBase(env: Readonly<Record<string, string>>): string | null {
  const base = env["PREFECT__STORAGE_BASE_PATH"];
  return base === undefined || base === "" ? null : resolve(withHome(base, env));
}

function withBase(path: string, base: string | null): string {
  return base === null ? path : path.replaceAll(PLACEHOLDER, base);
}

// A path below the storage base keeps its place below the working directory.
function targetDirectory(path: string | null, base: string | null, cwd: string): string {
  if (path === null || base === null || !path.includes(PLACEHOLDER)) return cwd;
  const source = withBase(path, base);
  return isAbsolute(source) && (source === base || isInside(source, base))
    ? resolve(cwd, relative(base, source))
    : cwd;
}

function isInside(path: string, directory: string): boolean {
  const name = relative(directory, path);
  return name !== "" && name !== ".." && !name.startsWith("../") && !isAbsolute(name);
}

function withHome(path: string, env: Readonly<Record<string, string>>): string {
  return path === "~" || path.startsWith("~/") ? join(env["HOME"] ?? homedir(), path.slice(1)) : path;
}
