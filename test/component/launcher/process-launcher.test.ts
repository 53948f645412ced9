import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env, kill } from "node:process";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, it } from "vitest";

import { createProcessLauncher } from "../../../src/launcher/process/process-launcher.ts";
import { ProcessTree } from "../../../src/launcher/process/process-tree.ts";
import { isAlive, readStat } from "../../../src/lifecycle/proc.ts";
import { systemClock } from "../../../src/lifecycle/clock.ts";

import type { ProcessIdentity } from "../../../src/lifecycle/proc.ts";
import type { Infrastructure, Launcher, LaunchSpec } from "../../../src/launcher/types.ts";

const PROGRAMS = fileURLToPath(new URL("programs", import.meta.url));
const PATH = env["PATH"] ?? "";

let directory: string;
let launcher: Launcher;
let seen: ProcessIdentity[];
let lines: string[];
let notify: () => void;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "lighterman-launcher-"));
  launcher = createProcessLauncher({ clock: systemClock });
  seen = [];
  lines = [];
  notify = () => undefined;
});

afterEach(async ({ expect }) => {
  await launcher.close();
  const left = seen.filter(isAlive);
  for (const { pid } of left) kill(pid, "SIGKILL");
  await rm(directory, { recursive: true, force: true });
  expect(left).toEqual([]);
});

function specOf(command: LaunchSpec["command"], changes: Partial<LaunchSpec> = {}): LaunchSpec {
  return {
    flowRunId: "00000000-0000-4000-8000-000000000001",
    command,
    cwd: directory,
    env: { PATH },
    outputFile: join(directory, "output.log"),
    onLine: (line, stream) => {
      lines.push(stream === "stderr" ? `! ${line}` : line);
      notify();
    },
    ...changes,
  };
}

async function launch(
  command: LaunchSpec["command"],
  changes: Partial<LaunchSpec> = {},
): Promise<Infrastructure> {
  const infrastructure = await launcher.launch(specOf(command, changes));
  remember(Number(infrastructure.identifier));
  return infrastructure;
}

const python = (program: string, ...args: readonly string[]): [string, ...string[]] => [
  "python3",
  join(PROGRAMS, program),
  ...args,
];

function remember(pid: number): void {
  const stat = readStat(pid);
  if (stat !== undefined) seen.push({ pid, startTicks: stat.startTicks });
}

/** The first line that matches, as soon as it is there. */
async function lineLike(pattern: RegExp): Promise<string> {
  for (;;) {
    const line = lines.find((candidate) => pattern.test(candidate));
    if (line !== undefined) return line;
    await new Promise<void>((resolve) => {
      notify = resolve;
    });
  }
}

describe("a process that ends by itself", () => {
  it("gives its exit code, with all its output before that, and in the file", async ({ expect }) => {
    const { exited, identifier, handle } = await launch([
      "sh",
      "-c",
      "echo one; echo two >&2; printf three; exit 3",
    ]);
    expect(await exited).toEqual({ kind: "exited", code: 3 });
    expect(lines).toEqual(["one", "two", "three"]);
    expect(await readFile(join(directory, "output.log"), "utf8")).toBe("one\ntwo\nthree");
    expect(identifier).toBe(String(handle["pid"]));
    expect((await stat(join(directory, "output.log"))).mode & 0o777).toBe(0o600);
  });

  it("keeps stderr apart when asked to", async ({ expect }) => {
    const { exited } = await launch(["sh", "-c", "echo out; echo err >&2"], { splitStderr: true });
    await exited;
    expect(lines.toSorted()).toEqual(["! err", "out"]);
    expect(await readFile(join(directory, "output.log.err"), "utf8")).toBe("err\n");
  });

  it("may be gone at once, many times over", async ({ expect }) => {
    for (let round = 0; round < 20; round += 1) {
      const { exited, handle } = await launch(["true"]);
      expect(handle["startTicks"]).toBeGreaterThan(0);
      expect(await exited).toEqual({ kind: "exited", code: 0 });
    }
  });

  it("tells a signal, and that it was not ours", async ({ expect }) => {
    const { exited } = await launch(["sh", "-c", "kill -9 $$"]);
    expect(await exited).toEqual({ kind: "signaled", signal: "SIGKILL", forced: false });
  });

  it("may close its output early and go on", async ({ expect }) => {
    const { exited } = await launch(["sh", "-c", "echo before; exec >&- 2>&-; sleep 0.2; exit 4"]);
    expect(await exited).toEqual({ kind: "exited", code: 4 });
    expect(lines).toEqual(["before"]);
  });

  it("is followed while it runs", async ({ expect }) => {
    const infrastructure = await launch(["sh", "-c", "echo first; sleep 600"]);
    await lineLike(/^first$/);
    await infrastructure.stop({ intent: "none", graceMs: 5000 });
    expect(lines).toEqual(["first"]);
  });

  it("may write what it likes: bytes that are no UTF-8, very long lines, no last line end", async ({
    expect,
  }) => {
    const program = `
import sys
out = sys.stdout.buffer
out.write("grüße ".encode() + bytes([0xff, 0xc3]) + b"\\n")
out.write(b"x" * 3_000_000 + b"\\n")
for byte in "😀\\n".encode():
    out.write(bytes([byte])); out.flush()
out.write(b"end" + "é".encode()[:1])
`;
    const { exited } = await launch(["python3", "-c", program]);
    expect(await exited).toEqual({ kind: "exited", code: 0 });
    expect(lines.map((line) => (line.length > 100 ? `${line.length}${line.slice(-12)}` : line))).toEqual([
      "grüße \uFFFD\uFFFD",
      "65548… [line cut]",
      "😀",
      "end\uFFFD",
    ]);
    expect((await stat(join(directory, "output.log"))).size).toBeGreaterThan(3_000_000);
  });

  it("loses no line of many", async ({ expect }) => {
    const { exited } = await launch(["sh", "-c", "seq 1 50000"]);
    await exited;
    expect(lines).toHaveLength(50_000);
    expect(lines.every((line, index) => line === String(index + 1))).toBe(true);
  });
});

describe("what a child inherits", () => {
  // Descriptors from 16 on may come from whoever started the tests: Node closes lower ones only.
  it("is its own session, nothing ignored, no descriptors", async ({ expect }) => {
    const program = `
import json, os
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
  "ignored": status["SigIgn"].strip(), "blocked": status["SigBlk"].strip(),
  "fds": [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if int(fd) < 16 and os.path.exists(f"/proc/self/fd/{fd}")],
  "session": os.getsid(0) == os.getpgid(0) == os.getpid(), "cwd": os.getcwd()}))
`;
    const { exited } = await launch(["python3", "-S", "-c", program]);
    await exited;
    const child = JSON.parse(lines[0] ?? "") as Record<string, unknown>;
    expect(child).toMatchObject({
      // Python itself ignores SIGPIPE (13) and SIGXFSZ (25).
      ignored: "0000000001001000",
      blocked: "0000000000000000",
      session: true,
      cwd: directory,
      fds: ["/dev/null", join(directory, "output.log"), join(directory, "output.log")],
    });
  });

  it("is only the given environment, the attempt's name and a control channel of its own", async ({
    expect,
  }) => {
    const { exited, handle } = await launch(["env"], {
      env: { PATH, ONE: "1", PREFECT__CONTROL_TOKEN: "stale", PREFECT__CONTROL_PORT: "1" },
    });
    await exited;
    expect(
      lines.toSorted().map((line) => line.replace(/(PORT|TOKEN)=(\d{4,5}|[0-9a-f]{64})$/, "$1=")),
    ).toEqual([
      `LIGHTERMAN__ATTEMPT=${handle["attempt"]}`,
      "ONE=1",
      `PATH=${PATH}`,
      "PREFECT__CONTROL_PORT=",
      "PREFECT__CONTROL_TOKEN=",
    ]);
  });
});

describe("a process that cannot be started", () => {
  it.for([
    ["no such program", ["no-such-program"], {}, /no-such-program was not found on PATH/],
    ["no such path", ["/no/such/program"], {}, /\/no\/such\/program was not found$/],
    ["no such directory", ["true"], { cwd: "/no/such/dir" }, /working directory \/no\/such\/dir/],
    ["a directory as program", ["/tmp"], {}, /may not be executed/],
    [
      "no such output directory",
      ["true"],
      { outputFile: "/no/such/dir/x" },
      /output file .* cannot be opened/,
    ],
    ["an environment that is too large", ["true"], { env: { PATH, X: "x".repeat(3_000_000) } }, /too large/],
    ["a NUL in the environment", ["true"], { env: { PATH, X: "a\0b" } }, /does not allow/],
  ] as [string, [string, ...string[]], Partial<LaunchSpec>, RegExp][])(
    "%s",
    async ([, command, changes, message], { expect }) => {
      const error: unknown = await launcher
        .launch(specOf(command, changes))
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({
        code: "LAUNCH_FAILED",
        message: expect.stringMatching(message) as string,
      });
      expect((error as { hint: string }).hint).toMatch(/\.$/);
    },
  );

  it("a file without permission, and a script without its interpreter", async ({ expect }) => {
    const script = join(directory, "script");
    await writeFile(script, "#!/no/such/interpreter\n", { mode: 0o600 });
    await expect(launcher.launch(specOf([script]))).rejects.toThrow("may not be executed");
    await rm(script);
    await writeFile(script, "#!/no/such/interpreter\n", { mode: 0o700 });
    await expect(launcher.launch(specOf([script]))).rejects.toThrow(
      "the interpreter in its first line is missing",
    );
  });
});

describe("stop", () => {
  it("asks first, and does not wait for the grace to pass", async ({ expect }) => {
    const infrastructure = await launch(["sleep", "600"]);
    const start = performance.now();
    expect(await infrastructure.stop({ intent: "cancel", graceMs: 60_000 })).toEqual({
      result: { kind: "signaled", signal: "SIGTERM", forced: false },
      acknowledged: false,
    });
    expect(performance.now() - start).toBeLessThan(5000);
  });

  it("kills after the grace, not before", async ({ expect }) => {
    const infrastructure = await launch(python("ignores-sigterm.py"));
    await lineLike(/ready/);
    const start = performance.now();
    const { result } = await infrastructure.stop({ intent: "none", graceMs: 400 });
    expect(result).toEqual({ kind: "signaled", signal: "SIGKILL", forced: true });
    expect(performance.now() - start).toBeGreaterThanOrEqual(399);
  });

  it("is hastened by a second call with a shorter grace, never delayed by a longer one", async ({
    expect,
  }) => {
    const infrastructure = await launch(python("ignores-sigterm.py"));
    await lineLike(/ready/);
    const first = infrastructure.stop({ intent: "cancel", graceMs: 600_000 });
    const second = infrastructure.stop({ intent: "none", graceMs: 50 });
    void infrastructure.stop({ intent: "none", graceMs: 600_000 });
    expect(await second).toEqual({
      result: { kind: "signaled", signal: "SIGKILL", forced: true },
      acknowledged: false,
    });
    expect(await first).toEqual(await second);
  });

  it("after the end gives the result", async ({ expect }) => {
    const infrastructure = await launch(["sh", "-c", "exit 5"]);
    await infrastructure.exited;
    expect(await infrastructure.stop({ intent: "cancel", graceMs: 0 })).toEqual({
      result: { kind: "exited", code: 5 },
      acknowledged: false,
    });
  });

  it.for([
    ["in the group, ignoring SIGTERM", "group"],
    ["in a session of its own", "session"],
    ["in a session of its own, with no parent left", "daemon"],
  ] as const)("ends a grandchild %s", async ([, kind], { expect }) => {
    const infrastructure = await launch(python("family.py", kind));
    const pid = (JSON.parse(await lineLike(/^\{/)) as Record<string, number>)[kind] ?? 0;
    remember(pid);
    expect(readStat(pid)).toBeDefined();
    const { result } = await infrastructure.stop({ intent: "none", graceMs: 500 });
    expect(result).toEqual({ kind: "exited", code: 0 });
    expect(seen.filter(isAlive)).toEqual([]);
  });

  it("ends what is left of the group when the leader was killed by somebody else", async ({ expect }) => {
    const infrastructure = await launch(python("family.py", "group", "session", "daemon"));
    const pids = JSON.parse(await lineLike(/^\{/)) as Record<string, number>;
    for (const pid of Object.values(pids)) remember(pid);
    kill(Number(infrastructure.identifier), "SIGKILL");
    expect(await infrastructure.exited).toEqual({ kind: "signaled", signal: "SIGKILL", forced: false });
    await infrastructure.stop({ intent: "none", graceMs: 0 });
    expect(seen.filter(isAlive)).toEqual([]);
  });

  it("leaves other attempts alone, also of the same flow run", async ({ expect }) => {
    const environment = { PATH, PREFECT__FLOW_RUN_ID: "00000000-0000-4000-8000-000000000001" };
    const first = await launch(["sleep", "600"], { env: environment });
    const second = await launch(["sleep", "600"], { env: environment });
    await first.stop({ intent: "none", graceMs: 1000 });
    expect(isAlive(seen[1] ?? { pid: 0, startTicks: 0 })).toBe(true);
    await second.stop({ intent: "none", graceMs: 1000 });
  });
});

it("a group whose number belongs to somebody else now is not touched", async ({ expect }) => {
  const stranger = await launch(["sh", "-c", "sleep 600 & echo up; wait"]);
  await lineLike(/up/);
  const [leader = { pid: 0, startTicks: 0 }] = seen;
  const tree = new ProcessTree({ pid: leader.pid, startTicks: leader.startTicks - 1 }, "X=none");
  expect(tree.members()).toEqual([]);
  tree.signalAll("SIGKILL", tree.members());
  expect(isAlive(leader)).toBe(true);
  expect(new ProcessTree(leader, "X=none").members()).toHaveLength(2);
  await stranger.stop({ intent: "none", graceMs: 1000 });
});

describe("an engine on the control channel", () => {
  const engineEnv = { PATH, PREFECT__FLOW_ENTRYPOINT: "flow.py:main" };

  it.for([
    ["cancel", "c"],
    ["reschedule", "r"],
  ] as const)("is told to %s before it gets SIGTERM", async ([intent, byte], { expect }) => {
    const infrastructure = await launch(python("engine.py", "obey"), { env: engineEnv });
    await infrastructure.ready;
    await lineLike(/connected/);
    expect(await infrastructure.stop({ intent, graceMs: 10_000 })).toEqual({
      result: { kind: "exited", code: 0 },
      acknowledged: true,
    });
    expect(lines.at(-1)).toBe(`SIGTERM after ${byte}`);
  });

  it("that does not answer gets SIGTERM all the same", async ({ expect }) => {
    const infrastructure = await launch(python("engine.py", "deaf"), { env: engineEnv });
    await lineLike(/connected/);
    const start = performance.now();
    const stopped = await infrastructure.stop({ intent: "cancel", graceMs: 10_000, acknowledgeMs: 200 });
    expect(stopped).toEqual({ result: { kind: "exited", code: 0 }, acknowledged: false });
    expect(performance.now() - start).toBeGreaterThanOrEqual(199);
    expect(performance.now() - start).toBeLessThan(5000);
  });

  it("concludes its attempt with a receipt, whatever its exit code", async ({ expect }) => {
    const { exited } = await launch(python("engine.py", "report"), { env: engineEnv });
    expect(await exited).toEqual({
      kind: "exited",
      code: 7,
      receipt: { disposition: "STATE_REPORTED", stateType: "FAILED", stateName: "Failed" },
    });
  });
});

describe("adopt", () => {
  it("watches, follows and stops a process of an earlier worker", async ({ expect }) => {
    const go = join(directory, "go");
    const program = `echo old; until [ -e ${go} ]; do sleep 0.05; done; echo new; sleep 600`;
    const first = await launch(["sh", "-c", program]);
    await lineLike(/old/);
    const again = createProcessLauncher({ clock: systemClock });
    const adopted = await again.adopt(structuredClone(first.handle), specOf(["unused"]));
    if (adopted === null) return expect.fail("not adopted");
    lines = [];
    await writeFile(go, "");
    await lineLike(/new/);
    expect(adopted.identifier).toBe(first.identifier);
    expect(await adopted.stop({ intent: "cancel", graceMs: 5000 })).toEqual({
      result: { kind: "gone" },
      acknowledged: false,
    });
    await first.exited;
    await again.close();
    expect(lines).not.toContain("old");
  });

  it("notices the end of a process that nobody stops", async ({ expect }) => {
    const first = await launch(["sleep", "0.3"]);
    const adopted = await launcher.adopt(first.handle, specOf(["unused"]));
    expect(await adopted?.exited).toEqual({ kind: "gone" });
  });

  it("never takes a stranger: another start, another boot, another kind, gone", async ({ expect }) => {
    const first = await launch(["sleep", "600"]);
    const spec = specOf(["unused"]);
    const { handle } = first;
    expect(
      await launcher.adopt({ ...handle, startTicks: Number(handle["startTicks"]) - 1 }, spec),
    ).toBeNull();
    expect(await launcher.adopt({ ...handle, bootId: "another" }, spec)).toBeNull();
    expect(await launcher.adopt({ ...handle, kind: "docker" }, spec)).toBeNull();
    expect(await launcher.adopt({ containerId: "x" }, spec)).toBeNull();
    await first.stop({ intent: "none", graceMs: 1000 });
    expect(await launcher.adopt(handle, spec)).toBeNull();
  });
});

it("a directory of the output that is removed meanwhile does no harm", async ({ expect }) => {
  const outputs = join(directory, "outputs");
  await mkdir(outputs);
  const infrastructure = await launch(["sh", "-c", "echo a; sleep 600"], {
    outputFile: join(outputs, "x.log"),
  });
  await lineLike(/a/);
  await rm(outputs, { recursive: true });
  expect(existsSync(outputs)).toBe(false);
  expect((await infrastructure.stop({ intent: "none", graceMs: 1000 })).result).toMatchObject({
    signal: "SIGTERM",
  });
});
