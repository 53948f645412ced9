import { resolve } from "node:path";
import { z } from "zod";

import { WorkerError } from "../../errors.ts";
import { plainJson } from "../../json/plain.ts";

import type { JsonObject } from "../../json/value.ts";

/** Since we have no Prefect of our own to take the version of, as Prefect's worker does. */
const DEFAULT_IMAGE = "prefecthq/prefect:3-latest";

const WORDS: Readonly<Record<string, boolean>> = {
  true: true,
  t: true,
  yes: true,
  y: true,
  on: true,
  "1": true,
  false: false,
  f: false,
  no: false,
  n: false,
  off: false,
  "0": false,
};

const absent = (value: unknown): unknown => value ?? undefined;
const flag = (fallback: boolean) =>
  z.preprocess(
    (value) => (typeof value === "string" ? (WORDS[value.toLowerCase()] ?? value) : absent(value)),
    z.boolean().default(fallback),
  );
const list = z.preprocess(absent, z.array(z.string()).default([]));
const size = z.union([z.string(), z.number()]).nullish();
const text = z.preprocess((value) => (value === "" ? null : value), z.string().nullish());

const DockerJobShape = z.object({
  image: text.transform((image) => image ?? DEFAULT_IMAGE),
  image_pull_policy: z.enum(["IfNotPresent", "Always", "IfPossible", "Never"]).nullish(),
  registry_credentials: z
    .object({ username: z.string(), password: z.string(), registry_url: z.string() })
    .nullish(),
  networks: list,
  network_mode: text,
  auto_remove: flag(false),
  volumes: list,
  mem_limit: size,
  memswap_limit: size,
  privileged: flag(false),
  working_dir: text,
  container_create_kwargs: z.preprocess(absent, z.record(z.string(), z.unknown()).default({})),
});

/** What a docker work pool's job says of its container (protocol §3.6), checked. */
export type DockerJob = z.infer<typeof DockerJobShape>;

/**
 * Reads a resolved job configuration. Relative sources of volumes count from `cwd`, the worker's directory.
 * Throws TEMPLATE_INVALID.
 */
export function readDockerJob(configuration: JsonObject, cwd: string): DockerJob {
  const parsed = DockerJobShape.safeParse(plainJson(configuration));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const name = issue?.path.join(".") ?? "";
    throw new WorkerError(
      "TEMPLATE_INVALID",
      `The job variable ${name} cannot be used: ${issue?.message ?? ""}`,
      {
        hint: "Correct it in the work pool's base job template, the deployment, or the flow run.",
      },
    );
  }
  return { ...parsed.data, volumes: parsed.data.volumes.map((volume) => resolveVolume(volume.trim(), cwd)) };
}

const VOLUME = /^(?:(?<only>\/[^:]+)|(?<host>[^:]+):(?<target>[^:]+)(?::(?<options>.+))?)$/;
const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** The rules of prefect_docker/types.py: assert_volume_str. */
function resolveVolume(volume: string, cwd: string): string {
  const { only, host, target, options } = VOLUME.exec(volume)?.groups ?? {};
  if (only !== undefined) return volume;
  if (host === undefined || target === undefined) throw badVolume(volume, "it is not HOST:CONTAINER[:ro]");
  const isRelative = /^\.{1,2}(\/|$)/.test(host);
  if (host.startsWith("/") || isRelative) {
    if (!target.startsWith("/")) throw badVolume(volume, "the path in the container must be absolute");
  } else if (!VOLUME_NAME.test(host)) {
    throw badVolume(
      volume,
      `${host} is neither a path nor the name of a volume (the shell's $(pwd) has no meaning here)`,
    );
  }
  if (options !== undefined && options !== "ro" && options !== "rw")
    throw badVolume(volume, `${options} is neither ro nor rw`);
  const source = isRelative ? resolve(cwd, host) : host;
  return [source, target, ...(options === undefined ? [] : [options])].join(":");
}

function badVolume(volume: string, problem: string): WorkerError {
  return new WorkerError("TEMPLATE_INVALID", `The volume ${volume} cannot be used: ${problem}`, {
    hint: "Write /on/this/machine:/in/container, ./relative:/in/container, or volume-name:/in/container, with :ro where it shall only be read.",
  });
}
