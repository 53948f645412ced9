import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { prefectProgram } from "../../support/prefect-server.ts";

import type { ChildProcessByStdio } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { PrefectMajor } from "../../support/prefect-server.ts";

type Environment = Readonly<Record<string, string>>;

/** How a command ended. */
export interface Ran {
  readonly code: number;
  readonly output: string;
}

const LIGHTERMAN = fileURLToPath(new URL("../../../dist/lighterman.js", import.meta.url));
const ORACLE = fileURLToPath(new URL("oracle.py", import.meta.url));

/** The real `prefect` command of a release: imported once, each command is a fork. */
export class Oracle implements AsyncDisposable {
  /** Temporary; removed at the end. */
  readonly directory: string;
  readonly env: Environment;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #answers: AsyncIterator<string>;

  private constructor(directory: string, major: PrefectMajor, env: Environment) {
    this.directory = directory;
    this.env = {
      PATH: process.env["PATH"] ?? "",
      HOME: directory,
      PREFECT_HOME: join(directory, "home"),
      PREFECT_SERVER_ANALYTICS_ENABLED: "false",
      DO_NOT_TRACK: "1",
      NO_COLOR: "1",
      COLUMNS: "500",
      GIT_CONFIG_GLOBAL: "/dev/null",
      ...env,
    };
    this.#child = spawn(prefectProgram(major, "python"), [ORACLE], {
      env: this.env,
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  static async start(major: PrefectMajor = 3, env: Environment = {}): Promise<Oracle> {
    const directory = await realpath(await mkdtemp(join(tmpdir(), "prefect-commands-")));
    const oracle = new Oracle(directory, major, env);
    await oracle.#answers.next();
    return oracle;
  }

  /** Runs a command to its end; one at a time. */
  async run(cwd: string, args: readonly string[], env: Environment = {}): Promise<Ran> {
    const output = join(this.directory, "output");
    this.#child.stdin.write(`${JSON.stringify({ cwd, args, env, output })}\n`);
    const { value } = (await this.#answers.next()) as { value: string };
    return { code: JSON.parse(value) as number, output: await readFile(output, "utf8") };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null) await once(this.#child, "exit");
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** Runs `lighterman …` without a terminal. */
export async function runLighterman(cwd: string, args: readonly string[], env: Environment): Promise<Ran> {
  const child = spawn(process.execPath, [LIGHTERMAN, ...args], {
    cwd,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const [code] = (await once(child, "close")) as [number];
  return { code, output };
}
