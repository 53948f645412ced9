import { access, mkdir, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { until } from "./deadline.ts";

/** A control group with a memory limit, as a container has one. Needs root; works with cgroup 1 and 2. */
export class MemoryGroup implements AsyncDisposable {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  static async create(name: string, limitBytes: number): Promise<MemoryGroup> {
    const isUnified = await access("/sys/fs/cgroup/cgroup.controllers").then(
      () => true,
      () => false,
    );
    if (isUnified) await writeFile("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
    const path = join(isUnified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory", name);
    await mkdir(path);
    await writeFile(join(path, isUnified ? "memory.max" : "memory.limit_in_bytes"), String(limitBytes));
    return new MemoryGroup(path);
  }

  /** Moves a process in; what it starts afterwards is in as well. */
  async add(pid: number): Promise<void> {
    await writeFile(join(this.#path, "cgroup.procs"), String(pid));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The kernel needs a moment to let go of ended processes.
    await until(
      "the control group is empty",
      () =>
        rmdir(this.#path).then(
          () => true,
          () => false,
        ),
      { timeoutMs: 10_000 },
    );
  }
}
