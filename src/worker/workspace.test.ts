import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, it } from "vitest";

import { noteImage, Workspaces } from "./workspace.ts";

import type { Rubbish } from "../launcher/types.ts";

const KNOWN = "00000000-0000-4000-8000-000000000001";
const OLD = "00000000-0000-4000-8000-000000000002";

let directory: string;
let restore: () => void;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lighterman-workspaces-"));
  restore = () => undefined;
});

afterEach(() => {
  restore();
  rmSync(directory, { recursive: true });
});

describe("the sweep of workspaces", () => {
  it("removes all that an unknown run has left, a withdrawn start as well, once it is old", async ({
    expect,
  }) => {
    const [root, outputs] = [join(directory, "workspaces"), join(directory, "output")];
    const workspaces = new Workspaces(root, outputs);
    for (const run of [KNOWN, OLD]) {
      mkdirSync(join(root, `${run}-prefect-0badc0de`));
      writeFileSync(join(outputs, `${run}-0badc0de.log`), "");
      symlinkSync("withdrawn", join(outputs, `${run}-0badc0de.log.0badc0de.begun`));
    }
    const isKnown = (flowRunId: string): boolean => flowRunId === KNOWN;
    const options = { isKnownRun: isKnown, minAgeMs: 60_000, onError: expect.unreachable };
    expect(await workspaces.sweep({ ...options, now: Date.now() })).toBe(0);
    expect(await workspaces.sweep({ ...options, now: Date.now() + 120_000 })).toBe(3);
    expect([...readdirSync(root), ...readdirSync(outputs)].every((name) => name.startsWith(KNOWN))).toBe(
      true,
    );
  });
});

describe("a workspace that a container has seen", () => {
  const NOBODY = 65_534;

  /** Its files cannot be removed by this process: where it is root, it is somebody else for the test. */
  async function openWorkspace(): Promise<{
    readonly workspaces: Workspaces;
    readonly workspace: string;
    readonly code: string;
    /** As root of a container would. */
    readonly removeAll: (rubbish: Rubbish) => Promise<void>;
  }> {
    const workspaces = new Workspaces(join(directory, "workspaces"), join(directory, "output"));
    const workspace = join(directory, "workspaces", `${OLD}-prefect-0badc0de`);
    const code = join(workspace, "workspace");
    mkdirSync(join(code, "left"), { recursive: true });
    writeFileSync(join(code, "left", "file"), "");
    await noteImage(workspace, "image:1");
    if (process.getuid?.() === 0) {
      const places = [".", "workspaces", "output", workspace, code, join(code, "left")];
      for (const path of places) chownSync(resolve(directory, path), NOBODY, NOBODY);
      process.seteuid?.(NOBODY);
    }
    chmodSync(join(code, "left"), 0o555);
    restore = () => {
      if (existsSync(join(code, "left"))) chmodSync(join(code, "left"), 0o755);
      if (process.getuid?.() === 0) process.seteuid?.(0);
    };
    return {
      workspaces,
      workspace,
      code,
      removeAll: async () => {
        chmodSync(join(code, "left"), 0o755);
        rmSync(join(code, "left"), { recursive: true });
      },
    };
  }

  it("is removed by means of its image where this process may not, and only there", async ({ expect }) => {
    const { workspaces, workspace, code, removeAll } = await openWorkspace();
    const asked: Rubbish[] = [];
    await workspaces.remove(workspace, async (rubbish) => {
      asked.push(rubbish);
      await removeAll(rubbish);
    });
    expect(asked).toEqual([{ directories: [code], image: "image:1" }]);
    expect(existsSync(workspace)).toBe(false);
    mkdirSync(join(workspace, "workspace"), { recursive: true });
    await noteImage(workspace, "image:1");
    await workspaces.remove(workspace, () => expect.unreachable());
    expect(existsSync(workspace)).toBe(false);
  });

  it("tells what to do when nothing helps, keeps the note of its image, and keeps nothing else from being swept", async ({
    expect,
  }) => {
    const { workspaces, workspace, removeAll } = await openWorkspace();
    const refused = {
      code: "NOT_REMOVABLE",
      message: `${workspace} holds files of another user and a container of image:1 cannot remove them`,
      hint: `Remove it by hand: sudo rm -rf ${workspace}`,
    };
    const refuse = () => Promise.reject(new Error("no such image"));
    await expect(workspaces.remove(workspace, refuse)).rejects.toMatchObject(refused);
    await expect(workspaces.remove(workspace, () => Promise.resolve())).rejects.toMatchObject({
      message: `${workspace} holds files of another user`,
    });
    const other = `${workspace}-later`;
    mkdirSync(other);
    const failed: unknown[] = [];
    const options = {
      isKnownRun: () => false,
      now: Date.now() + 120_000,
      minAgeMs: 60_000,
      onError: (...failure: unknown[]) => failed.push(failure),
    };
    expect(await workspaces.sweep({ ...options, removeFiles: refuse })).toBe(1);
    expect(failed).toEqual([[workspace, expect.objectContaining(refused)]]);
    expect(existsSync(other)).toBe(false);
    expect(await workspaces.sweep({ ...options, removeFiles: removeAll })).toBe(1);
    expect(existsSync(workspace)).toBe(false);
  });
});
