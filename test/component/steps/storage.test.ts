import { existsSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, onTestFinished } from "vitest";

import { prepareStorage } from "../../../src/steps/storage.ts";
import { openStage as open } from "../../support/pull-stage.ts";

import type { TestStage } from "../../support/pull-stage.ts";

function openStage(): TestStage {
  const stage = open();
  onTestFinished(() => stage.remove());
  return stage;
}

describe("prepareStorage", () => {
  it("leaves everything where it is when the path is null or the directory itself", async ({ expect }) => {
    const stage = openStage();
    for (const path of [null, ".", stage.cwd]) {
      const pulled = await prepareStorage({ ...stage, path, storageDocumentId: null });
      expect(pulled).toEqual({ directory: stage.cwd, outputs: {}, env: stage.env, pythonPath: [] });
    }
  });

  it("copies a local path over what is there, without what .prefectignore names", async ({ expect }) => {
    const code = openStage();
    code.write("flow.py", "new");
    code.write("secret.env", "");
    code.write(".prefectignore", "*.env\n__pycache__/\n!keep.env\n");
    code.write("keep.env", "");
    mkdirSync(join(code.cwd, "pkg", "__pycache__"), { recursive: true });
    code.write("pkg/__pycache__/x.pyc", "");
    code.write("pkg/mod.py", "");
    symlinkSync("flow.py", join(code.cwd, "link"));
    const stage = openStage();
    stage.write("flow.py", "old");
    const pulled = await prepareStorage({ ...stage, path: code.cwd, storageDocumentId: null });
    expect(pulled.directory).toBe(stage.cwd);
    expect(readFileSync(join(stage.cwd, "flow.py"), "utf8")).toBe("new");
    expect(readlinkSync(join(stage.cwd, "link"))).toBe("flow.py");
    const isThere = (name: string): boolean => existsSync(join(stage.cwd, name));
    expect(["secret.env", "keep.env", "pkg/mod.py", "pkg/__pycache__"].map(isThere)).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect(stage.lines).toEqual([`info: Downloading flow code from storage at '${code.cwd}'`]);
  });

  it("keeps the place of a path below the storage base", async ({ expect }) => {
    const base = openStage();
    mkdirSync(join(base.cwd, "team", "a"), { recursive: true });
    base.write("team/a/flow.py", "");
    const stage = openStage();
    stage.env["PREFECT__STORAGE_BASE_PATH"] = base.cwd;
    const pulled = await prepareStorage({
      ...stage,
      path: "$STORAGE_BASE_PATH/team/a",
      storageDocumentId: null,
    });
    expect(pulled.directory).toBe(join(stage.cwd, "team", "a"));
    expect(existsSync(join(pulled.directory, "flow.py"))).toBe(true);
  });

  it("starts where the code lies when the copy lacks the entrypoint", async ({ expect }) => {
    const code = openStage();
    code.write("flow.py", "");
    code.write(".prefectignore", "flow.py\n");
    const stage = openStage();
    const fields = { path: code.cwd, storageDocumentId: null, entrypoint: "flow.py:main" };
    expect((await prepareStorage({ ...stage, ...fields })).directory).toBe(code.cwd);
  });

  it("refuses a path that does not exist, or that holds the working directory", async ({ expect }) => {
    const stage = openStage();
    await expect(
      prepareStorage({ ...stage, path: "/no/where", storageDocumentId: null }),
    ).rejects.toMatchObject({
      message: "The deployment's path /no/where is no directory on this machine",
    });
    await expect(prepareStorage({ ...stage, path: "..", storageDocumentId: null })).rejects.toMatchObject({
      message: expect.stringContaining("holds the run's own working directory"),
    });
  });

  it("lets a storage block put its files there, in the flow's interpreter", async ({ expect }) => {
    const stage = openStage();
    const lib = openStage();
    // Stands for Prefect: the names that the bridge uses of it.
    for (const name of ["prefect", "prefect/blocks", "prefect/client"]) {
      mkdirSync(join(lib.cwd, name));
      writeFileSync(join(lib.cwd, name, "__init__.py"), "");
    }
    lib.write(
      "prefect/client/orchestration.py",
      `
class get_client:
    async def __aenter__(self): return self
    async def __aexit__(self, *args): pass
    async def read_block_document(self, id):
        if str(id).startswith("0"): raise LookupError("no such block")
        return {"id": str(id)}
`,
    );
    lib.write(
      "prefect/blocks/core.py",
      `
import pathlib
class Block:
    @classmethod
    def _from_block_document(cls, document): return cls()
    async def get_directory(self, from_path, local_path):
        pathlib.Path(local_path, "flow.py").write_text(repr(from_path))
`,
    );
    stage.env["PYTHONPATH"] = lib.cwd;
    const storageDocumentId = "8d0b1b1e-0000-4000-8000-000000000001";
    const pulled = await prepareStorage({ ...stage, path: "sub/dir", storageDocumentId });
    expect(pulled.directory).toBe(stage.cwd);
    expect(readFileSync(join(stage.cwd, "flow.py"), "utf8")).toBe("'sub/dir'");

    const missing = storageDocumentId.replace("8", "0");
    await expect(prepareStorage({ ...stage, path: null, storageDocumentId: missing })).rejects.toMatchObject({
      message: `The deployment's storage block ${missing} gave no code: LookupError: no such block`,
      hint: expect.any(String),
    });
  });
});
