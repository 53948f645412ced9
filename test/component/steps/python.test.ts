import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, onTestFinished } from "vitest";

import { discoverPython } from "../../../src/steps/python.ts";

const { signal } = new AbortController();
const PATH = process.env["PATH"] ?? "";

function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), "lighterman-python-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function program(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}

describe("discoverPython", () => {
  it("takes python3 from the PATH, else python, and asks for the versions", async ({ expect }) => {
    const real = execFileSync("python3", ["-c", "import sys; print(sys.executable)"], {
      encoding: "utf8",
    }).trim();
    const found = await discoverPython({ env: { ...process.env, VIRTUAL_ENV: "" }, signal });
    expect(found).toMatchObject({ path: real, source: "PATH" });
    expect(found.version).toMatch(/^3\.\d+\.\d+$/);

    const directory = temporary();
    program(join(directory, "python3"), "#!/bin/sh\necho no such version >&2\nexit 127\n");
    symlinkSync(real, join(directory, "python"));
    const second = await discoverPython({ env: { PATH: directory }, signal });
    expect(second.path).toBe(join(directory, "python"));
  });

  it("prefers the configured one, then the virtual environment", async ({ expect }) => {
    const directory = temporary();
    mkdirSync(join(directory, "bin"));
    const answer = (name: string): string =>
      `#!/bin/sh\necho noise\necho '{"path": "/${name}", "version": [3, 12, 4], "prefect": "3.8.8"}'\n`;
    program(join(directory, "bin", "python"), answer("venv"));
    program(join(directory, "mine"), answer("mine"));
    const env = { PATH, VIRTUAL_ENV: directory };
    expect(await discoverPython({ env, signal })).toEqual({
      path: "/venv",
      version: "3.12.4",
      prefectVersion: "3.8.8",
      source: "virtual environment",
    });
    const configured = join(directory, "mine");
    expect(await discoverPython({ configured, env, signal })).toMatchObject({
      path: "/mine",
      source: "configured",
    });
  });

  it("says what it tried when there is none", async ({ expect }) => {
    const directory = temporary();
    program(
      join(directory, "python3"),
      `#!/bin/sh\necho '{"path": "/x", "version": [3, 7, 1], "prefect": null}'\n`,
    );
    await expect(
      discoverPython({ env: { PATH: directory, VIRTUAL_ENV: "/nowhere" }, signal }),
    ).rejects.toMatchObject({
      code: "STEP_FAILED",
      message: `No usable Python interpreter for flows (/nowhere/bin/python: not found; ${directory}/python3: it is Python 3.7.1, and 3.8 is the oldest that serves; python: not found)`,
      hint: expect.stringContaining("--python"),
    });
    await expect(discoverPython({ configured: "/no/python", env: { PATH }, signal })).rejects.toMatchObject({
      message: expect.stringContaining("/no/python: not found"),
      hint: "Check the path given with --python.",
    });
  });
});
