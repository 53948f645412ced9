import { execFileSync } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AsyncDisposables } from "../support/disposables.ts";
import { freePort } from "../support/prefect-server.ts";
import { TestProcess } from "../support/test-process.ts";
import { WorkerHome, processesOf } from "../support/worker-process.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const BOTH = "✔ machine-report/demo COMPLETED\n✔ inspect-repository/demo COMPLETED";

const disposables = new AsyncDisposables();
let copy: string;
let home: WorkerHome;

// What somebody has who has just fetched the project: its files, Node, Python, git, and an empty home.
beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), "fresh-copy-"));
  disposables.defer(() => rm(copy, { recursive: true, force: true }));
  home = await WorkerHome.create();
  disposables.defer(() => home.sweep());
  const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "-z"], {
    cwd: root,
    encoding: "utf8",
  });
  for (const file of files.split("\0").filter((name) => name !== "")) {
    await cp(join(root, file), join(copy, file));
  }
});

afterAll(() => disposables.dispose());

function npmStart(args: readonly string[], owner: WorkerHome = home, env = {}): TestProcess {
  return disposables.use(
    new TestProcess("npm", ["start", "--", ...args], {
      name: "npm start",
      cwd: copy,
      // How packages are reached is the machine's matter.
      env: { ...packageSettings(), ...owner.env, NPM_CONFIG_UPDATE_NOTIFIER: "false", ...env },
    }),
  );
}

function packageSettings(): Record<string, string> {
  const names = /^(?:PIP_|UV_|NPM_CONFIG_|HTTPS?_PROXY$|NO_PROXY$|SSL_CERT_FILE$|NODE_EXTRA_CA_CERTS$)/i;
  const found = Object.entries(process.env).filter(([name]) => names.test(name));
  return Object.fromEntries(found.map(([name, value]) => [name, value ?? ""]));
}

async function once(
  ...parameters: Parameters<typeof npmStart>
): Promise<{ code: number | null; output: string }> {
  const [args, ...rest] = parameters;
  const child = npmStart(["--once", "--port", String(await freePort()), ...args], ...rest);
  const { code } = await child.end(600_000);
  await child.closed;
  return { code, output: child.output };
}

describe("npm start, on a fresh machine", () => {
  it(
    "installs, builds, and shows both runs COMPLETED; the second time without all that",
    { timeout: 660_000 },
    async () => {
      const first = await once([]);
      expect(first.output).toContain(BOTH);
      expect(first.code).toBe(0);
      expect(first.output).toContain("Installing packages");
      expect(first.output).toMatch(/Building the Python environment: .*downloading|installing \d+ packages/);
      expect(first.output).toMatch(/Built the Python environment in \d+ s: Python 3\.\S+, Prefect 3\.8\.8/);
      expect(first.output).toMatch(/inspect-repository {2}│ Found 4 files: /);
      expect(first.output).toMatch(/inspect-repository {2}│ \d+ lines in 4 files/);

      const second = await once([]);
      expect(second.output).toContain(BOTH);
      expect(second.code).toBe(0);
      expect(second.output).toContain("Using the cached Python environment");
      expect(second.output).not.toContain("Installing packages");
      expect(processesOf(home)).toEqual([]);
    },
  );

  it("keeps serving until Ctrl-C, and takes a free port when its own is taken", async () => {
    const serving = npmStart([]);
    await serving.waitForLine(/^What next/);
    const apiUrl =
      /export PREFECT_API_URL=(\S+)/.exec(await serving.waitForLine(/Use another client/))?.[1] ?? "";
    expect(await (await fetch(`${apiUrl}/health`)).text()).toBe("true");

    await using other = await WorkerHome.create();
    const beside = npmStart([], other);
    await beside.waitForLine(/^Port 4200 belongs to a Prefect server/);
    await beside.waitForLine(/Building the Python environment/);
    // As a terminal sends it: to npm, and to all that npm has started.
    beside.kill("SIGINT");
    expect((await beside.end(20_000)).code).not.toBe(0);
    serving.kill("SIGINT");
    expect((await serving.end(20_000)).code).toBe(0);
    expect([...processesOf(home), ...processesOf(other)]).toEqual([]);
  });

  it("says that the package index cannot be reached", async () => {
    await using other = await WorkerHome.create();
    const { code, output } = await once([], other, {
      PIP_INDEX_URL: "http://127.0.0.1:9/",
      PIP_FIND_LINKS: "",
      PIP_RETRIES: "1",
    });
    expect(code).toBe(1);
    expect(output).toContain("✔ machine-report/demo COMPLETED");
    expect(output).toMatch(/^✘ inspect-repository\/demo CRASHED: .*The package index cannot be reached/m);
    expect(processesOf(other)).toEqual([]);
  });
});
