import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { until } from "./deadline.ts";
import { freePort } from "./prefect-server.ts";
import { TestProcess } from "./test-process.ts";

const run = promisify(execFile);
const mirrored = fileURLToPath(new URL("../../.venvs/docker/registry", import.meta.url));

export interface DockerRegistryState {
  /** Answers 401 to whoever does not log in with `username` and `password`. */
  readonly login?: boolean;
}

/** What a registry can hold from the start: Docker Hub's `prefectHubImage`. */
export interface DockerRegistryOptions extends DockerRegistryState {
  readonly isMirror?: boolean;
}

/** Prefect's own name for the Prefect 3.8.8 of the tests; an engine gets it from a mirror (`--registry-mirror`). */
export const prefectHubImage = "prefecthq/prefect:3.8.8-python3.11";

/** A real registry on loopback, which an engine takes without TLS. */
export class DockerRegistry implements AsyncDisposable {
  readonly username = "pilot";
  readonly password = "open-sesame";
  /** `127.0.0.1:port`, as image names begin with. */
  readonly address: string;
  readonly #root: string;
  #process: TestProcess | undefined;

  private constructor(root: string, port: number) {
    this.#root = root;
    this.address = `127.0.0.1:${port}`;
  }

  static async start({ isMirror, ...state }: DockerRegistryOptions = {}): Promise<DockerRegistry> {
    // Beside the images, so that those of a mirror need no copy.
    const cache = fileURLToPath(new URL("../../.cache", import.meta.url));
    await mkdir(cache, { recursive: true });
    const registry = new DockerRegistry(await mkdtemp(join(cache, "registry-")), await freePort());
    try {
      if (isMirror === true) await run("cp", ["-al", mirrored, join(registry.#root, "images")]);
      await registry.resume(state);
    } catch (error) {
      await registry[Symbol.asyncDispose]();
      throw error;
    }
    return registry;
  }

  /** What it has been asked since it was started last: lines of an access log. */
  get requests(): readonly string[] {
    return this.#process?.lines.filter((line) => / "(GET|HEAD|POST|PATCH|PUT|DELETE) /.test(line)) ?? [];
  }

  /** Starts it (again) on the same address with the same images. */
  async resume(state: DockerRegistryState = {}): Promise<void> {
    const accounts = join(this.#root, "htpasswd");
    const settings = {
      version: "0.1",
      log: { level: "warn" },
      storage: { filesystem: { rootdirectory: join(this.#root, "images") } },
      http: { addr: this.address, secret: "one of the tests" },
      ...(state.login === true ? { auth: { htpasswd: { realm: "tests", path: accounts } } } : {}),
    };
    // `password`, as bcrypt has it.
    await writeFile(
      accounts,
      `${this.username}:$2y$04$NRnnkaP9fKQ9mhb99ntfZ.13H/HGIoPFk/XQdf5sa3i0C.ggTddku\n`,
    );
    await writeFile(join(this.#root, "config.yml"), JSON.stringify(settings));
    const child = new TestProcess("docker-registry", ["serve", join(this.#root, "config.yml")], {
      name: "docker-registry",
      env: { PATH: process.env["PATH"] ?? "" },
    });
    this.#process = child;
    await until(
      "the registry answers",
      async () => {
        if (!child.isRunning) throw new Error(`docker-registry ended:\n${child.output}`);
        return fetch(`http://${this.address}/v2/`).then(
          (response) => response.status === (state.login === true ? 401 : 200),
          () => false,
        );
      },
      { timeoutMs: 20_000, everyMs: 50, detail: () => child.output },
    );
  }

  /** Stops it: nobody listens on its address any more; its images stay for `resume`. */
  async pause(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined) return;
    child.kill("SIGKILL");
    await child.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pause();
    await rm(this.#root, { recursive: true, force: true });
  }
}
