import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { once } from "node:events";
import { createServer } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, it } from "vitest";

import { AsyncDisposables } from "../../support/disposables.ts";
import { freePort } from "../../support/prefect-server.ts";
import { writeWheel } from "../../support/python-packages.ts";
import { TestProcess } from "../../support/test-process.ts";
import { writeUv } from "../../support/stand-in-uv.ts";
import { processesOf, workerBundle, WorkerHome } from "../../support/worker-process.ts";

import type { AddressInfo } from "node:net";

const ENGINE = fileURLToPath(new URL("../worker/programs/prefect/engine.py", import.meta.url));
const PYTHON = execFileSync("python3", ["-c", "import sys; print(sys.executable)"], {
  encoding: "utf8",
}).trim();
// In uv's own words.
const ASK_INDEX = `node -e 'fetch(process.env.INDEX).catch((error) => console.error("client error (Connect)", error.cause.code))'; exit 2`;

/** A machine with a home of its own; `await using` it: its processes and files go at the end. */
interface Machine extends AsyncDisposable {
  readonly home: WorkerHome;
  readonly data: string;
  demo(args: readonly string[], env?: Readonly<Record<string, string>>): TestProcess;
  once(
    args?: readonly string[],
    env?: Readonly<Record<string, string>>,
  ): Promise<{ code: number | null; output: string }>;
}

/**
 * Its package index holds nothing but a Prefect whose engine only reports states. INDEX gives its uv the address of
 * another one, which is asked, and that is all.
 */
async function openMachine(): Promise<Machine> {
  const home = await WorkerHome.create();
  const disposables = new AsyncDisposables();
  await writeWheel(join(home.path, "index"), {
    module: "prefect",
    version: "3.8.8",
    source: "",
    modules: { engine: readFileSync(ENGINE, "utf8") },
  });
  const bin = join(home.path, "bin");
  writeUv(bin, `if [ -n "$INDEX" ]; then ${ASK_INDEX}; fi`);
  const port = String(await freePort());
  function demo(args: readonly string[], env: Readonly<Record<string, string>> = {}): TestProcess {
    const where = args.includes("--port") ? [] : ["--port", port];
    return disposables.use(
      new TestProcess(process.execPath, [workerBundle, "demo", ...where, ...args], {
        name: "lighterman demo",
        cwd: home.path,
        env: {
          ...home.env,
          WHEELS: join(home.path, "index"),
          PATH: `${bin}:${process.env["PATH"] ?? ""}`,
          PIP_CONFIG_FILE: "/dev/null",
          ...env,
        },
      }),
    );
  }
  return {
    home,
    data: join(home.path, ".lighterman", "demo"),
    demo,
    async once(args = [], env) {
      const child = demo(["--once", ...args], env);
      const { code } = await child.end(60_000);
      await child.closed;
      return { code, output: child.output };
    },
    async [Symbol.asyncDispose]() {
      await disposables.dispose();
      await home.sweep();
    },
  };
}

function script(path: string, body: string): void {
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
}

describe.concurrent("lighterman demo", { timeout: 90_000 }, () => {
  it("runs a program and a flow to their ends; the next time the environment is there", async ({
    expect,
  }) => {
    await using machine = await openMachine();
    const first = await machine.once();
    expect(first).toMatchObject({ code: 0 });
    expect(first.output).toContain("✔ machine-report/demo COMPLETED\n✔ inspect-repository/demo COMPLETED");
    for (const line of [
      /^Server {3}http:\/\/127\.0\.0\.1:\d+, with a worker for the pool 'demo'/m,
      /^ +\d+\.\d s {2}machine-report {6}Running$/m,
      /^ +\d+\.\d s {2}machine-report {6}│ System: /m,
      /inspect-repository {2}│ Executing deployment step: git_clone$/m,
      /inspect-repository {2}│ Building the Python environment: making it with Python 3\.\d+\.\d+, 0 s$/m,
      /inspect-repository {2}│ Built the Python environment in \d+ s: Python 3\.\S+, Prefect 3\.8\.8; kept at /m,
      /inspect-repository {2}Completed$/m,
    ]) {
      expect(first.output).toMatch(line);
    }
    expect(processesOf(machine.home)).toEqual([]);

    // Neither another server nor a proxy is asked for what is on this machine.
    const second = await machine.once([], {
      PREFECT_API_URL: "http://127.0.0.1:9/api",
      HTTP_PROXY: "http://127.0.0.1:9",
      LIGHTERMAN_WORKER_POOL: "another",
    });
    expect(second).toMatchObject({ code: 0 });
    expect(second.output).toContain("Using the cached Python environment");
    expect(readdirSync(join(machine.data, "workspaces"))).toEqual([]);
    const log = execFileSync("git", ["log", "--format=%an"], {
      cwd: join(machine.data, "project"),
      encoding: "utf8",
    });
    expect(log).toBe("Lighterman\n");

    // Work of one's own stays, committed or not.
    writeFileSync(join(machine.data, "project", "mine.txt"), "");
    const third = await machine.once();
    expect(third.output).toContain("has changes of yours: it stays as it is");
    expect(existsSync(join(machine.data, "project", "mine.txt"))).toBe(true);
  });

  it("serves until Ctrl-C; meanwhile another one is refused, or keeps out of its way", async ({ expect }) => {
    await using machine = await openMachine();
    const serving = machine.demo([]);
    await serving.waitForLine(/^What next/);
    const again = await machine.once();
    expect(again).toMatchObject({ code: 1 });
    expect(again.output).toMatch(/^Error: The demo is running already/m);
    expect(again.output).toContain("--data-dir");

    const taken = /http:\/\/127\.0\.0\.1:(\d+)/.exec(serving.output)?.[1] ?? "";
    const other = await machine.once(["--data-dir", join(machine.home.path, "other"), "--port", taken]);
    expect(other.output).toContain(`Port ${taken} on 127.0.0.1 is taken`);
    expect(other.code).toBe(2);

    serving.kill("SIGINT");
    expect(await serving.end(20_000)).toEqual({ code: 0, signal: null });
    expect(processesOf(machine.home)).toEqual([]);
  });

  it("says why when the package index cannot be reached, and ends with 1", async ({ expect }) => {
    await using machine = await openMachine();
    const env = { INDEX: "http://127.0.0.1:9/" };
    const { code, output } = await machine.once([], env);
    expect(code).toBe(1);
    expect(output).toContain("✔ machine-report/demo COMPLETED");
    expect(output).toMatch(
      /^✘ inspect-repository\/demo CRASHED: Pull step 2 of 2 .* The package index cannot be reached/m,
    );
    expect(processesOf(machine.home)).toEqual([]);
    expect(await machine.once()).toMatchObject({ code: 0 });
  });

  it("is ended by Ctrl-C or a timeout while the runs go on, and leaves nothing behind", async ({
    expect,
    onTestFinished,
  }) => {
    await using machine = await openMachine();
    // An index that takes a question, and never answers.
    const index = createServer(() => undefined).listen(0, "127.0.0.1");
    await once(index, "listening");
    onTestFinished(() => {
      index.closeAllConnections();
      index.close();
    });
    const asked = new Promise((resolve) => index.once("request", resolve));
    const { port } = index.address() as AddressInfo;
    const env = { INDEX: `http://127.0.0.1:${port}/` };
    const child = machine.demo([], env);
    await asked;
    // As a terminal sends it.
    child.kill("SIGINT");
    expect(await child.end(20_000)).toEqual({ code: 130, signal: null });
    expect(processesOf(machine.home)).toEqual([]);

    const late = await machine.once(["--timeout", "3s"], env);
    expect(late.code).toBe(1);
    expect(late.output).toMatch(/^✘ inspect-repository\/demo has not ended within 3 s: it is Submitting/m);
    expect(processesOf(machine.home)).toEqual([]);

    // What was given back is not run as well.
    const { code, output } = await machine.once();
    expect(code).toBe(0);
    expect(output.match(/Building the Python environment: making it/g)).toHaveLength(1);
    expect(readdirSync(join(machine.data, "environments"))).toHaveLength(2);
  });

  it("does without git, and says so", async ({ expect }) => {
    await using machine = await openMachine();
    const bin = join(machine.home.path, "bin");
    for (const name of ["sh", "uname", "uptime", "sed", "ps", "wc", "tr", "df", "awk"]) {
      symlinkSync(execFileSync("which", [name], { encoding: "utf8" }).trim(), join(bin, name));
    }
    symlinkSync(PYTHON, join(bin, "python3"));
    const { code, output } = await machine.once([], { PATH: bin });
    expect(output).toContain("git is not installed");
    expect(output).toContain("apt-get install git");
    expect(code).toBe(0);
    expect(output).toContain("✔ inspect-repository/demo COMPLETED");
  });

  it("says what to install where Python is missing, too old, or incomplete, before anything starts", async ({
    expect,
  }) => {
    await using machine = await openMachine();
    const bin = join(machine.home.path, "bin-of-old");
    mkdirSync(bin);
    const says = (path: string, minor: number) =>
      `echo '{"path": "${path}", "version": [3, ${minor}, 2], "prefect": null}'`;
    script(join(bin, "python3"), says("/opt/old/python3", 9));
    const old = await machine.once([], { PATH: bin });
    expect(old.code).toBe(1);
    expect(old.output).toMatch(
      /^Error: The demo's flow needs Python 3\.10 to 3\.14: \/opt\/old\/python3 is Python 3\.9\.2\n.*apt-get install python3 python3-venv.*brew install python/m,
    );

    const missing = await machine.once(["--python", "/nowhere/python3"]);
    expect(missing.output).toContain("/nowhere/python3: not found");

    const usual = join(bin, "usual");
    script(usual, `case "$2" in *ensurepip*) exit 1;; esac\n${says(usual, 11)}`);
    const incomplete = await machine.once(["--python", usual], { PATH: "/nowhere" });
    expect(incomplete.code).toBe(1);
    expect(incomplete.output).toMatch(
      /cannot make virtual environments: its module ensurepip is missing\n.*apt-get install python3\.11-venv/m,
    );
    expect(existsSync(machine.data)).toBe(false);
  });
});
