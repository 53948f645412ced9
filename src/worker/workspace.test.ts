import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "vitest";

import { Workspaces } from "./workspace.ts";

const KNOWN = "00000000-0000-4000-8000-000000000001";
const OLD = "00000000-0000-4000-8000-000000000002";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lighterman-workspaces-"));
});

afterEach(() => {
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
