import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "./prefect-server.ts";
import { TestProcess } from "./test-process.ts";

const PROGRAM = fileURLToPath(new URL("../../dist/lighterman.js", import.meta.url));

export interface EmbeddedServerOptions {
  readonly env?: Readonly<Record<string, string>>;
}

/** The built `lighterman server start` in a process of its own, with a data directory of its own. */
export class EmbeddedServer implements AsyncDisposable {
  readonly port: number;
  readonly directory: string;
  readonly #env: Readonly<Record<string, string>>;
  #process: TestProcess | undefined;

  private constructor(port: number, directory: string, env: Readonly<Record<string, string>>) {
    this.port = port;
    this.directory = directory;
    this.#env = env;
  }

  static async start(options: EmbeddedServerOptions = {}): Promise<EmbeddedServer> {
    const directory = await mkdtemp(join(tmpdir(), "embedded-server-"));
    const server = new EmbeddedServer(await freePort(), directory, options.env ?? {});
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

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Its log so far. */
  get output(): string {
    return this.#process?.output ?? "";
  }

  /** Starts it (again) on the same port and data. */
  async resume(): Promise<void> {
    this.#process = new TestProcess(
      process.execPath,
      [PROGRAM, "server", "start", "--port", String(this.port), "--data", join(this.directory, "data")],
      {
        name: "lighterman server",
        cwd: this.directory,
        env: { PATH: process.env["PATH"] ?? "", HOME: this.directory, ...this.#env },
      },
    );
    await this.#process.waitForLine(/Serving the Prefect API/);
  }

  /** Stops it; resolves when it has ended. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.#process?.signal(signal);
    await this.#process?.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true, force: true });
  }
}
