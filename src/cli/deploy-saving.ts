import { readFile } from "node:fs/promises";
import { basename, dirname, relative } from "node:path";

import { WorkerError } from "../errors.ts";
import { PREFECT_VERSION, prefectIgnore, projectFile, writeFiles } from "../project/init.ts";
import { isSaved, savedEntry, withEntry } from "../project/saved-deployment.ts";
import { answered } from "./deploy-prompts.ts";
import { replaceFile } from "./replace-file.ts";

import type { DeployOutcome } from "../project/deploy.ts";
import type { PrefectFile } from "../project/prefect-file.ts";
import type { Terminal } from "./deploy-prompts.ts";

export interface SavingOptions {
  readonly terminal: Terminal;
  /** Of the file, absolute. */
  readonly path: string;
  readonly cwd: string;
  /** Undefined when there is none. */
  readonly file: PrefectFile | undefined;
}

/**
 * Asks whether a deployment that was registered is to be kept in prefect.yaml, unless it is there already, and writes it
 * (prefect/cli/deploy/_core.py). Resolves with what to tell the user; undefined when there is nothing to tell.
 */
export async function offerToSave(
  outcome: DeployOutcome,
  { terminal, path, cwd, file }: SavingOptions,
): Promise<string | undefined> {
  const { preparation } = outcome;
  if (preparation === undefined || !("id" in outcome) || isSaved(preparation, file)) return undefined;
  const prompts = await import("@clack/prompts");
  const shown = relative(cwd, path) || basename(path);
  const answer = await prompts.confirm({
    message: `Save this deployment's configuration to ${shown}, to deploy it faster next time?`,
    ...terminal,
  });
  // It is registered: leaving here means no.
  if (prompts.isCancel(answer) || !answered(prompts, answer)) return undefined;
  const { target, name } = preparation;
  if (file === undefined) {
    const { build, push, pull, ...entry } = savedEntry(preparation, undefined);
    const text = projectFile({
      name: basename(cwd),
      version: PREFECT_VERSION,
      build: build ?? null,
      push: push ?? null,
      pull: pull ?? null,
      deployments: [entry],
    });
    const files = { ".prefectignore": prefectIgnore(), [basename(path)]: text };
    const written = await writeFiles(dirname(path), files, () => Promise.resolve(false));
    if (!written.includes(basename(path))) {
      throw new WorkerError("DEPLOY_REFUSED", `${shown} is there by now, made by somebody else`, {
        hint: `Add this to it:\n${text}`,
      });
    }
  } else {
    // It may have been changed while the questions were answered.
    const text = await readFile(path, "utf8");
    await replaceFile(path, withEntry(text, savedEntry(preparation, file), target.declaration?.index));
  }
  return `Saved to ${shown}. From now on: lighterman deploy -n ${quoted(name)}`;
}

function quoted(name: string): string {
  return /^[\w.-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`;
}
