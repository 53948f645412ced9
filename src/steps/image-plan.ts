import { isAbsolute } from "node:path";

import { readSteps } from "./deployment-steps.ts";
import { fetchesCode, isWorkersPython } from "./image-steps.ts";
import { setWorkingDirectory } from "./set-working-directory.ts";

import type { CodeSource } from "./deployment-code.ts";

/**
 * Why the code of a container's run cannot be fetched by the worker; null when it can, as far as the steps' text tells. A list of steps
 * that is malformed is none: whoever runs them says what is wrong.
 */
export function imageObstacle(source: CodeSource): string | null {
  if (source.pull_steps === null || source.pull_steps.length === 0) {
    return source.storage_document_id === null ? "the deployment has no pull steps" : null;
  }
  let isInImage = false;
  for (const { name, inputs } of itemsOf(source)) {
    if (isWorkersPython(name)) return `${name} makes an environment on the worker's machine`;
    if (fetchesCode(name) && isInImage) return `${name} would put its files into the image`;
    const { directory } = inputs;
    if (!setWorkingDirectory.names.includes(name) || typeof directory !== "string") continue;
    isInImage = isAbsolute(directory) || (isInImage && !directory.includes("{{"));
  }
  return null;
}

function itemsOf(source: CodeSource): ReturnType<typeof readSteps>["items"] {
  try {
    return readSteps(source.pull_steps).items;
  } catch {
    return [];
  }
}
