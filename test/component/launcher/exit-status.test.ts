import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env, kill } from "node:process";
import { describe, it } from "vitest";

import { createProcessLauncher } from "../../../src/launcher/process/process-launcher.ts";
import { readStat } from "../../../src/lifecycle/proc.ts";
import { systemClock } from "../../../src/lifecycle/clock.ts";

import type { Infrastructure, LaunchResult, LaunchSpec } from "../../../src/launcher/types.ts";

interface Recorded extends AsyncDisposable {
  readonly infrastructure: Infrastructure;
  readonly lines: readonly string[];
  /** What a later worker finds. */
  endLeft(): LaunchResult;
  firstLine(): Promise<string>;
}

async function launch(
  command: LaunchSpec["command"],
  variables: Record<string, string> = {},
): Promise<Recorded> {
  const directory = await mkdtemp(join(tmpdir(), "lighterman-status-"));
  const launcher = createProcessLauncher({ clock: systemClock });
  const outputFile = join(directory, "output.log");
  const lines: string[] = [];
  let notify = (_line: string): void => undefined;
  const firstLine = new Promise<string>((resolve) => (notify = resolve));
  const infrastructure = await launcher.launch({
    flowRunId: "00000000-0000-4000-8000-000000000001",
    command,
    cwd: directory,
    env: { PATH: env["PATH"] ?? "", ...variables },
    outputFile,
    keepStatus: true,
    onLine: (line) => {
      lines.push(line);
      notify(line);
    },
  });
  return {
    infrastructure,
    lines,
    firstLine: () => firstLine,
    endLeft: () => launcher.endOf({ outputFile }),
    async [Symbol.asyncDispose]() {
      await infrastructure.stop({ intent: "none", graceMs: 0 });
      await launcher.close();
      await rm(directory, { recursive: true });
    },
  };
}

const sh = (script: string): LaunchSpec["command"] => ["sh", "-c", script];

describe("an attempt that keeps its status", () => {
  it.for<[string, LaunchResult]>([
    ["exit 0", { kind: "exited", code: 0 }],
    ["exit 3", { kind: "exited", code: 3 }],
    ["exit 137", { kind: "exited", code: 137 }],
    ["kill -KILL $$", { kind: "signaled", signal: "SIGKILL", forced: false }],
    ["kill -SEGV $$", { kind: "signaled", signal: "SIGSEGV", forced: false }],
    ["kill -TERM $$", { kind: "signaled", signal: "SIGTERM", forced: false }],
  ])("ends as its program, for us and for a later worker: %s", async ([script, end], { expect }) => {
    await using attempt = await launch(sh(script));
    expect(await attempt.infrastructure.exited).toEqual(end);
    expect(attempt.endLeft()).toEqual(end);
  });

  it("lets the program end on SIGTERM in its own way", async ({ expect }) => {
    await using attempt = await launch(sh("trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done"));
    await attempt.firstLine();
    const { result } = await attempt.infrastructure.stop({ intent: "none", graceMs: 10_000 });
    expect(result).toEqual({ kind: "exited", code: 7 });
    expect(attempt.endLeft()).toEqual(result);
  });

  it("is killed as a whole after the grace", async ({ expect }) => {
    await using attempt = await launch(sh("trap '' TERM; echo up; while :; do sleep 0.05; done"));
    await attempt.firstLine();
    const { result } = await attempt.infrastructure.stop({ intent: "none", graceMs: 50 });
    expect(result).toEqual({ kind: "signaled", signal: "SIGKILL", forced: true });
    expect(attempt.endLeft()).toEqual({ kind: "gone" });
  });

  it("ends its program when somebody kills only the process that the API names", async ({ expect }) => {
    await using attempt = await launch(sh("echo $$; while :; do sleep 0.05; done"));
    const pid = Number(await attempt.firstLine());
    kill(Number(attempt.infrastructure.identifier), "SIGKILL");
    expect(await attempt.infrastructure.exited).toMatchObject({ kind: "signaled", signal: "SIGKILL" });
    // It has been sent SIGKILL; on a busy machine it dies when its turn comes.
    await expect.poll(() => readStat(pid)?.state ?? "Z").toBe("Z");
  });

  it("starts programs, never what the shell knows by that name", async ({ expect }) => {
    await using attempt = await launch(["echo", "-n", "exit", ";", "$HOME"]);
    await attempt.infrastructure.exited;
    expect(attempt.lines).toEqual(["-n exit ; $HOME".slice(3)]);
    await expect(launch(["exit", "0"])).rejects.toThrow("The program exit was not found on PATH");
  });

  it("leaves signals and environment of the program alone", async ({ expect }) => {
    const script =
      "import os, signal; print(*(signal.getsignal(s).__class__.__name__ for s in (1, 2, 3, 15)), sorted(os.environ))";
    const variables = { LANG: "C.UTF-8", PYTHONDONTWRITEBYTECODE: "1" };
    await using attempt = await launch(["python3", "-c", script], variables);
    await attempt.infrastructure.exited;
    expect(attempt.lines[0]).toMatch(/^Handlers builtin_function_or_method Handlers Handlers \[/);
    expect(attempt.lines[0]).toMatch(/'LANG'.*'PATH'.*'PYTHONDONTWRITEBYTECODE'/);
  });

  it("hands on variables that a shell would drop, and keeps no status then", async ({ expect }) => {
    const script = "import os; print(os.environ['my.variable'])";
    await using attempt = await launch(["python3", "-c", script], { "my.variable": "there" });
    expect(await attempt.infrastructure.exited).toEqual({ kind: "exited", code: 0 });
    expect(attempt.lines).toEqual(["there"]);
    expect(attempt.endLeft()).toEqual({ kind: "gone" });
  });
});
