import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { until } from "./deadline.ts";
import { basesImage } from "./lighterman-image.ts";
import type { DockerEngine } from "./docker-engine.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));

const MACHINE = `
FROM ${basesImage.node}
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends systemd
COPY package /package
RUN npm install --global --no-audit --no-fund /package/lighterman-*.tgz
COPY deploy /repository/deploy
ENV container=docker
CMD ["/lib/systemd/systemd"]
`;

/** A container with systemd as PID 1, where the packed Lighterman is installed globally; the repository's deploy/ lies in /repository. */
export class SystemdMachine {
  readonly #engine: DockerEngine;
  readonly #id: string;

  private constructor(engine: DockerEngine, id: string) {
    this.#engine = engine;
    this.#id = id;
  }

  /** Needs the bases (`makeBases`) and dist/. It ends with the engine. */
  static async start(engine: DockerEngine): Promise<SystemdMachine> {
    const context = await mkdtemp(join(tmpdir(), "systemd-machine-"));
    try {
      await run("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", context], {
        cwd: root,
      });
      await run("sh", ["-c", `mkdir package && mv *.tgz package`], { cwd: context });
      await cp(join(root, "deploy"), join(context, "deploy"), { recursive: true });
      await writeFile(join(context, "Dockerfile"), MACHINE);
      await engine.docker("build", "--network", "host", "--tag", "machine", context);
    } finally {
      await rm(context, { recursive: true, force: true });
    }
    // With version 1 the hierarchy that systemd keeps its units in; the others stay with the engine, which sweeps them.
    const cgroups = existsSync("/sys/fs/cgroup/systemd") ? "/sys/fs/cgroup/systemd" : "/sys/fs/cgroup";
    const mounts = `--tmpfs /run:exec --tmpfs /run/lock --tmpfs /tmp --volume ${cgroups}:${cgroups}:rw --cgroupns host`;
    const rights =
      "--cap-add SYS_ADMIN --cap-add SYS_PTRACE --security-opt seccomp=unconfined --security-opt apparmor=unconfined";
    const id = await engine.docker("run", "--detach", ...mounts.split(" "), ...rights.split(" "), "machine");
    const machine = new SystemdMachine(engine, id);
    await until("systemd has started", async () =>
      /running|degraded/.test(await machine.sh("systemctl is-system-running || true")),
    );
    return machine;
  }

  /** Runs lines of shell as root in /repository: what they print without white space around; fails with their stderr. */
  sh(script: string): Promise<string> {
    return this.#engine.docker("exec", "--workdir", "/repository", this.#id, "sh", "-ec", script);
  }

  /** A property of a unit, as `systemctl show` prints it. */
  show(unit: string, property: string): Promise<string> {
    return this.sh(`systemctl show --value --property ${property} ${unit}`);
  }
}
