import { writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";

import { StepError } from "../errors.ts";
import { exists } from "../existence.ts";
import { discoverPython } from "../python.ts";

import type { StepContext } from "../types.ts";

/** The flow's Prefect, as far as there is one. */
export interface FlowsPrefect {
  /** `prefecthq/prefect:3.8.8-python3.11` */
  readonly baseImage: string;
  /** Undefined where the flow's Python has no Prefect. */
  readonly version: string | undefined;
}

/** Finds Prefect's own image of the version and Python in use (prefect/utilities/dockerutils.py: get_prefect_image_name). */
export async function flowsPrefect(context: StepContext): Promise<FlowsPrefect> {
  const { env, signal } = context;
  const { version, prefectVersion } = await discoverPython({
    configured: await context.python(),
    env,
    signal,
  });
  const python = version.split(".").slice(0, 2).join(".");
  return {
    baseImage: `prefecthq/prefect:${prefectVersion === null ? "3" : slug(prefectVersion)}-python${python}`,
    version: prefectVersion ?? undefined,
  };
}

// A local version (`3.8.8+2.gabc`) has no image.
function slug(version: string): string {
  return (version.split("+")[0] ?? version).replace(/[^a-zA-Z0-9_.-]+/g, "-");
}

/**
 * The Dockerfile of `dockerfile: auto`: Prefect's image, the requirements, then the current directory below /opt/prefect. Rejects
 * with a StepError when the directory has a Dockerfile, which would go unused.
 */
export async function generateDockerfile(baseImage: string, cwd: string): Promise<string> {
  if (await exists(join(cwd, "Dockerfile"))) {
    throw new StepError("A Dockerfile already exists, but `dockerfile: auto` would write another one", {
      hint: "Write `dockerfile: Dockerfile` to build with it, or remove it.",
    });
  }
  const place = `/opt/prefect/${basename(cwd)}`;
  const lines = [
    `FROM ${baseImage}`,
    ...((await exists(join(cwd, "requirements.txt")))
      ? [`COPY requirements.txt ${place}/requirements.txt`, `RUN uv pip install -r ${place}/requirements.txt`]
      : []),
    `COPY . ${place}/`,
    `WORKDIR ${place}/`,
  ];
  return lines.map((line) => `${line}\n`).join("");
}

/** Keeps what was generated. */
export async function keepDockerfile(text: string, path: string, context: StepContext): Promise<void> {
  await writeFile(resolve(context.cwd, path), text);
  context.log.info(
    `Kept the generated Dockerfile as ${path}: name it as \`dockerfile\` to build with it from now on`,
  );
}
