import { describe, it } from "vitest";

import { imageObstacle } from "./image-plan.ts";

import type { CodeSource } from "./deployment-code.ts";

const CHDIR = "prefect.deployments.steps.set_working_directory";
const GIT = "prefect.deployments.steps.git_clone";
const SHELL = "prefect.deployments.steps.run_shell_script";

describe("imageObstacle", () => {
  it.for<[what: string, steps: CodeSource["pull_steps"], obstacle: RegExp | null]>([
    ["git, then the image", [{ [GIT]: { repository: "x" } }, { [SHELL]: { script: "make" } }], null],
    ["a path of the image", [{ [CHDIR]: { directory: "/app" } }, { [SHELL]: { script: "make" } }], null],
    ["code into a path of the image", [{ [CHDIR]: { directory: "/app" } }, { [GIT]: {} }], /into the image$/],
    [
      "a step's own directory",
      [{ [GIT]: { id: "c" } }, { [CHDIR]: { directory: "{{ c.directory }}/sub" } }, { [GIT]: {} }],
      null,
    ],
    ["the worker's Python", [{ "lighterman.steps.python_environment": {} }], /on the worker's machine$/],
    ["a malformed list, which whoever runs it explains", ["no step"], null],
    ["no steps", [], /^the deployment has no pull steps$/],
  ])("%s", ([, pull_steps, obstacle], { expect }) => {
    const found = imageObstacle({
      pull_steps,
      path: null,
      storage_document_id: null,
      entrypoint: "flow.py:f",
    });
    if (obstacle === null) expect(found).toBeNull();
    else expect(found).toMatch(obstacle);
  });
});
