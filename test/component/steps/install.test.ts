import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it, onTestFinished } from "vitest";

import { packageRoot } from "../../../src/lifecycle/package-root.ts";
import { installPackages } from "../../../src/steps/install.ts";
import { until } from "../../support/deadline.ts";
import { isAlive } from "../../support/proc.ts";

const { signal } = new AbortController();

function room(): { directory: string; python: string; log: () => string[]; uv: (body: string) => void } {
  const directory = mkdtempSync(join(tmpdir(), "lighterman-install-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const log = join(directory, "log");
  writeFileSync(log, "");
  const script = (name: string, body: string): string => {
    const path = join(directory, name);
    writeFileSync(path, `#!/bin/sh\n${body}\n`);
    chmodSync(path, 0o755);
    return path;
  };
  // Runs our lock with the real interpreter, and stands in for pip itself.
  const python = script(
    "python",
    `case "$1" in
  -m) shift; echo "begin $*" >> ${log}; sleep 0.2; echo "end" >> ${log}; [ -z "$NO_PIP" ] || { echo "No module named pip" >&2; exit 1; }; exit 0;;
  *) exec python3 "$@";;
esac`,
  );
  return {
    directory,
    python,
    log: () => readFileSync(log, "utf8").trimEnd().split("\n"),
    uv: (body) => void script("uv", `echo "uv $*" >> ${log}\n${body}`),
  };
}

function env(directory: string, more: Record<string, string> = {}): Record<string, string> {
  return {
    PATH: `${directory}:${process.env["PATH"] ?? ""}`,
    HOME: directory,
    PIP_CONFIG_FILE: "/dev/null",
    ...more,
  };
}

describe("installPackages", () => {
  it("lets only one installation at a time into an environment", async ({ expect }) => {
    const { directory, python, log } = room();
    const waits: string[] = [];
    const results = await Promise.all(
      ["a", "b", "c"].map((name) =>
        installPackages({
          python,
          args: [name],
          cwd: directory,
          env: env(directory),
          signal,
          onLine: (line) => waits.push(line),
        }),
      ),
    );
    expect(results.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
    expect(log().map((line) => line.split(" ")[0])).toEqual(["begin", "end", "begin", "end", "begin", "end"]);
    expect(waits.some((line) => line.startsWith("Waiting for another installation into "))).toBe(true);
  });

  it("uses uv when it is on the PATH, and pip when uv fails or pip has a configuration of its own", async ({
    expect,
  }) => {
    const { directory, python, log, uv } = room();
    uv("exit 0");
    const options = { python, args: ["x==1"], cwd: directory, signal };
    await installPackages({ ...options, env: env(directory, { PIP_NO_CACHE_DIR: "1" }) });
    expect(log()).toEqual([`uv pip install --python ${python} x==1`]);

    await installPackages({ ...options, env: env(directory, { PIP_INDEX_URL: "https://index.example" }) });
    expect(log().at(-2)).toBe("begin pip --disable-pip-version-check install x==1");

    uv("echo uv says no >&2; exit 2");
    const saved = await installPackages({ ...options, env: env(directory) });
    expect(saved.exitCode).toBe(0);
    expect(log().slice(-3)).toEqual([
      `uv pip install --python ${python} x==1`,
      "begin pip --disable-pip-version-check install x==1",
      "end",
    ]);

    const failed = await installPackages({ ...options, env: env(directory, { NO_PIP: "1" }) });
    expect(failed).toMatchObject({ exitCode: 2, stderr: "uv says no\n" });
    uv("exit 0");
    const configured = env(directory, { NO_PIP: "1", PIP_INDEX_URL: "https://index.example" });
    expect(await installPackages({ ...options, env: configured })).toMatchObject({ exitCode: 0 });
  });
});

describe("bridge.py", () => {
  it("ends with all it started when its worker dies", async ({ expect }) => {
    const { directory } = room();
    writeFileSync(
      join(directory, "orphan.py"),
      "import os, subprocess, time\ndef step():\n    print(os.getpid(), subprocess.Popen(['sleep', '600']).pid)\n    time.sleep(600)\n",
    );
    // Stands for the worker: it starts the bridge as bridge.ts does, passes on its first line, and is killed.
    const worker = `
      const { spawn } = require("node:child_process");
      const child = spawn("python3", ["-u", ${JSON.stringify(join(packageRoot, "src/steps/bridge.py"))}], {
        stdio: ["ignore", "inherit", "inherit", "pipe", "pipe"], detached: true });
      child.stdio[3].write(JSON.stringify({ import_path: ${JSON.stringify(directory)} }) + "\\n");
      child.stdio[3].write(JSON.stringify({ op: "step", name: "orphan.step", inputs: {}, requires: [], installed: false,
        cwd: ${JSON.stringify(directory)}, env: {}, marker: "m" }) + "\\n");
      setInterval(() => undefined, 1000);
    `;
    const child = spawn(process.execPath, ["-e", worker], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
    const pids = line.split(" ").map(Number);
    expect(pids.filter((pid) => isAlive(pid))).toHaveLength(2);
    child.kill("SIGKILL");
    // The end of the inherited stdout is the end of the last process that held it.
    await once(child, "close");
    await until("both to be gone", () => !pids.some((pid) => isAlive(pid)), { everyMs: 10 });
  });
});
