import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

import { coerceError } from "../../errors.ts";
import { findUrlCredentials } from "../../log/url-credentials.ts";
import { StepError } from "../errors.ts";

/** What is to be installed: lines as in a requirements file, and requirements files. */
export interface RequirementSources {
  readonly lines: readonly string[];
  /** Relative ones count from `cwd`. */
  readonly files: readonly string[];
  /** Absolute. */
  readonly cwd: string;
  /** For `${NAME}` in the lines, which pip fills in. */
  readonly env: Readonly<Record<string, string>>;
}

const NESTED = /^(?:-r|--requirement|-c|--constraint)(?:\s+|=|(?<=^-[rc]))(.+)$/;
const FIND_LINKS = /^(?:-f|--find-links)(?:\s+|=)(?!\S*:\/\/)(\S+)/;
const EDITABLE = /^(?:-e\b|--editable\b)/;
const PATH = /^(?:\.{0,2}\/|\.{1,2}(?:$|\[))/;
const ARCHIVE = /\.(?:whl|zip|tar\.gz|tgz)$/;

/**
 * All that an installation depends on, one text each and without comments and passwords: the requirement lines, those of the
 * files and of the files which these name, and the contents of local archives. Two equal lists install the same.
 * Rejects with a StepError for a file that is not there, and for what other runs could not share (`-e`, local directories).
 */
export async function readRequirements(sources: RequirementSources): Promise<readonly string[]> {
  const found: string[] = [];
  for (const line of significantLines(sources.lines.join("\n"))) {
    const nested = NESTED.exec(line)?.[1];
    if (nested !== undefined && !nested.includes("://")) {
      throw new StepError(`The requirement '${line}' names a file`, {
        hint: "Name requirements files in the input `requirements_file`.",
      });
    }
    found.push(...(await readLine(line, sources.cwd, sources)));
  }
  const seen = new Set<string>();
  for (const file of sources.files)
    found.push(...(await readFileLines(resolve(sources.cwd, file), sources, seen)));
  return found;
}

async function readFileLines(
  path: string,
  sources: RequirementSources,
  seen: Set<string>,
): Promise<string[]> {
  if (seen.has(path)) return [];
  seen.add(path);
  const found: string[] = [];
  for (const line of significantLines(await readText(path))) {
    const nested = NESTED.exec(line)?.[1]?.trim();
    if (nested === undefined || nested.includes("://"))
      found.push(...(await readLine(line, dirname(path), sources)));
    else {
      const kind = /^--?c/.test(line) ? "-c" : "-r";
      found.push(kind, ...(await readFileLines(resolve(dirname(path), nested), sources, seen)));
    }
  }
  return found;
}

async function readLine(
  line: string,
  directory: string,
  { cwd, env }: RequirementSources,
): Promise<string[]> {
  if (EDITABLE.test(line)) throw unshareable(line);
  const filled = line.replaceAll(/\$\{([A-Z0-9_]+)\}/g, (whole, name: string) => env[name] ?? whole);
  const links = FIND_LINKS.exec(filled)?.[1];
  if (links !== undefined)
    return [filled, ...(await listing(resolve(directory, links), resolve(cwd, links)))];
  const local = localPath(filled);
  if (local === undefined) return [withoutPasswords(filled)];
  // pip counts from the current directory, uv from the file's.
  for (const path of [resolve(directory, local), resolve(cwd, local)]) {
    const entry = await stat(path).catch(() => undefined);
    if (entry?.isDirectory() === true) throw unshareable(line);
    if (entry !== undefined)
      return [
        filled,
        createHash("sha256")
          .update(await readFile(path))
          .digest("hex"),
      ];
  }
  throw new StepError(`The requirement '${line}' names a file that is not there: ${join(cwd, local)}`);
}

/** What a requirement names on this machine: `./x.whl`, `x @ file:///x.whl`; undefined for a name or an address. */
function localPath(line: string): string | undefined {
  if (line.startsWith("-")) return undefined;
  const target = line.replace(/\s(?:;|--).*$/, "").replace(/^[\w.-]+(?:\[[^\]]*\])? ?@ ?/, "");
  if (target.startsWith("file:")) return target.replace(/^file:(?:\/\/(?:localhost)?)?/, "");
  if (target.includes("://")) return undefined;
  return PATH.test(target) || ARCHIVE.test(target) ? target : undefined;
}

/** What the first of the directories that exists holds: names and sizes, for wheels can be large. */
async function listing(...directories: readonly string[]): Promise<string[]> {
  for (const directory of directories) {
    const names = await readdir(directory).catch(() => undefined);
    if (names === undefined) continue;
    return await Promise.all(
      names.toSorted().map(async (name) => `${name} ${(await stat(join(directory, name))).size}`),
    );
  }
  return [];
}

/** Without comments and empty lines, continued lines as one (pip's requirements file format). */
function significantLines(text: string): string[] {
  return text
    .replaceAll(/\\\r?\n/g, " ")
    .split(/\r?\n/)
    .map((line) =>
      line
        .replace(/(?:^|\s)#.*$/, "")
        .trim()
        .replaceAll(/\s+/g, " "),
    )
    .filter((line) => line !== "");
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (thrown) {
    throw new StepError(`The requirements file ${path} cannot be read: ${coerceError(thrown).message}`, {
      cause: thrown,
      hint: "Check `directory` and `requirements_file`; a relative path counts from the current directory of the steps.",
    });
  }
}

/** A password that changes makes no other environment, and has no business on the disk. */
export function withoutPasswords(text: string): string {
  return findUrlCredentials(text).reduceRight(
    (rest, { start, end }) => rest.slice(0, start) + rest.slice(end + 1),
    text,
  );
}

function unshareable(line: string): StepError {
  return new StepError(
    `The requirement '${line}' is a directory of this run, and cached environments outlive it`,
    {
      hint: "Leave it out (the flow's directory is on the import path), add a directory with set_working_directory, or build a wheel.",
    },
  );
}
