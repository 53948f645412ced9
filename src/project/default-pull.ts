import { basename, join, resolve } from "node:path";

import { stepOf } from "./prefect-file.ts";

import type { JsonObject } from "../json/value.ts";
import type { Steps } from "./prefect-file.ts";

export interface DefaultPullInput {
  /** Absolute. */
  readonly cwd: string;
  readonly entrypoint: string;
  readonly buildSteps: Steps;
  readonly jobVariables: JsonObject;
}

export interface DefaultPull {
  readonly steps: Steps;
  /** Something to tell the user: where workers will look for the flow. */
  readonly note?: string;
  readonly warning?: string;
}

export const BUILD_DOCKER_IMAGE = "prefect_docker.deployments.steps.build_docker_image";

/** The inputs of the step that builds a Docker image; undefined when there is none. */
export function dockerBuildOf(steps: Steps): JsonObject | undefined {
  const found = steps.find((step) => Object.hasOwn(step, BUILD_DOCKER_IMAGE));
  return found === undefined ? undefined : stepOf(found).inputs;
}

/**
 * The pull steps of a deployment that declares none (prefect/cli/deploy/_actions.py: _generate_default_pull_action): where the code
 * lies in an image that is built or named, else the current directory.
 */
export function defaultPull({ cwd, entrypoint, buildSteps, jobVariables }: DefaultPullInput): DefaultPull {
  const docker = dockerBuildOf(buildSteps);
  if (docker !== undefined) {
    // Another Dockerfile than a generated one puts the code where it likes.
    return {
      steps: docker["dockerfile"] === "auto" ? [workingDirectory(`/opt/prefect/${basename(cwd)}`)] : [],
    };
  }
  if (jobVariables["image"] !== undefined && jobVariables["image"] !== null && jobVariables["image"] !== "") {
    return {
      steps: [workingDirectory("/opt/prefect")],
      warning:
        "Using the working directory '/opt/prefect' of your Docker image. If your flow code lies elsewhere in it, declare a `pull` step set_working_directory.",
    };
  }
  const colon = entrypoint.lastIndexOf(":");
  const source = colon === -1 ? cwd : resolve(join(cwd, entrypoint.slice(0, colon)));
  return {
    steps: [workingDirectory(cwd)],
    note: `Your Prefect workers will attempt to load your flow from: ${source}. To see more options for managing your flow's code, run: lighterman init`,
  };
}

/** Where the code lies, as a pull step. */
export function workingDirectory(directory: string): JsonObject {
  return { "prefect.deployments.steps.set_working_directory": { directory } };
}
