import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { freePort } from "../support/prefect-server.ts";
import { TestProcess } from "../support/test-process.ts";

/** A PostgreSQL of its own, for a Prefect server. Debian's package `postgresql` is enough: its service need not run. */
export class Postgres implements AsyncDisposable {
  readonly #process: TestProcess;
  readonly #directory: string;
  readonly #port: number;

  private constructor(process: TestProcess, directory: string, port: number) {
    this.#process = process;
    this.#directory = directory;
    this.#port = port;
  }

  static async start(): Promise<Postgres> {
    const directory = await mkdtemp(join(tmpdir(), "postgres-"));
    const data = join(directory, "data");
    await chmod(directory, 0o755);
    const [program, ...user] = commandOf("initdb");
    const init = spawnSync(program, [...user, "-U", "postgres", "-A", "trust", "-D", data], {
      env: { LC_ALL: "C.UTF-8", PATH: process.env["PATH"] },
      encoding: "utf8",
    });
    if (init.status !== 0) throw new Error(`initdb failed: ${init.stdout}${init.stderr}`);
    const port = await freePort();
    const [command, ...words] = commandOf("postgres");
    const child = new TestProcess(
      command,
      [...words, "-D", data, "-k", "", "-h", "127.0.0.1", "-p", String(port)],
      { name: "postgres", cwd: directory, env: { PATH: process.env["PATH"] ?? "" } },
    );
    await child.waitForLine(/ready to accept connections/);
    return new Postgres(child, directory, port);
  }

  /** As PREFECT_API_DATABASE_CONNECTION_URL. */
  get url(): string {
    return `postgresql+asyncpg://postgres@127.0.0.1:${this.#port}/postgres`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGINT");
    await this.#process.end(10_000).catch(() => undefined);
    await this.#process[Symbol.asyncDispose]();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** PostgreSQL refuses to run as root: then it is made to see another user. */
function commandOf(program: string): [string, ...string[]] {
  const file = find(program);
  return process.getuid?.() === 0
    ? ["unshare", "--user", "--map-user=1000", "--map-group=1000", file]
    : [file];
}

function find(program: string): string {
  const root = "/usr/lib/postgresql";
  try {
    const newest =
      readdirSync(root)
        .toSorted((a, b) => Number(a) - Number(b))
        .at(-1) ?? "";
    return join(root, newest, "bin", program);
  } catch {
    return program; // on the PATH
  }
}
