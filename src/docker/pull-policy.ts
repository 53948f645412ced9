import { WorkerError } from "../errors.ts";
import { findImage, pullImage } from "./images.ts";
import { parseImageReference, registryHost } from "./image-reference.ts";
import { findRegistryLogin } from "./registry-logins.ts";

import type { Clock } from "../lifecycle/clock.ts";
import type { DockerEnvironment } from "./docker-config.ts";
import type { DockerEngine } from "./engine.ts";
import type { Image } from "./images.ts";
import type { RegistryBlock } from "./registry-logins.ts";

/** `image_pull_policy` of prefect-docker. */
export type ImagePullPolicy = "IfNotPresent" | "Always" | "IfPossible" | "Never";

/** What a container needs of its image: fields of a docker job. */
export interface ImageNeed {
  readonly image: string;
  readonly image_pull_policy?: ImagePullPolicy | null | undefined;
  readonly registry_credentials?: RegistryBlock | null | undefined;
  /** `linux/arm64`; the engine's own without. */
  readonly platform?: string | undefined;
}

export interface EnsureImageOptions {
  /** Where Docker's config.json and its helpers are found: the worker's environment. */
  readonly env: DockerEnvironment;
  /** Told that an image is pulled, how far that is, and what could not be done but did not matter. */
  readonly onProgress?: ((text: string) => void) | undefined;
  /** Does the pull, if there is one. */
  readonly aside?: (<T>(pull: () => Promise<T>) => Promise<T>) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock;
}

/** What a missing policy means: an image that may change under its name (`latest`, or no tag) is always pulled (protocol §3.6). */
function pullPolicyOf({ image, image_pull_policy: given }: ImageNeed): ImagePullPolicy {
  if (given !== null && given !== undefined) return given;
  const { tag, digest } = parseImageReference(image);
  return digest === undefined && (tag ?? "latest") === "latest" ? "Always" : "IfNotPresent";
}

/**
 * Sees to it that the engine has an image, by its pull policy, and returns it. Credentials are looked up, and the registry is
 * asked, only when the policy wants a pull. Rejects with IMAGE_UNAVAILABLE, which says why there is no image and what to do,
 * with ENGINE_UNREACHABLE, or with the signal's reason.
 */
export async function ensureImage(
  engine: DockerEngine,
  need: ImageNeed,
  options: EnsureImageOptions,
): Promise<Image> {
  const { image } = need;
  const { onProgress, signal, aside = (work) => work() } = options;
  const { registry } = parseImageReference(image);
  const policy = pullPolicyOf(need);
  if (policy === "Never" || policy === "IfNotPresent") {
    const found = await findImage(engine, image, signal);
    if (found !== undefined) return found;
    if (policy === "Never") {
      throw new WorkerError(
        "IMAGE_UNAVAILABLE",
        `The engine has no image ${image}, and its pull policy is Never`,
        {
          hint: "Build or pull it on the engine's machine, or choose image_pull_policy IfNotPresent.",
        },
      );
    }
  }
  try {
    await aside(() => pull(engine, need, registry, options));
  } catch (thrown) {
    if (policy !== "IfPossible" || !(thrown instanceof WorkerError)) throw thrown;
    if (thrown.code !== "IMAGE_UNAVAILABLE") throw thrown;
    const found = await findImage(engine, image, signal);
    if (found === undefined) {
      throw new WorkerError("IMAGE_UNAVAILABLE", `${thrown.message}; and the engine has none of that name`, {
        cause: thrown,
        retryable: thrown.retryable,
        ...(thrown.hint === undefined ? {} : { hint: thrown.hint }),
      });
    }
    onProgress?.(
      `${thrown.message}. The one that the engine has is used, since the pull policy is IfPossible.`,
    );
    return found;
  }
  const pulled = await findImage(engine, image, signal);
  if (pulled === undefined) {
    throw new WorkerError(
      "IMAGE_UNAVAILABLE",
      `The image ${image} has been pulled, but the engine has it no more`,
      {
        hint: "Something removes images on the engine's machine (`docker image prune`?) while runs start.",
        retryable: true,
      },
    );
  }
  onProgress?.(`Pulled ${image} (${pulled.Id.slice(0, 19)})`);
  return pulled;
}

async function pull(
  engine: DockerEngine,
  { image, registry_credentials: block, platform }: ImageNeed,
  registry: string,
  { env, onProgress, signal, clock }: EnsureImageOptions,
): Promise<void> {
  const login = await findRegistryLogin(registry, block, env);
  if (block !== null && block !== undefined && login?.source !== "the registry_credentials") {
    onProgress?.(
      `The registry_credentials are for ${registryHost(block.registry_url)}, so they are not sent to ${registry}`,
    );
  }
  onProgress?.(`Pulling image ${image}`);
  await pullImage(engine, image, {
    login,
    platform,
    onProgress,
    signal,
    ...(clock === undefined ? {} : { clock }),
  });
}
