import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";

import { parseImageReference } from "../docker/image-reference.ts";
import { coerceError } from "../errors.ts";

// What is wrong with an answer, for the question to be asked again; undefined when nothing is.

/** For answers that may not be empty. */
export function required(text: string | undefined): string | undefined {
  return text === undefined || text.trim() === "" ? "It is needed." : undefined;
}

/** A deployment's name is part of `flow/name`, and of addresses. */
export function deploymentNameProblem(text: string | undefined): string | undefined {
  return (
    required(text) ?? (/[/%]/.test(text ?? "") ? "Leave out / and %: no name may hold them." : undefined)
  );
}

/** Names of pools (prefect/types/names.py, prefect/server/api/workers.py: create_work_pool). */
export function poolNameProblem(text: string | undefined, taken: readonly string[]): string | undefined {
  const name = text ?? "";
  if (/[/%&<>]/.test(name)) return "Leave out /, %, &, < and >: no name of a pool may hold them.";
  if (/^prefect/i.test(name)) return "Names that begin with 'prefect' are the server's own; take another.";
  return required(name) ?? (taken.includes(name) ? "There is a pool of that name already." : undefined);
}

/** Names of blocks (prefect/types/names.py). */
export function blockNameProblem(text: string | undefined, taken: readonly string[]): string | undefined {
  const name = text ?? "";
  if (!/^[a-z0-9-]*$/.test(name)) return "Use lower-case letters, digits and dashes only.";
  return required(name) ?? (taken.includes(name) ? "There is a block of that name already." : undefined);
}

/** Of an image's name, with or without tag; one that a template gives is known only later. */
export function imageProblem(name: string): string | undefined {
  if (name.includes("{{")) return undefined;
  try {
    parseImageReference(name);
    return undefined;
  } catch (thrown) {
    return coerceError(thrown).message;
  }
}

/** Of the path that a file is to be moved to: nothing may be there, but for its directory. */
export function newPathProblem(text: string | undefined, cwd: string): string | undefined {
  const path = resolve(cwd, text ?? "");
  if (existsSync(path)) return `${text} is there already; take another name.`;
  return (
    required(text) ?? (existsSync(dirname(path)) ? undefined : `There is no directory ${dirname(path)}.`)
  );
}
