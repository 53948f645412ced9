import { expect, test } from "vitest";

import { buildDockerImage } from "./build-docker-image.ts";
import { pushDockerImage } from "./push-docker-image.ts";

test.each([buildDockerImage, pushDockerImage])("only buildx is left to Python's step", (step) => {
  expect(step.fits?.({ image_name: "app" })).toBe(true);
  expect(step.fits?.({ image_name: "app", build_backend: "docker-py" })).toBe(true);
  expect(step.fits?.({ image_name: "app", build_backend: "buildx" })).toBe(false);
});
