import { resolve } from "node:path";

import { buildImage, isRemoteContext } from "../../docker/build-image.ts";
import { tagImage } from "../../docker/images.ts";
import { isPythonTruthy, pythonStr } from "../../json/python.ts";
import { isJsonObject } from "../../json/value.ts";
import { systemClock } from "../../lifecycle/clock.ts";
import { StepInputs } from "../step-inputs.ts";
import { withEngine } from "./engine-session.ts";
import { flowsPrefect, generateDockerfile, keepDockerfile } from "./generated-dockerfile.ts";
import {
  checkBackend,
  credentialsOf,
  fullImageName,
  mappingOf,
  tagOf,
  tagsOf,
  textsOf,
} from "./image-inputs.ts";
import { once } from "./once.ts";
import { pushTags } from "./push-image.ts";

import type { ExtraFile } from "../../docker/build-context.ts";
import type { Json, JsonObject } from "../../json/value.ts";
import type { NativeStep, StepContext, StepOutcome } from "../types.ts";

/**
 * Builds an image on the engine that DOCKER_HOST or Docker's context names, and tags it (prefect_docker/deployments/steps.py). The
 * same inputs are built once per command. `build_backend: buildx` is left to Python.
 */
export const buildDockerImage: NativeStep = {
  names: [
    "prefect_docker.deployments.steps.build_docker_image",
    "prefect_docker.projects.steps.build_docker_image",
  ],
  fits: ({ build_backend: backend }) => backend !== "buildx",
  run: async (inputs, context) => await once("build", inputs, context, run),
};

/** docker-py's names of build options, and the Engine API's. */
const PARAMETERS: Readonly<Record<string, string>> = {
  pull: "pull",
  nocache: "nocache",
  quiet: "q",
  rm: "rm",
  forcerm: "forcerm",
  shmsize: "shmsize",
  target: "target",
  network_mode: "networkmode",
  squash: "squash",
  platform: "platform",
  isolation: "isolation",
};
const LIMITS = ["memory", "memswap", "cpushares", "cpusetcpus"];
/** `push` and `credentials` are those of prefect-docker up to 0.3.0, which had no step of its own for it; `decode` and `gzip` change no image. */
const INPUTS = (
  "image_name dockerfile tag additional_tags ignore_cache build_backend " +
  "persist_dockerfile dockerfile_output_path path buildargs labels cache_from extra_hosts container_limits push credentials decode gzip"
)
  .split(" ")
  .concat(Object.keys(PARAMETERS));

async function run(inputs: JsonObject, context: StepContext): Promise<StepOutcome> {
  const { cwd, env, log, signal } = context;
  const registerSecret = (secret: string): void => context.registerSecret(secret);
  const given = new StepInputs("build_docker_image", inputs, INPUTS);
  checkBackend(inputs["build_backend"]);
  const name = fullImageName(given.text("image_name"), env);
  const tag = tagOf(inputs["tag"]) ?? defaultTag();
  const additionalTags = tagsOf(inputs["additional_tags"]);
  const credentials = credentialsOf(inputs["credentials"], registerSecret);
  const labels = mappingOf("labels", inputs["labels"]);
  const buildArgs = buildArgsOf(inputs["buildargs"]);
  const parameters = parametersOf(inputs);
  const path = given.optionalText("path") ?? cwd;
  const dockerfile = given.optionalText("dockerfile") ?? "Dockerfile";
  const prefect = await flowsPrefect(context).catch((error: unknown) => {
    if (dockerfile === "auto") throw error;
    return undefined;
  });
  const extraFiles: ExtraFile[] = [];
  if (dockerfile === "auto" && prefect !== undefined) {
    const content = await generateDockerfile(prefect.baseImage, cwd);
    if (given.flag("persist_dockerfile", false)) {
      await keepDockerfile(
        content,
        given.optionalText("dockerfile_output_path") || "Dockerfile.generated",
        context,
      );
    }
    extraFiles.push({ path: "Dockerfile", content });
  }
  const version = prefect?.version;
  const startedMs = systemClock.monotonic();
  const id = await withEngine(env, async (engine) => {
    const built = await buildImage(engine, {
      name: `${name}:${tag}`,
      path: isRemoteContext(path) ? path : resolve(cwd, path),
      dockerfile: dockerfile === "auto" || dockerfile === "" ? "Dockerfile" : dockerfile,
      extraFiles,
      buildArgs,
      labels: { ...labels, ...(version === undefined ? {} : { "io.prefect.version": version }) },
      extraHosts: textsOf("extra_hosts", inputs["extra_hosts"]),
      cacheFrom: textsOf("cache_from", inputs["cache_from"]),
      parameters,
      env,
      onLine: (line) => log.output(line),
      onProgress: (text) => log.info(text),
      signal,
    });
    for (const each of [tag, ...additionalTags]) await tagImage(engine, built, { name, tag: each }, signal);
    const seconds = ((systemClock.monotonic() - startedMs) / 1000).toFixed(1);
    log.info(`Built ${name}:${tag} (${built.slice(0, 19)}) in ${seconds} s`);
    if (given.flag("push", false))
      await pushTags(engine, { name, tags: [tag, ...additionalTags], credentials }, context);
    return built;
  });
  return {
    outputs: {
      image_name: name,
      tag: isPythonTruthy(inputs["tag"]) ? (inputs["tag"] ?? tag) : tag,
      image: `${name}:${tag}`,
      image_id: id,
      additional_tags: isPythonTruthy(inputs["additional_tags"]) ? (inputs["additional_tags"] ?? []) : [],
    },
  };
}

/** The time in UTC, as Prefect's slug of it: `2026-11-25t17-10-53-123456-00-00`. */
function defaultTag(): string {
  const iso = new Date(systemClock.now()).toISOString().replace("Z", "000+00:00");
  return iso.toLowerCase().replace(/[^a-z0-9]+/g, "-");
}

function buildArgsOf(value: Json | undefined): Readonly<Record<string, string | null>> {
  if (!isJsonObject(value)) return mappingOf("buildargs", value);
  const unset = Object.entries(value).filter(([, item]) => item === null);
  const set = Object.entries(value).filter(([, item]) => item !== null);
  return {
    ...mappingOf("buildargs", Object.fromEntries(set)),
    ...Object.fromEntries(unset.map(([key]) => [key, null])),
  };
}

function parametersOf(inputs: JsonObject): Readonly<Record<string, string | number | boolean>> {
  // The base image is pulled anew, so that an image is not built on an old one.
  const parameters: Record<string, string | number | boolean> = { pull: true };
  for (const [input, parameter] of Object.entries(PARAMETERS)) {
    const value = inputs[input];
    if (value === undefined || value === null) continue;
    parameters[parameter] = typeof value === "boolean" ? value : pythonStr(value);
  }
  const limits = mappingOf("container_limits", inputs["container_limits"]);
  for (const limit of LIMITS) {
    const value = limits[limit];
    if (value !== undefined) parameters[limit] = value;
  }
  return parameters;
}
