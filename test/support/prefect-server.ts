import { access, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "./deadline.ts";
import { TestProcess } from "./test-process.ts";
import type { AddressInfo } from "node:net";

/** The two releases that the suites run against: 3.8.8 and 2.20.26. */
export type PrefectMajor = 3 | 2;

/** Absolute path of a program of the venv that holds that release. `.ci/run` creates the venvs. */
export function prefectProgram(major: PrefectMajor, program: string): string {
  return fileURLToPath(new URL(`../../.venvs/prefect${major}/bin/${program}`, import.meta.url));
}

export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

export interface PrefectServerOptions {
  readonly major?: PrefectMajor;
  readonly env?: Readonly<Record<string, string>>;
}

/** A real `prefect server start` with a home and database of its own. */
export class PrefectServer implements AsyncDisposable {
  readonly major: PrefectMajor;
  readonly port: number;
  readonly home: string;
  readonly #env: Readonly<Record<string, string>>;
  #process: TestProcess | undefined;

  private constructor(
    major: PrefectMajor,
    port: number,
    home: string,
    env: Readonly<Record<string, string>>,
  ) {
    this.major = major;
    this.port = port;
    this.home = home;
    this.#env = env;
  }

  static async start(options: PrefectServerOptions = {}): Promise<PrefectServer> {
    const major = options.major ?? 3;
    await access(prefectProgram(major, "prefect")).catch((cause: unknown) => {
      throw new Error(`Prefect ${major} is not in .venvs/prefect${major}: run .ci/run once.`, { cause });
    });
    const home = await mkdtemp(join(tmpdir(), `prefect${major}-server-`));
    const server = new PrefectServer(major, await freePort(), home, options.env ?? {});
    try {
      await server.resume();
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  /** API root, as in PREFECT_API_URL. */
  get url(): string {
    return `http://127.0.0.1:${this.port}/api`;
  }

  /** Starts it (again) on the same port and database. */
  async resume(): Promise<void> {
    const child = new TestProcess(
      prefectProgram(this.major, "prefect"),
      ["server", "start", "--host", "127.0.0.1", "--port", String(this.port)],
      {
        name: `prefect ${this.major} server`,
        cwd: this.home,
        env: {
          PATH: process.env["PATH"] ?? "",
          HOME: this.home,
          PREFECT_HOME: this.home,
          PREFECT_SERVER_ANALYTICS_ENABLED: "false",
          DO_NOT_TRACK: "1",
          PREFECT_LOGGING_SERVER_LEVEL: "ERROR",
          ...this.#env,
        },
      },
    );
    this.#process = child;
    await until(
      "the server answers /health",
      async () => {
        if (!child.isRunning) throw new Error(`prefect server start ended:\n${child.output}`);
        return fetch(`${this.url}/health`).then(
          (response) => response.ok,
          () => false,
        );
      },
      { timeoutMs: 120_000, detail: () => child.output },
    );
  }

  /** Stops the process; port and database stay for `resume`. */
  async pause(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined) return;
    child.kill("SIGINT");
    await child.end(10_000).catch(() => undefined);
    await child[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pause();
    await rm(this.home, { recursive: true, force: true });
  }
}
