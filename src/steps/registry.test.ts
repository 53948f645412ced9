import { describe, it } from "vitest";

import { buildDockerImage } from "./docker/build-docker-image.ts";
import { pushDockerImage } from "./docker/push-docker-image.ts";
import { gitClone } from "./git-clone.ts";
import { pipInstallRequirements } from "./pip-install-requirements.ts";
import { pythonEnvironment } from "./python-environment.ts";
import { pullFromS3 } from "./pull-from-s3.ts";
import { pushToS3 } from "./push-to-s3.ts";
import { currentName, findNativeStep } from "./registry.ts";
import { runShellScript } from "./run-shell-script.ts";
import { setWorkingDirectory } from "./set-working-directory.ts";

describe("findNativeStep", () => {
  const steps = {
    buildDockerImage,
    pushDockerImage,
    gitClone,
    pipInstallRequirements,
    pullFromS3,
    pushToS3,
    pythonEnvironment,
    runShellScript,
    setWorkingDirectory,
  };

  it.for(Object.entries(steps))("finds %s under all its names", async ([, step], { expect }) => {
    expect(step.names.length).toBeGreaterThan(0);
    for (const name of step.names) {
      expect(await findNativeStep(name), name).toBe(step);
      expect(await findNativeStep(name.replace(/\.(\w+)$/, ":$1")), name).toBe(step);
    }
  });

  it.for([
    "prefect.deployments.steps.pull_with_block",
    "prefect_gcp.deployments.steps.pull_from_gcs",
    "my.prefect.deployments.steps.git_clone",
    "git_clone",
    "prefect.py:git_clone",
  ])("leaves %s to Python", async (name, { expect }) => {
    expect(await findNativeStep(name)).toBeUndefined();
  });
});

it("currentName renames what Prefect renamed", ({ expect }) => {
  expect(currentName("prefect.projects.steps.pull_with_block")).toBe(
    "prefect.deployments.steps.pull_with_block",
  );
  expect(currentName("prefect_x.projects.steps.pull")).toBe("prefect_x.projects.steps.pull");
});
