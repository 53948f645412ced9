import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { access, cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { until } from "./deadline.ts";
import { isAlive, listProcesses, readProcFile } from "./proc.ts";
import { TestProcess } from "./test-process.ts";

const run = promisify(execFile);

/** Debian 12 with python3 and its venv module, git and certificates. */
export const baseImage = "lighterman-test/base:bookworm";
/** The same with Prefect 3.8.8 and prefect-aws in /opt/prefect, whose programs are on PATH. */
export const prefectImage = "lighterman-test/prefect:3.8.8";

export interface DockerEngineOptions {
  /** Keeps containers running while the daemon is away, also over `kill`; the default is what dockerd does without it. */
  readonly liveRestore?: boolean;
  /** More flags of dockerd. */
  readonly flags?: readonly string[];
}

/**
 * A real dockerd with a socket, network and data of its own, that holds `baseImage` and `prefectImage`. It can run
 * beside others, and leaves nothing behind. It touches no firewall rule: a container reaches this machine, by
 * `--network host` or on `gateway`, and other containers, but nothing beyond.
 */
export class DockerEngine implements AsyncDisposable {
  /** `unix://…`, as in DOCKER_HOST. */
  readonly host: string;
  /** The address of this machine on the default bridge: where `host-gateway` leads. */
  readonly gateway: string;
  readonly #bridge: string;
  readonly #data: string;
  readonly #run: string;
  readonly #flags: readonly string[];
  #process: TestProcess | undefined;

  private constructor(
    place: { data: string; run: string; bridge: string; gateway: string },
    flags: string[],
  ) {
    this.#data = place.data;
    this.#run = place.run;
    this.#bridge = place.bridge;
    this.gateway = place.gateway;
    this.host = `unix://${place.run}/sock`;
    this.#flags = flags;
  }

  /** Fails when there are no images on this machine: `.ci/docker-images` makes them. */
  static async start(options: DockerEngineOptions = {}): Promise<DockerEngine> {
    const root = fileURLToPath(new URL("../..", import.meta.url));
    const images = join(root, ".venvs/docker/data");
    await access(images).catch((cause: unknown) => {
      throw new Error("No images for Docker in .venvs/docker: run .ci/docker-images once, as root.", {
        cause,
      });
    });
    await mkdir(join(root, ".cache"), { recursive: true });
    const engine = new DockerEngine(
      {
        // On the file system of the images, and not below a symbolic link; the sockets need a short path.
        data: await mkdtemp(join(await realpath(join(root, ".cache")), "engine-")),
        run: await mkdtemp(join(tmpdir(), "engine-")),
        bridge: `lt${randomBytes(4).toString("hex")}`,
        gateway: freeGateway(),
      },
      [...(options.liveRestore === true ? ["--live-restore"] : []), ...(options.flags ?? [])],
    );
    try {
      await copyImages(images, engine.#data);
      await run("ip", ["link", "add", "name", engine.#bridge, "type", "bridge"]);
      await run("ip", ["address", "add", `${engine.gateway}/24`, "dev", engine.#bridge]);
      await run("ip", ["link", "set", engine.#bridge, "up"]);
      await engine.resume();
    } catch (error) {
      await engine[Symbol.asyncDispose]();
      throw error;
    }
    return engine;
  }

  /** Path of the socket. */
  get socket(): string {
    return join(this.#run, "sock");
  }

  /** What the daemon has logged since it was started last. */
  get log(): string {
    return this.#process?.output ?? "";
  }

  /** Runs `docker ARGS…` on this engine: its stdout without white space around; fails with its stderr. */
  async docker(...args: string[]): Promise<string> {
    const { stdout } = await run("docker", args, {
      env: { PATH: process.env["PATH"], HOME: this.#run, DOCKER_HOST: this.host, DOCKER_BUILDKIT: "0" },
      maxBuffer: 64 << 20,
    });
    return stdout.trim();
  }

  /** Makes an image that holds one small file: to be pushed and pulled, not to be run. */
  async createSmallImage(name: string): Promise<void> {
    const archive = join(this.#run, "small.tar");
    await writeFile(join(this.#run, "name"), name);
    await run("tar", ["-C", this.#run, "-cf", archive, "name"]);
    await this.docker("import", archive, name);
  }

  /** Starts the daemon (again) on the same socket and data. */
  async resume(): Promise<void> {
    const places = ["--data-root", this.#data, "--exec-root", join(this.#run, "exec")];
    const network = ["--bridge", this.#bridge, "--iptables=false", "--ip-forward=false"];
    const own = ["--pidfile", join(this.#run, "pid"), "--containerd-namespace", this.#bridge];
    const child = new TestProcess(
      "dockerd",
      ["--host", this.host, "--log-level", "warn", ...places, ...network, ...own, ...this.#flags],
      { name: "dockerd", env: { PATH: process.env["PATH"] ?? "" } },
    );
    this.#process = child;
    await until(
      "the Docker engine answers",
      () => {
        if (!child.isRunning) throw new Error(`dockerd ended:\n${child.output}`);
        return this.docker("version").catch(() => false);
      },
      { everyMs: 50, detail: () => child.output },
    );
  }

  /** Stops the daemon and, without `liveRestore`, its containers; the data stay for `resume`. */
  async pause(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined) return;
    child.signal("SIGTERM");
    await child.end(30_000).catch(() => undefined);
    await child[Symbol.asyncDispose]();
  }

  /** Kills the daemon alone, at once: containers go on until `resume`, and then too with `liveRestore`. */
  async kill(): Promise<void> {
    this.#process?.signal("SIGKILL");
    await this.#process?.end();
    this.#process = undefined;
    // Its containerd dies with it, but the next daemon would take a zombie for a living one.
    const pidFile = join(this.#run, "exec/containerd/containerd.pid");
    const pid = Number(await readFile(pidFile, "utf8"));
    await until("containerd has ended", () => !isAlive(pid), { everyMs: 20 });
    await rm(pidFile);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process?.isRunning === true) {
      const all = await this.docker("ps", "--all", "--quiet", "--no-trunc").catch(() => "");
      if (all !== "")
        await this.docker("rm", "--force", "--volumes", ...all.split("\n")).catch(() => undefined);
    }
    await this.pause();
    killContainersOf(this.#run);
    await unmountBelow(this.#data, this.#run);
    await run("ip", ["link", "delete", this.#bridge]).catch(() => undefined);
    await rm(this.#data, { recursive: true, force: true });
    await rm(this.#run, { recursive: true, force: true });
  }
}

/** Layers are never written again, so links to them do; what the daemon writes is copied. */
async function copyImages(images: string, data: string): Promise<void> {
  for (const name of await readdir(images)) {
    if (name === "image") await cp(join(images, name), join(data, name), { recursive: true });
    else if (name === "overlay2") await run("cp", ["-al", join(images, name), join(data, name)]);
  }
}

/** The first address of a network of 256 that this machine has not. */
function freeGateway(): string {
  const taken = new Set(
    Object.values(networkInterfaces()).flatMap((all) => all?.map(({ address }) => address) ?? []),
  );
  for (;;) {
    const [a = 0, b = 0] = randomBytes(2);
    const address = `10.${200 + (a % 50)}.${b}.1`;
    if (!taken.has(address)) return address;
  }
}

/** Kills containers that outlived their daemon: the command line of their shim names its directory. */
function killContainersOf(directory: string): void {
  for (const { pid, argv } of listProcesses()) {
    if (!/^\S*containerd-shim/.test(argv) || !argv.includes(`${directory}/`)) continue;
    const contained = readProcFile(pid, `task/${pid}/children`).split(" ").filter(Boolean).map(Number);
    for (const each of [...contained, pid]) process.kill(each, "SIGKILL");
  }
}

async function unmountBelow(...directories: readonly string[]): Promise<void> {
  const points = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((point) => directories.some((directory) => `${point}/`.startsWith(`${directory}/`)));
  for (const point of points.toReversed()) await run("umount", ["--lazy", point]);
}
