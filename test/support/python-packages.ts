import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { prefectProgram } from "./prefect-server.ts";
import type { PrefectMajor } from "./prefect-server.ts";

const run = promisify(execFile);

export interface PythonPackage {
  /** Import name; the distribution's name has dashes for underscores. */
  readonly module: string;
  readonly version: string;
  readonly source: string;
  /** Sources of modules within, by name: the package is a directory then. */
  readonly modules?: Readonly<Record<string, string>>;
}

/** Writes a wheel that pip installs without a build and without a network. */
export async function writeWheel(directory: string, spec: PythonPackage): Promise<string> {
  const info = `${spec.module}-${spec.version}.dist-info`;
  const wheel = join(directory, `${spec.module}-${spec.version}-py3-none-any.whl`);
  const top = spec.modules === undefined ? `${spec.module}.py` : spec.module;
  const files: Readonly<Record<string, string>> = {
    [spec.modules === undefined ? top : `${top}/__init__.py`]: spec.source,
    ...Object.fromEntries(
      Object.entries(spec.modules ?? {}).map(([name, source]) => [`${top}/${name}.py`, source]),
    ),
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${spec.module.replaceAll("_", "-")}\nVersion: ${spec.version}\n`,
    [`${info}/WHEEL`]: "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
  };
  const names = [...Object.keys(files), `${info}/RECORD`];
  const tree = await mkdtemp(join(tmpdir(), "wheel-"));
  try {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(tree, name)), { recursive: true });
      await writeFile(join(tree, name), text);
    }
    await writeFile(join(tree, info, "RECORD"), names.map((name) => `${name},,\n`).join(""));
    await mkdir(directory, { recursive: true });
    await run("python3", ["-m", "zipfile", "-c", wheel, top, info], { cwd: tree });
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
  return wheel;
}

/** A venv of its own on top of a Prefect venv: what is installed into it does not reach the other. */
export class LayeredVenv implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  get python(): string {
    return join(this.path, "bin", "python");
  }

  static async create(major: PrefectMajor): Promise<LayeredVenv> {
    const base = prefectProgram(major, "python");
    const venv = new LayeredVenv(await mkdtemp(join(tmpdir(), "layered-venv-")));
    await run(base, ["-m", "venv", "--without-pip", venv.path]);
    const purelib = async (python: string) =>
      (await run(python, ["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])).stdout.trim();
    await writeFile(join(await purelib(venv.python), "base.pth"), `${await purelib(base)}\n`);
    return venv;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}
