import { StepInputs } from "../step-inputs.ts";
import { withEngine } from "./engine-session.ts";
import { checkBackend, credentialsOf, fullImageName, tagOf, tagsOf } from "./image-inputs.ts";
import { once } from "./once.ts";
import { pushTags } from "./push-image.ts";

import type { JsonObject } from "../../json/value.ts";
import type { NativeStep, StepContext, StepOutcome } from "../types.ts";

/**
 * Pushes an image to the registry that its name begins with (prefect_docker/deployments/steps.py), with the credentials given,
 * else with what `docker login` left. The same inputs are pushed once per command.
 */
export const pushDockerImage: NativeStep = {
  names: [
    "prefect_docker.deployments.steps.push_docker_image",
    "prefect_docker.projects.steps.push_docker_image",
  ],
  fits: ({ build_backend: backend }) => backend !== "buildx",
  run: async (inputs, context) => await once("push", inputs, context, run),
};

async function run(inputs: JsonObject, context: StepContext): Promise<StepOutcome> {
  const given = new StepInputs("push_docker_image", inputs, [
    "image_name",
    "tag",
    "credentials",
    "additional_tags",
    "ignore_cache",
    "build_backend",
  ]);
  checkBackend(inputs["build_backend"]);
  const name = fullImageName(given.text("image_name"), context.env);
  const registerSecret = (secret: string): void => context.registerSecret(secret);
  const tag = tagOf(inputs["tag"]);
  const additionalTags = tagsOf(inputs["additional_tags"]);
  const credentials = credentialsOf(inputs["credentials"], registerSecret);
  await withEngine(context.env, async (engine) => {
    await pushTags(engine, { name, tags: [tag, ...additionalTags], credentials }, context);
  });
  return {
    outputs: {
      image_name: name,
      tag: inputs["tag"] ?? null,
      // Prefect writes `name:None` where there is no tag.
      image: tag === null ? name : `${name}:${tag}`,
      additional_tags: inputs["additional_tags"] ?? [],
    },
  };
}
