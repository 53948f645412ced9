import { resolve } from "node:path";

import { runPullSteps } from "./run-steps.ts";
import { prepareStorage } from "./storage.ts";

import type { Deployment } from "../api/types.ts";
import type { ImageSteps } from "./image-steps.ts";
import type { PulledCode, PullStage } from "./pull-stage.ts";
import type { StepsOptions } from "./run-steps.ts";
import type { StorageFields } from "./storage.ts";
import type { ReferenceLookups } from "./types.ts";

/** What a deployment says of where its code comes from. */
export type CodeSource = Pick<Deployment, "pull_steps" | "path" | "storage_document_id" | "entrypoint">;

/**
 * Fetches a deployment's code: by its pull steps, or from its storage when it has none (protocol §5.1). Rejects with a StepError,
 * or with the reason of the stage's signal.
 */
export async function fetchDeploymentCode(
  stage: PullStage & { readonly lookups: ReferenceLookups },
  source: CodeSource,
  hooks: Pick<StepsOptions, "onStep" | "onStepBegin"> = {},
): Promise<PulledCode> {
  const storage = {
    path: source.path,
    storageDocumentId: source.storage_document_id,
    entrypoint: source.entrypoint,
  };
  const steps = source.pull_steps;
  if (steps === null || steps.length === 0) {
    return stage.image === undefined
      ? await prepareStorage({ ...stage, ...storage })
      : await prepareImage(stage, stage.image, storage);
  }
  return await runPullSteps({
    ...stage,
    steps,
    fallback: storage,
    ...hooks,
  });
}

/** A deployment's path lies in the image, and the code is used where it is; a storage block's files go into the workspace. */
async function prepareImage(
  { cwd, env }: PullStage,
  image: ImageSteps,
  { storageDocumentId, path }: StorageFields,
): Promise<PulledCode> {
  const rest = { outputs: {}, env, pythonPath: [] };
  if (storageDocumentId === null) {
    return { ...rest, directory: resolve(await image.workingDirectory(), path ?? "") };
  }
  const fromPath = path === "" ? null : path;
  await image.pullStorage({ documentId: storageDocumentId, fromPath }, { cwd });
  return { ...rest, directory: cwd };
}
