import { execFile } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, inject, it, onTestFinished } from "vitest";

import { prepareStorage } from "../../src/steps/storage.ts";
import { openStage } from "../support/pull-stage.ts";

import type { TestStage } from "../support/pull-stage.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PYTHON = process.env["LIGHTERMAN_TEST_PYTHON3"] ?? join(ROOT, ".venvs/prefect3/bin/python");

// The engine's own code runs these, in the flow's interpreter, against a real server.
describe("code that only Prefect's Python can fetch", () => {
  let documentId = "";
  const code = openStage();
  code.write("flow.py", "# the flow\n");
  mkdirSync(join(code.cwd, "team", "flows"), { recursive: true });
  code.write("team/flows/flow.py", "# remote\n");

  function open(): TestStage {
    const stage = openStage();
    onTestFinished(() => stage.remove());
    Object.assign(stage.env, {
      PREFECT_API_URL: inject("prefect3Url"),
      PREFECT_HOME: join(stage.cwd, ".home"),
    });
    return Object.assign(stage, { python: async () => PYTHON });
  }

  beforeAll(async () => {
    const save = `
from prefect.filesystems import LocalFileSystem
print(LocalFileSystem(basepath=${JSON.stringify(code.cwd)}).save("steps-code", overwrite=True, _sync=True))
`;
    const env = {
      ...code.env,
      PREFECT_API_URL: inject("prefect3Url"),
      PREFECT_HOME: join(code.cwd, ".home"),
    };
    const { stdout } = await promisify(execFile)(PYTHON, ["-c", save], { env });
    documentId = stdout.trim().split("\n").at(-1) ?? "";
    return () => code.remove();
  });

  it("comes by pull_with_block, under its old name too", async ({ expect }) => {
    const stage = open();
    const inputs = { block_type_slug: "local-file-system", block_document_name: "steps-code" };
    const pulled = await stage.run([
      { "prefect.deployments.steps.pull_with_block": { id: "new", ...inputs } },
      { "prefect.projects.steps.pull.pull_with_block": { id: "old", ...inputs } },
    ]);
    const directory = "local-file-system-steps-code";
    expect(pulled.outputs).toEqual({ new: { directory }, old: { directory }, directory });
    expect(pulled.directory).toBe(join(stage.cwd, directory));
    expect(readFileSync(join(pulled.directory, "flow.py"), "utf8")).toBe("# the flow\n");
  });

  it("comes by pull_from_remote_storage", async ({ expect }) => {
    const stage = open();
    // fsspec's view of a directory: no network needed, and its settings come as inputs as those of s3:// do.
    const inputs = { url: "dir://team/flows", path: code.cwd, target_protocol: "file" };
    const pulled = await stage.run([{ "prefect.deployments.steps.pull_from_remote_storage": inputs }]);
    expect(pulled.directory).toBe(join(stage.cwd, "team/flows"));
    // This file system does not see the slash by which Prefect asks for the contents only.
    expect(readFileSync(join(pulled.directory, "flows", "flow.py"), "utf8")).toBe("# remote\n");
  });

  it("comes from a deployment's storage block", async ({ expect }) => {
    const stage = open();
    const pulled = await prepareStorage({ ...stage, path: null, storageDocumentId: documentId });
    expect(readFileSync(join(pulled.directory, "flow.py"), "utf8")).toBe("# the flow\n");
  });

  it("says which block is missing", async ({ expect }) => {
    const stage = open();
    const inputs = { block_type_slug: "local-file-system", block_document_name: "no-such" };
    const steps = [{ "prefect.deployments.steps.pull_with_block": inputs }];
    await expect(stage.run(steps)).rejects.toMatchObject({
      message: expect.stringMatching(
        /pull_with_block\) failed: ValueError: Unable to find block document named no-such/,
      ),
    });
  });
});
